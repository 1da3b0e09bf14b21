"""WAV files, written as the sound comes."""

import wave
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from microturn.errors import MediaError

_MAX_DATA_BYTES = 2**32 - 4096
"""The format counts its bytes in 32 bits."""

_HEADER_BYTES = 44


class WavWriter:
    """A 16-bit WAV file that grows; a context manager. Its header is right once it is closed.

    Leaving it raises MediaError when the disk is full, unless another error is under way.

    Args:
        path: Where to write; see ``replacing`` for a file that is never seen half-written.
        rate_hz: Samples a second.
        num_channels: 1, or 2 for left and right.
    """

    def __init__(self, path: Path, *, rate_hz: int, num_channels: int = 1) -> None:
        self._path = path
        self._num_channels = num_channels
        self._num_bytes = 0
        try:
            self._raw = path.open("wb")
        except OSError as error:
            raise MediaError(f"{path} cannot be written ({error.strerror}): choose another folder") from error
        self._file = wave.open(self._raw, "wb")  # noqa: SIM115  (closed by __exit__)
        self._file.setnchannels(num_channels)
        self._file.setsampwidth(2)
        self._file.setframerate(rate_hz)

    def __enter__(self) -> "WavWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            with self._raw:
                self._file.close()
        except OSError as failure:
            if error is None:  # Otherwise that is what is told.
                raise self._no_room(failure) from failure

    def write(self, *channels: NDArray[np.int16]) -> None:
        """Append samples: one array (num_samples,) for each channel, all of one length.

        Raises:
            MediaError: the disk is full, or the file would outgrow the format.
        """
        assert len(channels) == self._num_channels, f"{len(channels)} channels for a file of {self._num_channels}"
        data = np.stack(channels, axis=1).astype("<i2", copy=False).tobytes()
        self._num_bytes += len(data)
        if self._num_bytes > _MAX_DATA_BYTES:
            raise MediaError(f"{self._path} would outgrow the 4 GiB of a WAV file: run the recording in parts")
        try:
            self._file.writeframesraw(data)
        except OSError as error:
            raise self._no_room(error) from error

    def _no_room(self, error: OSError) -> MediaError:
        return MediaError(f"{self._path} cannot be written ({error.strerror}): make room on the disk")


def read_wav(path: Path) -> NDArray[np.int16]:
    """Samples (num_samples, num_channels) of a file by ``WavWriter``, read from the disk as they are used."""
    with wave.open(str(path)) as file:
        num_channels, num_samples = file.getnchannels(), file.getnframes()
    if not num_samples:
        return np.zeros((0, num_channels), np.int16)
    return np.memmap(path, "<i2", mode="r", offset=_HEADER_BYTES, shape=(num_samples, num_channels))


def pcm16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """16-bit samples of samples in [-1, 1]; what lies outside is clipped."""
    return np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
