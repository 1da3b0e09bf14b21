"""What the server answers over HTTP, as an OpenAPI document (``/openapi.json``). Bodies are described by the types that
read and write them, so the document cannot name a field that is not there; a test asks every route by it.

The WebSockets beside it are not part of OpenAPI: docs/protocol.md has them, and every event.
"""

import re
from functools import cache
from typing import Any, Literal

from openai.types.live import ForkSessionConfig, SessionConfig
from openai.types.live.live_create_response import LiveCreateResponse
from openai.types.realtime import RealtimeSessionCreateRequest
from openai.types.realtime.client_secret_create_response import ClientSecretCreateResponse
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from microturn import __version__
from microturn.server.paths import (
    CALLS_PATH,
    LIVE_PATH,
    ONE_CALL_PATH,
    ONE_PATH,
    OPENAPI_PATH,
    REALTIME_PATH,
    SECRETS_PATH,
    TELEPHONY,
)
from microturn.server.secrets_route import SecretRequest
from microturn.server.vacancy import Lack

Json = dict[str, Any]

_TYPES: tuple[tuple[type[BaseModel], JsonSchemaMode], ...] = (
    (SecretRequest, "validation"),
    (ClientSecretCreateResponse, "validation"),
    (SessionConfig, "validation"),
    (ForkSessionConfig, "validation"),
    (LiveCreateResponse, "validation"),
    (RealtimeSessionCreateRequest, "validation"),
)
_REF = "#/components/schemas/"
_REFUSALS = {
    400: "Something in the request is not valid, or not served.",
    401: "The key is wrong or missing.",
    403: "The key has no right to this, or the page or the host is foreign.",
    404: "No session of this key's holder has this id.",
    413: "The body is too long.",
    429: "Too many wrong keys, or too many sessions of one key or address.",
    501: "What this needs is not installed: pip install 'microturn[serve]'.",
    503: "The server is full, or stops.",
}
_KEY = (401, 403, 429)


class Health(BaseModel):
    """What ``/healthz`` tells."""

    status: Literal["ok"] = "ok"
    sessions: int
    model: str
    key_required: bool
    transports: list[Literal["websocket", "webrtc"]]
    recording: bool
    sees: bool


class Readiness(BaseModel):
    """What ``/readyz`` tells."""

    status: Literal["ready", "busy"]
    reason: Lack | None = None


@cache
def openapi_document() -> Json:
    """The whole document."""
    references, definitions = models_json_schema(
        [*_TYPES, (Health, "validation"), (Readiness, "validation")], ref_template=_REF + "{model}"
    )
    ref: dict[Any, Json] = {model: schema for (model, _), schema in references.items()}
    paths: dict[str, Json] = {**_for_operators(ref), **_for_sessions(ref), **_for_realtime(ref)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "microturn",
            "version": __version__,
            "description": (
                "The HTTP side of a microturn server, for the `openai` package among others. Sessions over WebSocket "
                f"begin at `{LIVE_PATH}` (GPT-Live) and `{REALTIME_PATH}` (Realtime): see docs/protocol.md."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{}, {"key": []}],
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {**definitions["$defs"], "Error": _ERROR},
        },
        "paths": {path: _with_parameters(path, item) for path, item in paths.items()},
    }


_ERROR: Json = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "type", "param"],
            "properties": {
                "code": {"type": "string", "minLength": 1, "description": "For programs."},
                "message": {"type": "string", "minLength": 1, "description": "Names the value and the remedy."},
                "type": {"enum": ["invalid_request_error", "server_error"]},
                "param": {"type": ["string", "null"]},
            },
        }
    },
}


def _for_operators(ref: dict[Any, Json]) -> Json:
    ready, busy = _json("There is room.", ref[Readiness]), _json("It would be refused now.", ref[Readiness])
    return {
        "/healthz": _get(
            "health", "Whether the process lives, and what it offers.", {200: _json("It does.", ref[Health])}
        ),
        "/readyz": _get("readiness", "Whether another session can begin.", {200: ready, 503: busy}),
        "/metrics": _get(
            "metrics",
            "Figures for Prometheus. A key needs the right metrics.",
            {200: _answer("The figures.", "text/plain", {"type": "string"})},
            *_KEY,
            501,
        ),
        OPENAPI_PATH: _get("openapi", "This document.", {200: _json("It.", {"type": "object"})}),
    }


