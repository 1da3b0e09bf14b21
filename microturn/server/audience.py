"""Everybody who follows one session: the client that holds it, and those that have attached to it."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from openai.types.live import OutputAudioDeltaEvent
from openai.types.live.server_event import SessionInputAudioAppend
from pydantic import BaseModel

from microturn.protocol.codec import AudioCodec, to_base64
from microturn.protocol.extensions import ExtensionEvent
from microturn.protocol.live import ClientEvent
from microturn.server.channel import ClientGoneError
from microturn.server.resample import StreamingResampler
from microturn.server.wire import Wire
from microturn.turns.timing import OUT_HZ

MAX_FOLLOWERS = 8
"""Clients attached to one session."""
_REFLECTED = AudioCodec(encoding="audio/pcm", rate_hz=24_000)
"""How followers get sound, whatever the session's own format is."""


class Follower(Protocol):
    """A client that has attached."""

    def send(self, event: BaseModel) -> None:
        """Put an event into its outbox.

        Raises:
            ClientGoneError: it does not read.
        """
        ...

    def leave(self) -> None:
        """Its connection ends: the session is over, or it read too slowly."""
        ...


class Audience:
    """Hands what the session tells to everybody; each follower's troubles stay its own.

    Args:
        holder: The connection of the client that holds the session. Extensions are between it and us.
        input_hz: Rate of the session's sound as it comes in.
    """

    def __init__(self, holder: Wire[ClientEvent], input_hz: int) -> None:
        self.holder = holder
        self._followers: list[Follower] = []
        self._is_closed = False
        self._reflector = StreamingResampler(input_hz, _REFLECTED.rate_hz)

    @property
    def new_event_id(self) -> Callable[[], str]:
        """Makes the ids of server events."""
        return self.holder.new_event_id

    @property
    def is_full(self) -> bool:
        """Whether nobody more can attach."""
        return len(self._followers) >= MAX_FOLLOWERS

    def join(self, follower: Follower) -> None:
        """Attach one; to a session that has just ended or is full, it does not stay."""
        if self._is_closed or self.is_full:
            follower.leave()
        else:
            self._followers.append(follower)

    def leave(self, follower: Follower) -> None:
        """Let one go; twice does nothing."""
        if follower in self._followers:
            self._followers.remove(follower)

    def send(self, event: BaseModel) -> None:
        """Tell everybody.

        Raises:
            ClientGoneError: the holder does not read.
        """
        if not isinstance(event, ExtensionEvent):
            self._tell_followers(event)
        self.holder.send(event)

    def reflect(self, samples: NDArray[np.float32]) -> None:
        """Let followers hear the user, before any muting: (num_samples,) at the input rate."""
        if self._followers:
            sound = to_base64(_REFLECTED.encode(self._reflector.push(samples)))
            self._tell_followers(SessionInputAudioAppend(type="session.input_audio.append", audio=sound))

    def play(self, samples: NDArray[np.float32]) -> None:
        """Let followers hear the model: (4800,) at 24 kHz."""
        if self._followers:
            assert _REFLECTED.rate_hz == OUT_HZ, "followers hear the model at its own rate"
            delta = to_base64(_REFLECTED.encode(samples))
            self._tell_followers(OutputAudioDeltaEvent(type="session.output_audio.delta", delta=delta))

    def close(self, last: BaseModel | None = None) -> None:
        """The session is over: followers are told the last event, and their connections end."""
        if last is not None:
            self._tell_followers(last)
        self._is_closed = True
        for follower in self._followers:
            follower.leave()
        self._followers.clear()

    def _tell_followers(self, event: BaseModel) -> None:
        for follower in list(self._followers):
            try:
                follower.send(event)
            except ClientGoneError:
                self.leave(follower)
                follower.leave()
