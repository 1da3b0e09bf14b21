"""The web application: the live protocols, the page, secrets for clients, and what operators look at."""

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from microturn.server.access import Access, Refusal
from microturn.server.connection import hold_connection
from microturn.server.fork import hold_fork
from microturn.server.gate import Gate
from microturn.server.keys import Holder, Right
from microturn.server.live_server import LiveServer
from microturn.server.offers import answer_offer, answer_realtime_offer
from microturn.server.openapi import Health, Readiness, openapi_document
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
from microturn.server.realtime.connection import hold_realtime
from microturn.server.responses import error_response
from microturn.server.secrets_route import make_secret
from microturn.server.session_routes import hang_up, not_found, refuse_recording, refuse_telephony
from microturn.server.sideband import hold_sideband
from microturn.server.vacancy import Vacancy

PAGE_FOLDER = Path(__file__).parent / "page"

_TOO_MANY_FOLLOWERS = Refusal(
    status=429, code="too_many_connections", message="too many clients have attached to this session: end one first"
)
_PAGE_HEADERS = {
    # Everything comes from this server, and nothing is inline but the pictures within an answer.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "permissions-policy": "microphone=(self), camera=(self)",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}


def create_app(live: LiveServer, access: Access) -> Starlette:
    """The application around a server's shared state."""

    gate = Gate(live, access)
    vacancy = Vacancy(live)

    async def hold(
        websocket: WebSocket, hold_session: Callable[[Holder], Awaitable[None]], right: Right = Right.CONNECT
    ) -> None:
        holder = gate.check_session(websocket, right)
        if isinstance(holder, Refusal):
            await websocket.send_denial_response(_denial(holder))
            return
        with gate.stay(websocket, holder):
            await hold_session(holder)

    async def hold_live(websocket: WebSocket) -> None:
        await hold(websocket, lambda holder: hold_connection(live, websocket, holder.name))

    async def hold_turn_based(websocket: WebSocket) -> None:
        await hold(websocket, lambda holder: hold_realtime(live, websocket))

    async def attach(websocket: WebSocket) -> None:
        async def follow(holder: Holder) -> None:
            entry = live.directory.find(websocket.path_params["session_id"], holder.name)
            if entry is None or entry.session is None:
                await websocket.send_denial_response(not_found())
            elif entry.session.audience.is_full:
                await websocket.send_denial_response(_denial(_TOO_MANY_FOLLOWERS))
            else:
                await hold_sideband(live, websocket, entry.session)

        await hold(websocket, follow, Right.CONTROL)

    async def fork(websocket: WebSocket) -> None:
        async def go_on(holder: Holder) -> None:
            entry = live.directory.find(websocket.path_params["session_id"], holder.name)
            if entry is None:
                await websocket.send_denial_response(not_found())
            else:
                await hold_fork(live, websocket, entry)

        await hold(websocket, go_on, Right.CONTROL)

    async def counted(request: Request, holder: Holder, answer: Callable[[ExitStack], Awaitable[Response]]) -> Response:
        """Answer an offer: it counts as a connection from its first byte until its call is over."""
        stay = ExitStack()
        stay.enter_context(gate.stay(request, holder))
        try:
            response = await answer(stay)
        except BaseException:
            stay.close()
            raise
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            stay.close()
        return response

    async def create_live(request: Request) -> Response:
        holder = gate.check_session(request)
        if isinstance(holder, Refusal):
            return _denial(holder)
        return await counted(request, holder, lambda stay: answer_offer(live, request, stay, holder.name))

    async def create_call(request: Request) -> Response:
        holder = gate.check_session(request)
        if isinstance(holder, Refusal):
            return _denial(holder)
        return await counted(request, holder, lambda stay: answer_realtime_offer(live, request, stay, CALLS_PATH))

    async def create_fork(request: Request) -> Response:
        holder = gate.check_session(request, Right.CONTROL)
        if isinstance(holder, Refusal):
            return _denial(holder)
        origin = live.directory.find(request.path_params["session_id"], holder.name)
        if origin is None:
            return not_found()
        return await counted(request, holder, lambda stay: answer_offer(live, request, stay, holder.name, origin))

    async def end_session(request: Request) -> Response:
        holder = gate.check(request, Right.CONTROL)
        if isinstance(holder, Refusal):
            return _denial(holder)
        entry = live.directory.find(request.path_params["session_id"], holder.name)
        return not_found() if entry is None else hang_up(entry)

    async def create_secret(request: Request) -> Response:
        holder = gate.check(request, Right.MINT)
        return (
            _denial(holder)
            if isinstance(holder, Refusal)
            else await make_secret(access, holder, live.offer.model, request)
        )

    async def report_metrics(request: Request) -> Response:
        holder = gate.check(request, Right.METRICS)
        if isinstance(holder, Refusal):
            return _denial(holder)
        if live.metrics is None:
            return error_response(501, "unsupported", "metrics are not installed: pip install 'microturn[serve]'")
        return Response(await live.metrics.report(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def report_readiness(request: Request) -> JSONResponse:
        lack = await vacancy.lack()
        told = Readiness(status="busy" if lack else "ready", reason=lack)
        return JSONResponse(told.model_dump(exclude_none=True), status_code=503 if lack else 200)

    async def report_health(request: Request) -> JSONResponse:
        told = Health(
            sessions=len(live.sessions),
            model=live.offer.model,
            key_required=access.needs_key,
            transports=_transports(),
            recording=live.offer.is_recorded,
            sees=live.offer.can_see,
        )
        return JSONResponse(told.model_dump())

    async def describe(request: Request) -> JSONResponse:
        return JSONResponse(openapi_document())

    return Starlette(
        routes=[
            Route("/healthz", report_health),
            Route("/readyz", report_readiness),
            Route("/metrics", report_metrics),
            Route(OPENAPI_PATH, describe),
            Route(SECRETS_PATH, create_secret, methods=["POST"]),
            WebSocketRoute(LIVE_PATH, hold_live),
            Route(LIVE_PATH, create_live, methods=["POST"]),
            WebSocketRoute(f"{ONE_PATH}/attach", attach),
            WebSocketRoute(f"{ONE_PATH}/fork", fork),
            Route(f"{ONE_PATH}/fork", create_fork, methods=["POST"]),
            Route(f"{ONE_PATH}/hangup", end_session, methods=["POST"]),
            *(Route(f"{ONE_PATH}/{verb}", refuse_telephony, methods=["POST"]) for verb in TELEPHONY),
            Route(f"{ONE_PATH}/content", refuse_recording),
            Route(CALLS_PATH, create_call, methods=["POST"]),
            *(Route(f"{ONE_CALL_PATH}/{verb}", refuse_telephony, methods=["POST"]) for verb in (*TELEPHONY, "hangup")),
            WebSocketRoute(REALTIME_PATH, hold_turn_based),
            Mount("/", StaticFiles(directory=PAGE_FOLDER, html=True)),
        ],
        middleware=[Middleware(_PageHeaders)],
        exception_handlers={HTTPException: _misdirected},
    )


def _denial(refusal: Refusal) -> JSONResponse:
    return error_response(refusal.status, refusal.code, refusal.message)


async def _misdirected(request: Request, error: Exception) -> Response:
    """No such path, or not in this way: an error in the form of all others."""
    assert isinstance(error, HTTPException), "registered for these"
    is_path = error.status_code == HTTPStatus.NOT_FOUND
    code, message = (
        ("not_found", "nothing is served here") if is_path else ("not_allowed", "not served here in this way")
    )
    response = error_response(error.status_code, code, f"{message}: see {OPENAPI_PATH} and docs/protocol.md")
    response.headers.update(error.headers or {})
    return response


def _transports() -> list[Literal["websocket", "webrtc"]]:
    """What clients can connect over: WebRTC where its package is installed."""
    has_webrtc = find_spec("microturn.server.webrtc") is not None and find_spec("aiortc") is not None
    return ["websocket", "webrtc"] if has_webrtc else ["websocket"]


class _PageHeaders:
    """Adds the security headers to every HTTP response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(name.encode(), value.encode()) for name, value in _PAGE_HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *extra]
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)
