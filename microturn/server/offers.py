"""Offers over HTTP, of GPT-Live and of Realtime: WebRTC, where its package is installed."""

import importlib.util
from contextlib import AbstractContextManager

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from microturn.errors import CapacityError, ProtocolError
from microturn.server.admission import allowance_of
from microturn.server.directory import Entry
from microturn.server.live_server import LiveServer
from microturn.server.responses import error_response, read_body


async def answer_offer(
    live: LiveServer,
    request: Request,
    stay: AbstractContextManager[object],
    owner: str,
    origin: Entry | None = None,
) -> Response:
    """Open a session over WebRTC.

    Args:
        stay: Counts the connection; left when the session is over. The caller leaves it where none begins.
        owner: Name of the key's holder.
        origin: The session to fork; None for a new one.
    """
    if (missing := _missing()) is not None:
        return missing
    from microturn.server.webrtc.connection import CreateRequest, ForkRequest, create_fork, create_session

    body = await read_body(request)
    if isinstance(body, Response):
        return body
    try:
        allowance = allowance_of(request)
        if origin is None:
            answer = await create_session(live, CreateRequest.model_validate_json(body), stay, owner, allowance)
        else:
            answer = await create_fork(live, ForkRequest.model_validate_json(body), stay, origin, allowance)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        return error_response(400, "invalid_value", f"{where or 'the body'} is not valid: see docs/protocol.md", where)
    except (ProtocolError, CapacityError) as error:
        return _refusal(error)
    return Response(answer.model_dump_json(), status_code=201, media_type="application/json")


async def answer_realtime_offer(
    live: LiveServer, request: Request, stay: AbstractContextManager[object], calls_path: str
) -> Response:
    """Open a Realtime session over WebRTC: the answer is SDP, and the session's name stands in ``Location``."""
    if (missing := _missing()) is not None:
        return missing
    from microturn.server.webrtc.realtime_call import answer_call, read_offer

    body = await read_body(request)
    if isinstance(body, Response):
        return body
    try:
        sdp, session = read_offer(request.headers.get("content-type", ""), body)
        call_id, answer = await answer_call(live, sdp, session, stay, allowance_of(request))
    except (ProtocolError, CapacityError) as error:
        return _refusal(error)
    headers = {"location": f"{calls_path}/{call_id}"}
    return Response(answer, status_code=201, media_type="application/sdp", headers=headers)


def _missing() -> Response | None:
    if importlib.util.find_spec("aiortc") is not None:
        return None
    return error_response(501, "unsupported", "WebRTC is not installed here: pip install 'microturn[serve]'")


def _refusal(error: ProtocolError | CapacityError) -> Response:
    if isinstance(error, ProtocolError):
        return error_response(400, error.code, str(error), error.param)
    return error_response(503, "capacity_exceeded", f"{error}: try again when another session has ended")