def _for_sessions(ref: dict[Any, Json]) -> Json:
    opened = {201: _json("The session's id, and the answer to the offer.", ref[LiveCreateResponse])}
    refusals = (400, *_KEY, 413, 501, 503)
    return {
        LIVE_PATH: _post(
            "createSession",
            "Begin a session over WebRTC.",
            opened,
            *refusals,
            body=_body("application/json", _offer(ref[SessionConfig], "session")),
        ),
        f"{ONE_PATH}/fork": _post(
            "forkSession",
            "Begin a session over WebRTC that knows all that another one knows. A key needs the right control.",
            opened,
            *refusals,
            404,
            body=_body("application/json", _offer(ref[ForkSessionConfig])),
        ),
        f"{ONE_PATH}/hangup": _post(
            "hangUp",
            "End a session that a client holds. A key needs the right control.",
            {200: {"description": "It ends."}},
            404,
            *_KEY,
        ),
        **_not_served(ONE_PATH, TELEPHONY, "Session"),
        f"{ONE_PATH}/content": _get("content", "Recordings are not handed out.", {}, 400),
    }


def _for_realtime(ref: dict[Any, Json]) -> Json:
    form = {
        "type": "object",
        "required": ["sdp"],
        "properties": {"sdp": {"type": "string"}, "session": ref[RealtimeSessionCreateRequest]},
    }
    call = {
        "description": "The answer to the offer.",
        "content": {"application/sdp": {"schema": {"type": "string"}}},
        "headers": {"location": {"description": "Where the call is.", "required": True, "schema": {"type": "string"}}},
    }
    content = {"multipart/form-data": {"schema": form}, "application/sdp": {"schema": {"type": "string"}}}
    return {
        SECRETS_PATH: _post(
            "createSecret",
            "Make a secret for a browser or a phone. A key needs the right mint.",
            {200: _json("The secret.", ref[ClientSecretCreateResponse])},
            400,
            *_KEY,
            413,
            body={"required": False, "content": {"application/json": {"schema": ref[SecretRequest]}}},
        ),
        CALLS_PATH: _post(
            "createCall",
            "Begin a Realtime session over WebRTC.",
            {201: call},
            400,
            *_KEY,
            413,
            501,
            503,
            body={"required": True, "content": content},
        ),
        **_not_served(ONE_CALL_PATH, (*TELEPHONY, "hangup"), "Call"),
    }


def _not_served(path: str, verbs: tuple[str, ...], name: str) -> Json:
    return {f"{path}/{verb}": _post(f"{verb}{name}", "Telephony is not served.", {}, 400) for verb in verbs}


def _offer(session: Json, *required: str) -> Json:
    transport = {
        "type": "object",
        "required": ["type", "sdp"],
        "properties": {"type": {"const": "webrtc"}, "sdp": {"type": "string", "description": "An SDP offer."}},
    }
    return {
        "type": "object",
        "required": ["transport", *required],
        "properties": {"session": session, "transport": transport},
    }


def _with_parameters(path: str, item: Json) -> Json:
    names = re.findall(r"{(\w+)}", path)
    schema = {"type": "string", "minLength": 1}
    parameters = [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]
    return {**item, "parameters": parameters} if parameters else item


def _get(operation_id: str, summary: str, answers: dict[int, Json], *refusals: int) -> Json:
    return {"get": _operation(operation_id, summary, answers, refusals)}


def _post(operation_id: str, summary: str, answers: dict[int, Json], *refusals: int, body: Json | None = None) -> Json:
    operation = _operation(operation_id, summary, answers, refusals)
    return {"post": operation if body is None else {**operation, "requestBody": body}}


def _operation(operation_id: str, summary: str, answers: dict[int, Json], refusals: tuple[int, ...]) -> Json:
    refused = {status: _json(_REFUSALS[status], {"$ref": f"{_REF}Error"}) for status in refusals}
    by_status = {str(status): answer for status, answer in sorted({**answers, **refused}.items())}
    return {"operationId": operation_id, "summary": summary, "responses": by_status}


def _body(media_type: str, schema: Json) -> Json:
    return {"required": True, "content": {media_type: {"schema": schema}}}


def _json(description: str, schema: Json) -> Json:
    return _answer(description, "application/json", schema)


def _answer(description: str, media_type: str, schema: Json) -> Json:
    return {"description": description, "content": {media_type: {"schema": schema}}}
