"""One connection as a stream of checked client events in, and a bounded outbox of server events out."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from openai.types.live import DataChannelConfig, InfoEvent, ResponseEvent
from pydantic import BaseModel

from microturn.clock import Clock
from microturn.errors import ProtocolError
from microturn.protocol.extensions import JobEvent, TurnEvent
from microturn.protocol.live import ClientEvent, ForkClientEvent, to_json
from microturn.protocol.parse import error_event, parse_client_event, parse_fork_event
from microturn.protocol.realtime import RealtimeClientEvent, parse_realtime_event, realtime_error_event
from microturn.server.admission import UNLIMITED, Allowance, Good
from microturn.server.channel import Channel, ClientGoneError
from microturn.server.limits import Limits, MessageRate

Event = TypeVar("Event")

POLICY_VIOLATION = 1008
SERVER_ERROR = 1011
TRY_AGAIN_LATER = 1013
GOING_AWAY = 1001
NORMAL = 1000


class ClientMisbehavesError(Exception):
    """The other side broke a rule that ends its connection; it has been told."""


@dataclass(frozen=True, kw_only=True)
class Dialect(Generic[Event]):
    """A protocol, as far as the wire must know it."""

    parse: Callable[[str, int], Event]
    """From a message's text and the limit of its length; raises ProtocolError."""
    error: Callable[[ProtocolError, str, str], BaseModel]
    """From an error, the id of the event and the error's category."""


LIVE: Dialect[ClientEvent] = Dialect(parse=parse_client_event, error=error_event)
FORK: Dialect[ForkClientEvent] = Dialect(parse=parse_fork_event, error=error_event)
REALTIME: Dialect[RealtimeClientEvent] = Dialect(parse=parse_realtime_event, error=realtime_error_event)


class Permissions:
    """Which events an untrusted frontend may send and be sent, as GPT-Live's ``client.data_channel`` says."""

    def __init__(self, config: DataChannelConfig) -> None:
        incoming, outgoing = config.allowed_client_events, config.allowed_server_events
        self._incoming = None if incoming is None or incoming == "all" else frozenset(incoming)
        self._outgoing = (
            None
            if outgoing is None or outgoing == "all"
            else frozenset((selector.type, selector.response_event) for selector in outgoing)
        )

    def admits(self, kind: str) -> bool:
        """Whether the client may send events of a type."""
        return self._incoming is None or kind in self._incoming

    def shows(self, event: BaseModel) -> bool:
        """Whether the client may see an event."""
        nested = event.event.get("type") if isinstance(event, ResponseEvent) else None
        return self._outgoing is None or (getattr(event, "type", ""), nested) in self._outgoing


