"""Runs the application until a signal: the one function that the command line needs."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Generator

import uvicorn

from microturn.errors import MicroturnError
from microturn.server.access import Access
from microturn.server.app import create_app
from microturn.server.engine_port import Engine
from microturn.server.limits import Limits
from microturn.server.live_server import LiveServer
from microturn.server.session_setup import Offer

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8710
_GOODBYE_WITHIN_MS = 3_000


async def serve(
    engine: Engine,
    *,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    key: str | None = None,
    model: str = "nano",
    voice: str = "heart",
    is_recorded: bool = False,
    limits: Limits | None = None,
    on_ready: Callable[[str], None] = print,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then tell the sessions, close them and return.

    Args:
        engine: Holds the model; the caller closes it afterwards.
        port: 0 takes a free one.
        is_recorded: The engine keeps sessions: clients are told, and show it.
        key: Needed from clients; without one, only this machine can be served.
        on_ready: Called with the page's address once connections are accepted.
        stop: Set it to stop, as a signal would.

    Raises:
        ValueError: a host beyond this machine without a key.
        MicroturnError: the address cannot be listened on.
    """
    offer = Offer(model=model, voice=voice, is_recorded=is_recorded)
    live = LiveServer(engine=engine, offer=offer, limits=limits or Limits())
    app = create_app(live, Access(host=host, key=key))
    listener = _listen(host, port)
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
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
            on_ready(page_url(host, listener.getsockname()[1], key))
            stopping = tasks.create_task(stop.wait())
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            await _say_goodbye(live)
            server.should_exit = True


def page_url(host: str, port: int, key: str | None) -> str:
    """The address to open. The key stands after the '#', which browsers do not send."""
    name = "localhost" if host in ("0.0.0.0", "::") else host
    bracketed = f"[{name}]" if ":" in name else name
    return f"http://{bracketed}:{port}/" + (f"#key={key}" if key else "")


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
