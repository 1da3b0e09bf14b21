"""What can be asked of a session by its id over HTTP. Telephony and recordings are named as not served."""

from starlette.requests import Request
from starlette.responses import Response

from microturn.server.directory import Entry
from microturn.server.ending import Ending
from microturn.server.responses import error_response

NOT_FOUND_STATUS = 404


def not_found() -> Response:
    """The answer for a session that is not there, or somebody else's."""
    return error_response(
        NOT_FOUND_STATUS, "session_not_found", "no session of yours has this id: use one from session.started"
    )


async def refuse_telephony(request: Request) -> Response:
    """Calls over SIP do not come here."""
    return error_response(400, "unsupported", "telephony is not served here: connect over WebRTC or a WebSocket")


async def refuse_recording(request: Request) -> Response:
    """Recordings are kept for the operator."""
    return error_response(
        400, "unsupported", "recordings are not handed out: the operator has them, see 'microturn replay'"
    )


def hang_up(entry: Entry) -> Response:
    """End a session that a client holds; one whose client is away cannot be ended from here."""
    if entry.session is None:
        return not_found()
    entry.session.end(Ending(reason="close_requested"))
    return Response(status_code=200)
