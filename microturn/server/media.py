"""Sound and pictures on tracks of their own, as a session sees them."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from microturn.errors import ProtocolError
from microturn.server.ingest import AudioIngest, FrameIngest
from microturn.turns.video import VideoFrame


class SoundSink(Protocol):
    """Where sound goes that does not go out in messages."""

    @property
    def buffered_ms(self) -> float:
        """Sound that has not left yet."""
        ...

    def play(self, samples: NDArray[np.float32] | None) -> None:
        """Append one micro-turn's sound (4800,) at 24 kHz; None for silence."""
        ...

    def clear(self) -> None:
        """Drop what has not left."""
        ...


class Senses(Protocol):
    """A session's side of the tracks."""

    @property
    def audio(self) -> AudioIngest:
        """Where its media time stands."""
        ...

    @property
    def frames(self) -> FrameIngest:
        """Which pictures it takes."""
        ...

    async def hear(self, samples: NDArray[np.float32]) -> None:
        """Take in sound (num_samples,) at the rate of the track.

        Raises:
            ProtocolError: too far ahead of real time.
        """
        ...

    def see(self, frame: VideoFrame) -> None:
        """Take in a picture."""
        ...

    def object_to(self, error: ProtocolError) -> None:
        """Tell the client what is wrong with its sound or pictures.

        Raises:
            ClientGoneError, ClientMisbehavesError: as ``Wire.refuse``.
        """
        ...


class Media(Protocol):
    """The tracks of one session."""

    @property
    def voice(self) -> SoundSink:
        """Where the model's speech goes."""
        ...

    async def listen(self, senses: Senses) -> None:
        """Hand the user's sound on, for ever."""
        ...

    async def look(self, senses: Senses) -> None:
        """Hand pictures on, for ever."""
        ...