class Wire(Generic[Event]):
    """The two directions of one connection.

    Args:
        channel: Open already.
        new_event_id: Makes the ids of server events.
        allowance: What the connection shares with others; a message beyond it is refused.
    """

    def __init__(
        self,
        channel: Channel,
        dialect: Dialect[Event],
        limits: Limits,
        clock: Clock,
        new_event_id: Callable[[], str],
        allowance: Allowance = UNLIMITED,
    ) -> None:
        self._channel = channel
        self._dialect = dialect
        self._limits = limits
        self._clock = clock
        self._allowance = allowance
        self.new_event_id = new_event_id
        self.permissions: Permissions | None = None
        """What the client may send and see; everything unless set."""
        self._rate = MessageRate(limits.max_messages_per_s, limits.max_message_burst)
        self._char_rate = MessageRate(limits.max_chars_per_s, limits.max_char_burst)
        self._num_bad_in_a_row = 0
        self._is_last_bad = False
        # Full: telemetry and unfinished answers are dropped at half, and at the brim the client is taken as gone. None
        # ends the sender.
        self._outbox: asyncio.Queue[str | None] = asyncio.Queue(limits.max_outbox_events)
        self.num_dropped_turn_events = 0
        self.num_dropped_partial_answers = 0
        self.num_refused_messages = 0

    async def receive(self) -> Event:
        """The next valid event; invalid messages are answered and skipped.

        Raises:
            ClientGoneError: the connection is closed.
            ClientMisbehavesError: too many messages, or too many bad ones.
        """
        while True:
            if not self._is_last_bad:  # Also not by whoever was given it.
                self._num_bad_in_a_row = 0
            text = await self._channel.receive()
            if not self._rate.admits(self._clock.now_ns()):
                self._expel(
                    f"more than {self._limits.max_messages_per_s:.0f} messages a second: put 20-200 ms of sound in one",
                    code="rate_limit_exceeded",
                )
            if text is not None and not self._char_rate.admits(self._clock.now_ns(), len(text)):
                self._expel(
                    f"more than {self._limits.max_chars_per_s:.0f} characters a second: send smaller pictures, fewer",
                    code="rate_limit_exceeded",
                )
            try:
                self._require_share(len(text or ""))
                event = self._parsed(text)
            except ProtocolError as error:
                self.refuse(error)
                continue
            self._is_last_bad = False
            return event

    def send(self, event: BaseModel) -> None:
        """Put an event into the outbox.

        Raises:
            ClientGoneError: the outbox is full.
        """
        if self.permissions is not None and not self.permissions.shows(event):
            return
        is_half_full = self._outbox.qsize() > self._limits.max_outbox_events // 2
        if is_half_full and isinstance(event, TurnEvent):
            self.num_dropped_turn_events += 1
            return
        if is_half_full and isinstance(event, JobEvent) and event.state == "running" and event.partial:
            self.num_dropped_partial_answers += 1  # another event of the job follows, and holds all that this one does
            return
        try:
            self._outbox.put_nowait(to_json(event))
        except asyncio.QueueFull:
            raise ClientGoneError from None

    def refuse(self, error: ProtocolError) -> None:
        """Tell the client what was wrong with its message; too often in a row ends the connection.

        Sound that comes too fast does not count for that: after a stall it may come in hundreds of messages.
        """
        self.num_refused_messages += 1
        if error.code != "audio_too_fast":
            self._num_bad_in_a_row += 1
            self._is_last_bad = True
        self._send_error(error)
        if self._num_bad_in_a_row >= self._limits.max_bad_messages:
            self._expel(
                f"{self._num_bad_in_a_row} messages in a row were refused: read the errors before sending more",
                code="too_many_errors",
            )

    def inform(self, code: str, message: str) -> None:
        """Send a notice."""
        self.send(InfoEvent(type="info", event_id=self.new_event_id(), code=code, message=message))

    def fail(self, code: str, message: str) -> None:
        """Send an error that ends the session, if the client still reads."""
        with contextlib.suppress(ClientGoneError):
            self._send_error(ProtocolError(message, code=code), kind="server_error")

    def finish(self) -> None:
        """Let the sender end once the outbox is empty."""
        if self._outbox.full():
            self._outbox.get_nowait()
        self._outbox.put_nowait(None)

    @property
    def num_waiting_events(self) -> int:
        """Events that the client has not taken yet."""
        return self._outbox.qsize()

    async def run_sender(self) -> None:
        """Send what is in the outbox until ``finish``; a client that has gone is no error here."""
        while (text := await self._outbox.get()) is not None:
            try:
                await self._channel.send(text)
            except ClientGoneError:
                return

    def _require_share(self, num_chars: int) -> None:
        for good, cost in ((Good.MESSAGES, 1), (Good.CHARS, num_chars)):
            if shortage := self._allowance.shortage(good, self._clock.now_ns(), cost):
                raise shortage

    def _parsed(self, text: str | None) -> Event:
        if text is None:
            raise ProtocolError(
                "binary messages are not part of the protocol: send JSON as text, sound as base64",
                code="binary_message",
            )
        event = self._dialect.parse(text, self._limits.max_message_chars)
        kind, event_id = getattr(event, "type", ""), getattr(event, "event_id", None)
        if self.permissions is not None and not self.permissions.admits(kind):
            raise ProtocolError(
                f"{kind} is not among this data channel's allowed_client_events: send it from a trusted connection",
                code="not_permitted",
                param="type",
                client_event_id=event_id,
            )
        return event

    def _expel(self, message: str, *, code: str) -> None:
        self._send_error(ProtocolError(message, code=code))
        raise ClientMisbehavesError(code)

    def _send_error(self, error: ProtocolError, kind: str = "invalid_request_error") -> None:
        self.send(self._dialect.error(error, self.new_event_id(), kind))
