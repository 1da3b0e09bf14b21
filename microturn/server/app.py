"""The web application: the live WebSocket, the page, and a health check."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from microturn.server.access import Access, Refusal
from microturn.server.connection import hold_connection
from microturn.server.live_server import LiveServer
from microturn.server.log import log_event
from microturn.server.offers import answer_offer
from microturn.server.realtime.connection import hold_realtime
from microturn.server.responses import error_response

LIVE_PATH = "/v1/live/sessions"
REALTIME_PATH = "/v1/realtime"
PAGE_FOLDER = Path(__file__).parent / "page"

_PAGE_HEADERS = {
    # Everything comes from this server, and nothing is inline.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "permissions-policy": "microphone=(self), camera=(self)",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}


def create_app(live: LiveServer, access: Access) -> Starlette:
    """The application around a server's shared state."""

    def refusal_of(connection: HTTPConnection) -> Refusal | None:
        refusal = access.refusal(connection)
        if refusal is None and (live.is_stopping or live.num_connections >= live.limits.max_connections):
            return Refusal(status=503, code="too_many_connections", message="the server is full: try again later")
        return refusal

    async def admit(websocket: WebSocket) -> bool:
        refusal = refusal_of(websocket)
        if refusal is not None:
            log_event("connection refused", code=refusal.code)
            await websocket.send_denial_response(_denial(refusal))
        return refusal is None

    async def hold_live(websocket: WebSocket) -> None:
        if await admit(websocket):
            await hold_connection(live, websocket)

    async def hold_turn_based(websocket: WebSocket) -> None:
        if await admit(websocket):
            await hold_realtime(live, websocket)

    async def create_live(request: Request) -> Response:
        refusal = refusal_of(request)
        if refusal is not None:
            log_event("connection refused", code=refusal.code)
            return _denial(refusal)
        return await answer_offer(live, request)

    async def report_health(request: Request) -> JSONResponse:
        return JSONResponse(
            {
                "status": "ok",
                "sessions": len(live.sessions),
                "model": live.offer.model,
                "key_required": bool(access.key),
            }
        )

    return Starlette(
        routes=[
            Route("/healthz", report_health),
            WebSocketRoute(LIVE_PATH, hold_live),
            Route(LIVE_PATH, create_live, methods=["POST"]),
            WebSocketRoute(REALTIME_PATH, hold_turn_based),
            Mount("/", StaticFiles(directory=PAGE_FOLDER, html=True)),
        ],
        middleware=[Middleware(_PageHeaders)],
    )


def _denial(refusal: Refusal) -> JSONResponse:
    return error_response(refusal.status, refusal.code, refusal.message)


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
