"""``POST /v1/realtime/client_secrets``: a key's holder makes a secret for a browser or a phone."""

import time

from openai.types.realtime.client_secret_create_response import ClientSecretCreateResponse
from openai.types.realtime.realtime_session_create_response import RealtimeSessionCreateResponse
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from microturn.server.access import Access
from microturn.server.keys import DEFAULT_SECRET_S, Holder
from microturn.server.realtime.conversation import new_id
from microturn.server.responses import error_response, read_body


class _ExpiresAfter(BaseModel):
    seconds: int = DEFAULT_SECRET_S


class _Wanted(BaseModel):
    expires_after: _ExpiresAfter = _ExpiresAfter()


async def make_secret(access: Access, holder: Holder, model: str, request: Request) -> Response:
    """Make one. It may connect, to either protocol, and nothing else; sessions go on when it has ended."""
    body = await read_body(request)
    if isinstance(body, Response):
        return body
    try:
        wanted = _Wanted.model_validate_json(body or b"{}")
        now_s = time.time()
        value = access.secrets.mint(holder, lasts_s=wanted.expires_after.seconds, now_s=now_s)
    except ValidationError:
        return error_response(400, "invalid_value", "the body is not valid: send {} or expires_after.seconds")
    except ValueError as error:
        return error_response(400, "invalid_value", str(error), "expires_after.seconds")
    session = RealtimeSessionCreateResponse(id=new_id("sess"), object="realtime.session", type="realtime", model=model)
    answer = ClientSecretCreateResponse(
        value=value, expires_at=int(now_s) + wanted.expires_after.seconds, session=session
    )
    return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")
