"""The local microphone and speaker, through PortAudio. Needs the extra ``microturn[talk]``."""

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import ExitStack
from types import ModuleType, TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microturn.client.echo_gate import EchoGate
from microturn.client.live_client import WIRE_HZ
from microturn.client.pacing import CHUNK_SAMPLES
from microturn.client.speaker_buffer import SpeakerBuffer
from microturn.errors import MediaError, MissingDependencyError

_MAX_WAITING_CHUNKS = 50
"""Two seconds of the microphone; when nobody takes them, the oldest goes."""


def load_sounddevice() -> ModuleType:
    """The library, imported when it is needed.

    Raises:
        MissingDependencyError: it, or the PortAudio beneath it, is not installed.
    """
    try:
        return importlib.import_module("sounddevice")
    except ImportError:
        raise MissingDependencyError(
            "the microphone needs the package sounddevice: pip install 'microturn[talk]'"
        ) from None
    except OSError:
        raise MissingDependencyError(
            "the microphone needs PortAudio: apt-get install libportaudio2 (Debian), brew install portaudio (macOS)"
        ) from None


class SoundCard:
    """A microphone and a speaker at the wire's rate; a context manager, inside a running event loop.

    Args:
        input_device, output_device: number or part of a name, as ``microturn doctor`` lists them; the system's choice
            unless given.
        gate: shuts the microphone to the speaker's echo; None where none reaches it.
    """

    def __init__(
        self, input_device: str | None = None, output_device: str | None = None, gate: EchoGate | None = None
    ) -> None:
        self._sounddevice = load_sounddevice()
        self._devices = (_device(input_device), _device(output_device))
        self._loop = asyncio.get_running_loop()
        self._heard: asyncio.Queue[NDArray[np.float32]] = asyncio.Queue(_MAX_WAITING_CHUNKS)
        self._streams = ExitStack()
        self._gate = gate
        self.speaker = SpeakerBuffer(WIRE_HZ)
        """What is to be played."""

    def __enter__(self) -> "SoundCard":
        """Open both directions.

        Raises:
            MediaError: no such device, or it is busy.
        """
        shape = {"samplerate": WIRE_HZ, "channels": 1, "dtype": "float32", "blocksize": CHUNK_SAMPLES}
        library, (microphone, speaker) = self._sounddevice, self._devices
        try:
            self._streams.enter_context(library.OutputStream(device=speaker, callback=self._play, **shape))
            self._streams.enter_context(library.InputStream(device=microphone, callback=self._listen, **shape))
        except (library.PortAudioError, ValueError) as error:
            self._streams.close()
            raise MediaError(
                f"the microphone or the speaker cannot be opened ({error}): `microturn doctor` lists what there is; "
                "choose with --input and --output, or play a file with --file"
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._streams.close()

    async def heard(self) -> AsyncIterator[NDArray[np.float32]]:
        """What the microphone hears from now on, (num_samples,) a piece, for ever."""
        while not self._heard.empty():
            self._heard.get_nowait()
        while True:
            yield await self._heard.get()

    def _listen(self, block: NDArray[np.float32], num_frames: int, time: Any, status: Any) -> None:
        """PortAudio's thread: hand a copy to the event loop."""
        self._loop.call_soon_threadsafe(self._take_in, block[:, 0].copy())

    def _take_in(self, samples: NDArray[np.float32]) -> None:
        if self._heard.full():
            self._heard.get_nowait()
        self._heard.put_nowait(samples if self._gate is None else self._gate.passed(samples))

    def _play(self, block: NDArray[np.float32], num_frames: int, time: Any, status: Any) -> None:
        """PortAudio's thread: fill the block."""
        samples = self.speaker.take(num_frames)
        block[:, 0] = samples
        if self._gate is not None:
            self._loop.call_soon_threadsafe(self._gate.played, samples)


def _device(name: str | None) -> int | str | None:
    return int(name) if name is not None and name.isdigit() else name
