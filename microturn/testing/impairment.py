"""A bad network between two programs of one machine, the same one every time: a seeded relay for UDP and for TCP.

Datagrams are lost, delayed each by its own amount (and so reordered), and held up in stalls. A byte stream loses
nothing: it is delayed, held up in stalls, and may be cut. No privileges and no kernel module are needed.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_MAX_PIECE_BYTES = 16_384


@dataclass(frozen=True, kw_only=True)
class Impairment:
    """What a network does to what passes."""

    loss: float = 0.0
    """Share of datagrams that vanish."""
    delay_ms: float = 0.0
    """What everything waits."""
    jitter_ms: float = 0.0
    """What each piece may wait on top; datagrams overtake each other, bytes do not."""
    seed: int = 0


@dataclass(kw_only=True)
class Link:
    """A relay that runs: ``port`` on this machine leads to the target."""

    port: int
    impairment: Impairment
    """May be changed while it runs."""
    num_passed: int = 0
    num_lost: int = 0
    _is_open: asyncio.Event = field(default_factory=asyncio.Event)
    writers: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])

    def stall(self) -> None:
        """Hold everything up until ``resume``."""
        self._is_open.clear()

    def resume(self) -> None:
        """Let everything pass again, what was held up first."""
        self._is_open.set()

    def cut(self) -> None:
        """Break every connection; new ones may be made."""
        for writer in self.writers:
            writer.transport.abort()

    async def hold(self, wait_ms: float) -> None:
        """Wait so long, and for the end of a stall."""
        await asyncio.sleep(wait_ms / 1000)
        await self._is_open.wait()


@asynccontextmanager
async def impaired_tcp(host: str, port: int, impairment: Impairment) -> AsyncGenerator[Link, None]:
    """Relay connections to a target."""
    noise = random.Random(impairment.seed)
    link = Link(port=0, impairment=impairment)
    link.resume()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_MAX_PIECE_BYTES):
                await link.hold(link.impairment.delay_ms + noise.random() * link.impairment.jitter_ms)
                writer.write(data)
                await writer.drain()
                link.num_passed += 1
            if writer.can_write_eof():
                writer.write_eof()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, port)
        link.writers |= {writer, far_writer}
        try:
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        finally:
            link.writers -= {writer, far_writer}
            for each in (writer, far_writer):
                each.close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    link.port = server.sockets[0].getsockname()[1]
    try:
        yield link
    finally:
        link.cut()
        server.close()


@asynccontextmanager
async def impaired_udp(
    host: str, port: int, impairment: Impairment, *, local_host: str = "127.0.0.1"
) -> AsyncGenerator[Link, None]:
    """Relay datagrams to a target, and its answers to whoever sent last.

    Args:
        local_host: Address of this machine to be reached at, where the sender's socket cannot reach the usual one.
    """
    loop = asyncio.get_running_loop()
    link = Link(port=0, impairment=impairment)
    link.resume()
    noise = random.Random(impairment.seed)
    tasks: set[asyncio.Task[None]] = set()
    near_address: list[tuple[str, int]] = []

    async def pass_on(data: bytes, transport: asyncio.DatagramTransport, address: tuple[str, int] | None) -> None:
        await link.hold(link.impairment.delay_ms + noise.random() * link.impairment.jitter_ms)
        if not transport.is_closing():
            transport.sendto(data, address)
            link.num_passed += 1

    def take(data: bytes, transport: asyncio.DatagramTransport, address: tuple[str, int] | None) -> None:
        if noise.random() < link.impairment.loss:
            link.num_lost += 1
            return
        task = loop.create_task(pass_on(data, transport, address))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    class Near(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            near_address[:] = [addr]
            take(data, far, None)

    class Far(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            if near_address:
                take(data, near, near_address[0])

    far, _ = await loop.create_datagram_endpoint(Far, remote_addr=(host, port))
    near, _ = await loop.create_datagram_endpoint(Near, local_addr=(local_host, 0))
    link.port = near.get_extra_info("sockname")[1]
    try:
        yield link
    finally:
        for task in list(tasks):
            task.cancel()
        near.close()
        far.close()
