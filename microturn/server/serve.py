"""Runs the application until a signal: the one function that the command line needs."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import uvicorn

from microturn.background.coordinator import Coordinator
from microturn.errors import MicroturnError
from microturn.server.access import Access
from microturn.server.app import create_app
from microturn.server.background_engine import BackgroundEngine
from microturn.server.engine_port import Counting, Engine
from microturn.server.keys import read_keys
from microturn.server.limits import Limits
from microturn.server.live_server import LiveServer
from microturn.server.session_setup import Offer

if TYPE_CHECKING:
    from microturn.server.telemetry import Metrics

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8710
_GOODBYE_WITHIN_MS = 3_000


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where a server is reached, and by whom."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    """0 takes a free one."""
    key: str | None = field(default=None, repr=False)
    """Needed from clients; without one, only this machine can be served."""
    keys: Path | None = None
    """A file of more keys, see ``microturn.server.keys``."""
    certificate: tuple[Path, Path] | None = None
    """Files of a certificate and its key (PEM): https instead of http."""
    ice_servers: tuple[str, ...] = ()
    """STUN and TURN servers for WebRTC; none is asked unless named here."""


async def serve(
    engine: Engine,
    listening: Listening | None = None,
    *,
    model: str = "nano",
    voice: str = "heart",
    background: Coordinator | None = None,
    is_recorded: bool = False,
    can_see: bool = True,
    limits: Limits | None = None,
    on_ready: Callable[[str], None] = print,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then tell the sessions, close them and return.

    Args:
        engine: Holds the model; the caller closes it afterwards.
        listening: Where and for whom; this machine alone unless given.
        background: Does what the interaction model asks for; the caller closes it. The client does, without one.
        is_recorded: The engine keeps sessions: clients are told, and show it.
        can_see: Pictures mean something to the model, or to the background's: where they do not, the page says so.
        on_ready: Called with the page's address once connections are accepted.
        stop: Set it to stop, as a signal would.

    Raises:
        ValueError: a host beyond this machine without a key.
        MicroturnError: the address cannot be listened on.
    """
    listening = listening or Listening()
    host, key, certificate = listening.host, listening.key, listening.certificate
    metrics = _new_metrics()
    counting = engine if isinstance(engine, Counting) else None
    if metrics is not None:
        engine = _observed(engine, metrics)
    live = LiveServer(
        engine=engine if background is None else BackgroundEngine(engine, background),
        offer=Offer(
            model=model,
            voice=voice,
            is_recorded=is_recorded,
            can_see=can_see,
            background=background.backend.name if background is not None else None,
            takes_instructions=background is not None and background.backend.package_policy.takes_instructions,
        ),
        counting=counting,
        limits=limits or Limits(),
        ice_servers=listening.ice_servers,
        metrics=metrics,
    )
    if metrics is not None:
        metrics.readings.watch(counting, background, lambda: live.sessions)
    holders = read_keys(listening.keys) if listening.keys else {}
    app = create_app(live, Access(host=host, key=key, holders=holders))
    _require_readable(certificate)
    listener = _listen(host, listening.port)
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            ssl_certfile=certificate[0] if certificate else None,
            ssl_keyfile=certificate[1] if certificate else None,
            # Our own limit answers with an error that says what to do; this one only cuts off.
            ws_max_size=live.limits.max_message_chars * 4,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=_GOODBYE_WITHIN_MS // 1000,
        )
    )
    stop = stop or asyncio.Event()
    with _signals_set(stop):
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve(sockets=[listener]))
            await server.listening.wait()
            on_ready(page_url(host, listener.getsockname()[1], key, is_secure=certificate is not None))
            stopping = tasks.create_task(stop.wait())
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            await _say_goodbye(live)
            server.should_exit = True


def page_url(host: str, port: int, key: str | None, *, is_secure: bool = False) -> str:
    """The address to open. The key stands after the '#', which browsers do not send."""
    name = "localhost" if host in ("0.0.0.0", "::") else host
    bracketed = f"[{name}]" if ":" in name else name
    scheme = "https" if is_secure else "http"
    return f"{scheme}://{bracketed}:{port}/" + (f"#key={quote(key, safe='')}" if key else "")


def _new_metrics() -> "Metrics | None":
    """Figures about the sessions; None where the packages for them are not installed."""
    try:
        from microturn.server.telemetry import Metrics
    except ImportError:
        return None
    return Metrics()


def _observed(engine: Engine, metrics: "Metrics") -> Engine:
    from microturn.server.telemetry import ObservedEngine

    return ObservedEngine(engine, metrics)


def _require_readable(certificate: tuple[Path, Path] | None) -> None:
    for path in certificate or ():
        if not path.is_file():
            raise MicroturnError(f"{path} is no file: give a certificate and its key as PEM, or use --self-signed")


class _Server(uvicorn.Server):
    """uvicorn's server, with signals left to us and a way to wait until it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise MicroturnError(
            f"cannot listen on {host}:{port} ({error.strerror}): choose another --port, or stop what uses it"
        ) from None


@contextlib.contextmanager
def _signals_set(stop: asyncio.Event) -> Generator[None, None, None]:
    """SIGINT and SIGTERM set the event, where the platform and the thread allow it."""
    loop = asyncio.get_running_loop()
    handled: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(number, stop.set)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


async def _say_goodbye(live: LiveServer) -> None:
    """End the sessions and wait until each has sent its last event."""
    live.stop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GOODBYE_WITHIN_MS / 1000):
            await live.wait_until_empty()
