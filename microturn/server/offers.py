"""``POST /v1/live/sessions``: WebRTC, where its package is installed."""

import importlib.util
from contextlib import AbstractContextManager

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from microturn.errors import CapacityError, ProtocolError
from microturn.server.directory import Entry
from microturn.server.live_server import LiveServer
from microturn.server.responses import error_response, read_body


async def answer_offer(
    live: LiveServer,
    request: Request,
    stay: AbstractContextManager[None],
    owner: str,
    origin: Entry | None = None,
) -> Response:
    """Open a session over WebRTC.

    Args:
        stay: Counts the connection; entered for as long as the session lasts.
        owner: Name of the key's holder.
        origin: The session to fork; None for a new one.
    """
    if importlib.util.find_spec("aiortc") is None:
        return error_response(501, "unsupported", "WebRTC is not installed here: pip install 'microturn[serve]'")
    from microturn.server.webrtc.connection import CreateRequest, ForkRequest, create_fork, create_session

    body = await read_body(request)
    if isinstance(body, Response):
        return body
    try:
        if origin is None:
            answer = await create_session(live, CreateRequest.model_validate_json(body), stay, owner)
        else:
            answer = await create_fork(live, ForkRequest.model_validate_json(body), stay, origin)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        return error_response(400, "invalid_value", f"{where or 'the body'} is not valid: see docs/protocol.md", where)
    except ProtocolError as error:
        return error_response(400, error.code, str(error), error.param)
    except CapacityError as error:
        return error_response(503, "capacity_exceeded", f"{error}: try again when another session has ended")
    return Response(answer.model_dump_json(), status_code=201, media_type="application/json")
