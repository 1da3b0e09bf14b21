"""A TURN server in miniature (RFC 8656, over UDP, long-term credentials), so that calls through a relay can be tested.

It allocates, binds channels, refreshes and relays. What a public server needs beside that (quotas, permissions that
expire, TCP, IPv6) it leaves out: run coturn or the like in production.
"""

import asyncio
import secrets
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aioice import stun
from aioice.stun import Class, Message, Method
from aioice.turn import is_channel_data, make_integrity_key

_REALM = "microturn.test"
_LIFETIME_S = 600
_CHANNEL_HEADER = struct.Struct("!HH")

HostPort = tuple[str, int]


@dataclass(kw_only=True)
class TurnRelay:
    """A relay that runs: give ``url`` to a peer as its ICE server."""

    url: str = ""
    num_to_peers: int = 0
    """Datagrams passed on from clients to those they talk to."""
    num_from_peers: int = 0
    """And back."""
    num_refused: int = 0
    """Requests without the right login."""
    allocations: dict[HostPort, "_Allocation"] = field(default_factory=dict[HostPort, "_Allocation"])
    """By the client's address."""


@dataclass(kw_only=True)
class _Allocation:
    """An address of the relay's, lent to a client."""

    transport: asyncio.DatagramTransport
    peers: dict[int, HostPort] = field(default_factory=dict[int, HostPort])
    """By channel."""

    @property
    def address(self) -> HostPort:
        return self.transport.get_extra_info("sockname")[:2]

    def channel_of(self, peer: HostPort) -> int | None:
        return next((channel for channel, bound in self.peers.items() if bound == peer), None)


@asynccontextmanager
async def turn_relay(
    *, user: str = "user", password: str = "secret", lent_host: str = "127.0.0.1"
) -> AsyncGenerator[TurnRelay, None]:
    """A relay on this machine that asks for a login.

    Args:
        lent_host: Where the addresses lie that it lends: one of this machine's that peers can reach, for a socket that
            is bound to another does not reach 127.0.0.1.
    """
    relay = TurnRelay()
    server = _Server(relay, lent_host, user, make_integrity_key(user, _REALM, password))
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", 0))
    relay.url = f"turn:{user}:{password}@127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    try:
        yield relay
    finally:
        for allocation in relay.allocations.values():
            allocation.transport.close()
        transport.close()


class _Server(asyncio.DatagramProtocol):
    """The socket that clients talk to."""

    def __init__(self, relay: TurnRelay, lent_host: str, user: str, key: bytes) -> None:
        self.relay = relay
        self._lent_host = lent_host
        self._user, self._key = user, key
        self._nonce = secrets.token_hex(8).encode()
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: HostPort) -> None:
        if len(data) >= _CHANNEL_HEADER.size and is_channel_data(data):
            self._pass_on(data, addr)
            return
        try:
            request = stun.parse_message(data)
        except ValueError:
            return
        if request.message_class is Class.REQUEST:
            task = asyncio.get_running_loop().create_task(self._answer(request, addr))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def from_peer(self, data: bytes, peer: HostPort, client: HostPort) -> None:
        """What comes in at a lent address goes to its client, if it wanted to hear from there."""
        allocation = self.relay.allocations[client]
        channel = allocation.channel_of(peer)
        if channel is not None:
            self.relay.num_from_peers += 1
            self._transport.sendto(_CHANNEL_HEADER.pack(channel, len(data)) + data, client)
        elif any(bound[0] == peer[0] for bound in allocation.peers.values()):
            self.relay.num_from_peers += 1
            attributes = {"XOR-PEER-ADDRESS": peer, "DATA": data}
            self._transport.sendto(bytes(Message(Method.DATA, Class.INDICATION, attributes=attributes)), client)

    def _pass_on(self, data: bytes, client: HostPort) -> None:
        channel, length = _CHANNEL_HEADER.unpack_from(data)
        allocation = self.relay.allocations.get(client)
        if allocation is not None and channel in allocation.peers:
            self.relay.num_to_peers += 1
            start = _CHANNEL_HEADER.size
            allocation.transport.sendto(data[start : start + length], allocation.peers[channel])

    async def _answer(self, request: Message, client: HostPort) -> None:
        given = request.attributes
        if given.get("USERNAME") != self._user or not request.check_message_integrity(self._key):
            self.relay.num_refused += 1
            login = {"ERROR-CODE": (401, "Unauthorized"), "NONCE": self._nonce, "REALM": _REALM}
            refusal = Message(request.message_method, Class.ERROR, request.transaction_id, login)
            self._transport.sendto(bytes(refusal), client)
            return
        answer = Message(request.message_method, Class.RESPONSE, request.transaction_id, {})
        match request.message_method:
            case Method.ALLOCATE:
                allocation = self.relay.allocations.get(client) or await self._allocate(client)
                answer.attributes["XOR-RELAYED-ADDRESS"] = allocation.address
                answer.attributes["XOR-MAPPED-ADDRESS"] = client
                answer.attributes["LIFETIME"] = _LIFETIME_S
            case Method.REFRESH:
                answer.attributes["LIFETIME"] = min(_LIFETIME_S, given.get("LIFETIME", _LIFETIME_S))
                if not answer.attributes["LIFETIME"] and (ended := self.relay.allocations.pop(client, None)):
                    ended.transport.close()
            case Method.CHANNEL_BIND if client in self.relay.allocations:
                self.relay.allocations[client].peers[given["CHANNEL-NUMBER"]] = given["XOR-PEER-ADDRESS"]
            case _:
                answer.message_class = Class.ERROR
                answer.attributes["ERROR-CODE"] = (400, "Bad Request")
        answer.add_message_integrity(self._key)
        self._transport.sendto(bytes(answer), client)

    async def _allocate(self, client: HostPort) -> _Allocation:
        server = self

        class Lent(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: HostPort) -> None:
                server.from_peer(data, addr[:2], client)

        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Lent, local_addr=(self._lent_host, 0))
        self.relay.allocations[client] = _Allocation(transport=transport)
        return self.relay.allocations[client]
