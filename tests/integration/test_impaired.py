"""Sessions over a bad network: a stall is made up, a cut is resumed, datagrams go as the seed says."""

import asyncio

from server_harness import WatchedEngine, message, receive, receive_until, running_server, says, send_turns
from websockets.asyncio.client import connect

from microturn.testing.impairment import Impairment, impaired_tcp, impaired_udp
from microturn.testing.scripted_engine import script


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1].rstrip("/"))


async def test_what_a_stall_held_up_arrives_whole_and_in_order() -> None:
    async with (
        running_server(WatchedEngine(script([says(6, " seven")]))) as server,
        impaired_tcp("127.0.0.1", port_of(server.url), Impairment(delay_ms=5, jitter_ms=20)) as link,
        connect(f"ws://127.0.0.1:{link.port}/v1/live/sessions") as socket,
    ):
        await socket.send(message("session.start", session={"model": "nano"}))
        assert (await receive(socket))["type"] == "session.started"
        await send_turns(socket, 2)
        await receive_until(socket, "session.output_audio.delta")
        link.stall()
        await send_turns(socket, 5)
        assert len(server.engine.sessions[0].inputs) <= 2
        link.resume()
        assert (await receive_until(socket, "session.output_transcript.delta"))["delta"] == " seven"
        inputs = server.engine.sessions[0].inputs
        assert [turn.index for turn in inputs] == list(range(7))
        assert sum(turn.num_missing_samples for turn in inputs) == 0


async def test_a_cut_connection_is_taken_up_again() -> None:
    async with (
        running_server(WatchedEngine()) as server,
        impaired_tcp("127.0.0.1", port_of(server.url), Impairment()) as link,
    ):
        async with connect(f"ws://127.0.0.1:{link.port}/v1/live/sessions") as socket:
            await socket.send(message("session.start", session={"model": "nano"}))
            await socket.send(message("microturn.extensions.enable"))
            token = (await receive_until(socket, "microturn.extensions.enabled"))["resume_token"]
            await send_turns(socket, 1)
            await receive_until(socket, "microturn.turn")
            link.cut()
            assert await server.engine.parked.get() is server.engine.sessions[0]
        async with connect(f"ws://127.0.0.1:{link.port}/v1/live/sessions") as socket:
            await socket.send(message("microturn.session.resume", resume_token=token, session={"model": "nano"}))
            assert (await receive(socket))["type"] == "session.started"


class Collector(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.came = asyncio.Event()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.numbers.append(int.from_bytes(data, "big"))
        self.came.set()


async def numbers_through(impairment: Impairment, count: int) -> tuple[list[int], int]:
    loop = asyncio.get_running_loop()
    transport, collector = await loop.create_datagram_endpoint(Collector, local_addr=("127.0.0.1", 0))
    async with impaired_udp("127.0.0.1", transport.get_extra_info("sockname")[1], impairment) as link:
        sender, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("127.0.0.1", link.port))
        for number in range(count):
            sender.sendto(number.to_bytes(2, "big"))
        async with asyncio.timeout(20):
            while len(collector.numbers) + link.num_lost < count:
                collector.came.clear()
                await collector.came.wait()
        sender.close()
        transport.close()
        return collector.numbers, link.num_lost


async def test_datagrams_are_lost_and_reordered() -> None:
    numbers, num_lost = await numbers_through(Impairment(loss=0.1, jitter_ms=30, seed=3), 100)
    assert 2 <= num_lost <= 25
    assert sorted(set(numbers)) == sorted(numbers)
    assert numbers != sorted(numbers)
