"""A WebRTC data channel as the carrier of a session's messages."""

import asyncio

from aiortc import RTCDataChannel

from microturn.server.admission import UNLIMITED, Allowance
from microturn.server.channel import ClientGoneError

_MAX_WAITING_MESSAGES = 1_024
"""Messages not read yet; more end the connection, as a WebSocket's limits would."""
_MAX_BUFFERED_BYTES = 1_000_000
_LOW_BUFFERED_BYTES = 100_000


class DataChannel:
    """The channel that the client opens; messages that come before it is read wait."""

    def __init__(self, allowance: Allowance = UNLIMITED) -> None:
        self.allowance = allowance
        self._incoming: asyncio.Queue[str | bytes | None] = asyncio.Queue(_MAX_WAITING_MESSAGES + 1)
        self._channel: RTCDataChannel | None = None
        self._has_drained = asyncio.Event()
        self._is_closed = False
        self.opened = asyncio.Event()
        """Set once there is a channel, or will never be one."""

    def attach(self, channel: RTCDataChannel) -> None:
        """Bind the client's channel; a second one is ignored."""
        if self._channel is not None:
            return
        self._channel = channel
        channel.bufferedAmountLowThreshold = _LOW_BUFFERED_BYTES
        channel.on("message", self._take)
        channel.on("close", self.close)
        channel.on("bufferedamountlow", self._has_drained.set)
        self.opened.set()

    def close(self) -> None:
        """The other side is gone."""
        if not self._is_closed:
            self._is_closed = True
            if self._incoming.full():
                self._incoming.get_nowait()
            self._incoming.put_nowait(None)
            self._has_drained.set()
            self.opened.set()

    @property
    def is_open(self) -> bool:
        """Whether messages can go both ways."""
        return self._channel is not None and not self._is_closed

    async def receive(self) -> str | None:
        message = await self._incoming.get()
        if message is None:
            raise ClientGoneError
        return message if isinstance(message, str) else None

    async def send(self, text: str) -> None:
        if self._channel is None or self._is_closed or self._channel.readyState != "open":
            raise ClientGoneError
        self._channel.send(text)
        while self._channel.bufferedAmount > _MAX_BUFFERED_BYTES:
            self._has_drained.clear()
            await self._has_drained.wait()
            if self._is_closed:
                raise ClientGoneError

    def _take(self, message: str | bytes) -> None:
        if self._incoming.qsize() >= _MAX_WAITING_MESSAGES:
            self.close()
        elif not self._is_closed:
            self._incoming.put_nowait(message)
