"""What carries messages: a WebSocket here, a WebRTC data channel in ``webrtc``."""

from typing import Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from microturn.server.admission import Allowance, allowance_of


class ClientGoneError(Exception):
    """The other side has vanished, or reads too slowly to be there."""


class Channel(Protocol):
    """Whole messages in both directions, in order."""

    @property
    def allowance(self) -> Allowance:
        """What it shares with the other connections of its key and address."""
        ...

    async def receive(self) -> str | None:
        """The next message's text; None stands for a binary message.

        Raises:
            ClientGoneError: it is closed.
        """
        ...

    async def send(self, text: str) -> None:
        """Send a message; waits while the other side is slow.

        Raises:
            ClientGoneError: it is closed.
        """
        ...


class WebSocketChannel:
    """An accepted WebSocket."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self.allowance = allowance_of(websocket)

    async def receive(self) -> str | None:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise ClientGoneError
        return message.get("text")

    async def send(self, text: str) -> None:
        try:
            await self._websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError):
            raise ClientGoneError from None
