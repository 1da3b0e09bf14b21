"""Human recordings with word times, and the sentences that people read in them.

The recordings lie in ``data_dir/{train,heldout}/SET`` with a manifest of one JSON object a line. Word times come from
the sound's energy for single words, from hand-made marks where a set has them, else from forced alignment, and are kept
in a small file per set: ``measure`` fills it, once, in parallel; ``clips`` only reads it.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from microturn.data import folders, split
from microturn.data.alignment import align, loudest_stretch
from microturn.data.split import Part, check_part
from microturn.data.voices.utterance import Span, SpokenWord, Utterance
from microturn.data.workers import in_processes
from microturn.errors import MediaError
from microturn.turns.timing import IN_HZ, in_samples

MIN_SCORE = -3.0
"""Alignments below this are dropped: texts aligned with another recording score -3 to -5, the right ones -1 to -2.6."""
WORD_MS = (80.0, 1500.0)
"""Shortest and longest stretch that is taken for a single word."""
EDGE_MS = 60.0
"""Sound kept before the first and after the last word, faded."""
SENTENCE_WORDS = (2, 14)
FORMAT = "v1"
"""Part of the folder's name: times made by an older rule are not mixed with newer ones."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One line of a manifest: a recording whose text is known."""

    path: Path
    text: str
    voice: str
    """``human:SET:SPEAKER``."""
    spans: tuple[Span, ...] | None
    """Word times in the file, ms; None while unknown."""

    @property
    def duration_ms(self) -> float:
        """Length of what ``load`` returns, known without decoding it; 0 while the word times are unknown."""
        return self.spans[-1][1] - self.spans[0][0] + 2 * EDGE_MS if self.spans else 0.0

    def load(self) -> Utterance:
        """Decode, cut to the words, fade the edges. Words without times share the loudest stretch by their letters."""
        samples = read(self.path)
        words, spans = self.text.split(), self.spans
        if spans is None:
            start, end = loudest_stretch(samples, bridge_ms=700) or (0.0, len(samples) * 1000 / IN_HZ)
            edges = start + (end - start) * np.cumsum([0] + [len(word) + 1 for word in words]) / (len(self.text) + 1)
            spans = tuple((float(a), float(b)) for a, b in pairwise(edges))
        first = max(0, in_samples(spans[0][0] - EDGE_MS))
        last = min(len(samples), in_samples(spans[-1][1] + EDGE_MS))
        body = samples[first:last].copy()
        fade = min(len(body) // 2, in_samples(EDGE_MS / 4))
        ramp = np.linspace(0, 1, fade, dtype=np.float32)
        body[:fade] *= ramp
        body[len(body) - fade :] *= ramp[::-1]
        offset_ms = first * 1000 / IN_HZ
        timed = tuple(
            SpokenWord(text=word, start_ms=max(0.0, start - offset_ms), end_ms=end - offset_ms)
            for word, (start, end) in zip(words, spans, strict=True)
        )
        return Utterance(samples=body, sample_rate=IN_HZ, words=timed, text=self.text, voice=self.voice)


class Recordings(Sequence[Utterance]):
    """Recordings that are decoded when they are asked for: hours of speech do not fit in every worker's memory."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Recordings(self.clips[index])
        return self.clips[index].load()


def clips(
    part: str, data_dir: Path, sets: Sequence[str] | None = None, *, language: str = "en", is_timed: bool = True
) -> Recordings:
    """The human recordings of one part of the split.

    Args:
        part: "train" or "heldout".
        data_dir: holds ``train/`` and ``heldout/``.
        sets: names out of ``split.HUMAN[part]``; all of them by default.
        language: recordings in this language only.
        is_timed: only recordings whose word times ``measure`` found and trusts, as training needs; otherwise every
            recording, as an evaluation of transcripts needs.
    """
    part = check_part(part)
    found: list[Clip] = []
    for name in chosen_sets(part, sets):
        times = _read_times(_times_path(part, name))
        for entry in _entries(part, data_dir, name, language):
            spans = times.get(entry["file"])
            if spans is None and is_timed:
                continue
            found.append(
                Clip(
                    path=data_dir / part / name / entry["file"],
                    text=entry["norm"],
                    voice=f"human:{name}:{entry['speaker'] or 'unknown'}",
                    spans=spans,
                )
            )
    return Recordings(found)


def sentences(data_dir: Path, *, part: str = "train") -> tuple[str, ...]:
    """English sentences of 2 to 14 plain words that people read, for synthetic open-vocabulary speech, sorted.

    The held-out ones are those of the held-out recordings that no training recording has.
    """
    train = _texts("train", data_dir)
    return tuple(sorted(train if check_part(part) == "train" else _texts("heldout", data_dir) - train))


def chosen_sets(part: Part, sets: Sequence[str] | None = None) -> tuple[str, ...]:
    """``sets``, checked against the split; all of the part's by default."""
    known = split.HUMAN[part]
    for name in sets or ():
        if name not in known:
            raise ValueError(f"no set {name!r} in {part}: choose from {', '.join(known)}")
    return known if sets is None else tuple(sets)


def read(path: Path) -> NDArray[np.float32]:
    """A recording as mono 16 kHz. Raises ``MediaError`` when it cannot be decoded."""
    import soundfile

    try:
        samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise MediaError(f"{path} cannot be decoded ({error}): fetch it again") from error
    if sample_rate != IN_HZ:
        raise MediaError(f"{path} is at {sample_rate} Hz: human recordings are kept at {IN_HZ} Hz")
    return samples.mean(1)


# --- measuring word times ---------------------------------------------------------------------------------------


def measure(part: str, data_dir: Path, sets: Sequence[str] | None = None, *, num_workers: int = 1) -> None:
    """Find the word times of recordings that have none yet. Stop it and start it again at will."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    part = check_part(part)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns) as progress:
        for name in chosen_sets(part, sets):
            path = _times_path(part, name)
            done = _read_times(path)
            entries = list(_entries(part, data_dir, name, "en"))
            todo = [(data_dir / part / name, entry) for entry in entries if entry["file"] not in done]
            task = progress.add_task(name, total=len(entries), completed=len(entries) - len(todo))
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                if path.read_bytes()[-1:] not in (b"", b"\n"):  # the last line was cut off
                    file.write("\n")
                for measured, spans in in_processes(_measure_one, todo, num_workers):
                    _write_times(file, measured, spans)
                    progress.advance(task)


def _measure_one(job: tuple[Path, dict[str, Any]]) -> tuple[str, Sequence[Span] | None]:
    folder, entry = job
    return entry["file"], word_times(read(folder / entry["file"]), entry)


def word_times(samples: NDArray[np.float32], entry: dict[str, Any]) -> Sequence[Span] | None:
    """Word times (ms) of one manifest entry's recording; None if they cannot be trusted."""
    words = entry["norm"].split()
    if len(words) == 1 and entry.get("keyword") == entry["norm"]:  # marked by hand
        return [(entry["keyword_start"] * 1000, entry["keyword_end"] * 1000)]
    if len(words) == 1:
        stretch = loudest_stretch(samples)
        is_word = stretch is not None and WORD_MS[0] <= stretch[1] - stretch[0] <= WORD_MS[1]
        return [stretch] if stretch is not None and is_word else None
    aligned = align(samples, words)
    if aligned is None or aligned.score < MIN_SCORE:
        return None
    end_ms = len(samples) * 1000 / IN_HZ
    spans = [(max(0.0, start), min(end_ms, end)) for start, end in aligned.spans]
    return spans if all(end > start for start, end in spans) else None


def _times_path(part: Part, name: str) -> Path:
    return folders.cache(f"word_times_{FORMAT}") / part / f"{name}.jsonl"


def _write_times(file: TextIO, recording: str, spans: Sequence[Span] | None) -> None:
    ms = None if spans is None else [[round(a), round(b)] for a, b in spans]
    file.write(json.dumps({"file": recording, "ms": ms}, separators=(",", ":")) + "\n")
    file.flush()


def _read_times(path: Path) -> dict[str, tuple[Span, ...] | None]:
    """Word times by recording, None for those given up on. A line cut off by an interruption is measured again."""
    times: dict[str, tuple[Span, ...] | None] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            times[entry["file"]] = None if entry["ms"] is None else tuple((a, b) for a, b in entry["ms"])
    return times


def _entries(part: Part, data_dir: Path, name: str, language: str) -> Iterator[dict[str, Any]]:
    """Manifest entries with a text in this language; none for a set that is not there."""
    path = data_dir / part / name / "manifest.jsonl"
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["language"] == language and entry["norm"].strip():
            yield entry


def _texts(part: Part, data_dir: Path) -> set[str]:
    fits = re.compile(r"[a-z']+( [a-z']+)+")
    low, high = SENTENCE_WORDS
    return {
        entry["norm"]
        for name in split.HUMAN[part]
        for entry in _entries(part, data_dir, name, "en")
        if fits.fullmatch(entry["norm"]) and low <= len(entry["norm"].split()) <= high
    }
