"""``POST /v1/live/sessions``: WebRTC, where its package is installed."""

import importlib.util

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from microturn.errors import CapacityError, ProtocolError
from microturn.server.live_server import LiveServer
from microturn.server.responses import error_response

MAX_BODY_BYTES = 1_000_000


async def answer_offer(live: LiveServer, request: Request) -> Response:
    """Open a session over WebRTC."""
    if importlib.util.find_spec("aiortc") is None:
        return error_response(501, "unsupported", "WebRTC is not installed here: pip install 'microturn[webrtc]'")
    from microturn.server.webrtc.connection import CreateRequest, create_session

    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return error_response(413, "request_too_large", f"the body exceeds {MAX_BODY_BYTES} bytes: shorten it")
    try:
        answer = await create_session(live, CreateRequest.model_validate_json(bytes(body)))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        return error_response(400, "invalid_value", f"{where or 'the body'} is not valid: see docs/protocol.md", where)
    except ProtocolError as error:
        return error_response(400, error.code, str(error), error.param)
    except CapacityError as error:
        return error_response(503, "capacity_exceeded", f"{error}: try again when another session has ended")
    return Response(answer.model_dump_json(), status_code=201, media_type="application/json")
