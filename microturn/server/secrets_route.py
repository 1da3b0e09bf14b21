"""``POST /v1/realtime/client_secrets``: a key's holder makes a secret for a browser or a phone."""

import time

from openai.types.realtime.client_secret_create_response import ClientSecretCreateResponse
from openai.types.realtime.realtime_session_create_response import RealtimeSessionCreateResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from microturn.server.access import Access
from microturn.server.keys import (
    CLIENT_RIGHTS,
    DEFAULT_SECRET_S,
    MAX_SECRET_S,
    MIN_SECRET_S,
    Holder,
    Right,
    RightsError,
)
from microturn.server.realtime.conversation import new_id
from microturn.server.responses import error_response, read_body


class ExpiresAfter(BaseModel):
    """How long a secret lasts."""

    seconds: int = Field(default=DEFAULT_SECRET_S, json_schema_extra={"minimum": MIN_SECRET_S, "maximum": MAX_SECRET_S})


class SecretRequest(BaseModel):
    """The body, as ``openai.realtime.client_secrets.create`` sends it; ``rights`` is ours (``extra_body``)."""

    expires_after: ExpiresAfter = ExpiresAfter()
    rights: frozenset[Right] = CLIENT_RIGHTS
    """What the secret may be used for: ``connect`` alone unless given, at most what its maker has, never ``mint``."""


async def make_secret(access: Access, holder: Holder, model: str, request: Request) -> Response:
    """Make one. Sessions that were begun with it go on when it has ended."""
    body = await read_body(request)
    if isinstance(body, Response):
        return body
    try:
        wanted = SecretRequest.model_validate_json(body or b"{}")
        now_s = time.time()
        value = access.secrets.mint(holder, lasts_s=wanted.expires_after.seconds, now_s=now_s, rights=wanted.rights)
    except ValidationError:
        return error_response(
            400, "invalid_value", f"the body is not valid: send {{}}, expires_after.seconds or rights ({_ALL})"
        )
    except RightsError as error:
        return error_response(403, "no_right", str(error), "rights")
    except ValueError as error:
        return error_response(400, "invalid_value", str(error), "expires_after.seconds")
    session = RealtimeSessionCreateResponse(id=new_id("sess"), object="realtime.session", type="realtime", model=model)
    answer = ClientSecretCreateResponse(
        value=value, expires_at=int(now_s) + wanted.expires_after.seconds, session=session
    )
    return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")


_ALL = ", ".join(right for right in Right if right is not Right.MINT)
