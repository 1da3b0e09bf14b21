"""Conversations that somebody recorded, as training episodes: what fine-tuning on one's own recordings takes.

A folder holds sound files and a ``manifest.jsonl`` with one conversation a line:

    {"stereo": "call1.wav",
     "said_by_user":  [{"text": "how late is it", "start_ms": 300, "end_ms": 1250}],
     "said_by_model": [{"text": "half past nine", "start_ms": 1700, "end_ms": 2600}],
     "events": [{"at_ms": 0, "role": "system", "text": "be brief"}]}

The user is on the left, the model's part on the right; or "user" and "model" name a file each. Texts are lower-case
words. An item is one word or an utterance; the words of an utterance, and the phones of the model's, are timed by
forced alignment within it. Where that fails words share its time by their letters, and phones are unknown. Both sides
are on one clock, the recording's. The model speaks where its items are: what else is on its channel is left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from microturn.data.acoustics import resample
from microturn.data.alignment import align
from microturn.data.episode import Episode
from microturn.data.packed import pack
from microturn.data.shards import write_shard
from microturn.data.stage import Cast, Stage
from microturn.data.voices import SpokenWord, Utterance
from microturn.data.voices.utterance import Span, share, shifted
from microturn.errors import MediaError
from microturn.features.phones import Phone
from microturn.features.tokenizer import Tokenizer
from microturn.turns.micro_turn import Role, TextEvent
from microturn.turns.timing import IN_HZ, OUT_HZ, TURN_MS, in_samples, out_samples, turn_of_ms, turn_start_ms

Samples = NDArray[np.float32]
MANIFEST = "manifest.jsonl"
EDGE_MS = 60.0
"""Sound kept around an utterance."""
PAUSE_MS = 600.0
"""Items of the model that follow one another within this are one utterance."""


class Item(BaseModel):
    """Words and when they sound."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(pattern=r"^[^A-Z\s]+( [^A-Z\s]+)*$")
    start_ms: float = Field(ge=0)
    end_ms: float

    @model_validator(mode="after")
    def _lasts(self) -> "Item":
        if self.end_ms <= self.start_ms:
            raise ValueError(f"'{self.text}' ends at {self.end_ms} ms, before it starts at {self.start_ms}")
        return self


class EventItem(BaseModel):
    """A text that reached the model."""

    model_config = ConfigDict(extra="forbid")
    at_ms: float = Field(ge=0)
    role: Literal["user", "system", "tool"]
    text: str = Field(min_length=1)


class Conversation(BaseModel):
    """One line of the manifest."""

    model_config = ConfigDict(extra="forbid")
    stereo: Path | None = None
    user: Path | None = None
    model: Path | None = None
    said_by_user: list[Item] = []
    said_by_model: list[Item] = []
    events: list[EventItem] = []

    @model_validator(mode="after")
    def _has_both_sides(self) -> "Conversation":
        if (self.stereo is None) == (self.user is None or self.model is None):
            raise ValueError('name one "stereo" file, or a "user" and a "model" file')
        return self


@dataclass(frozen=True, slots=True)
class RecordedVoice:
    """Whoever speaks in a recording: says nothing but what it holds."""

    name: str = "recorded"
    base: str = "recorded"

    def say(self, text: str, *, speed: float = 1.0, seed: int = 0) -> Utterance:
        """Raises ValueError."""
        raise ValueError(f"a recorded voice cannot be asked to say {text!r}")


def import_recordings(folder: Path, shard: Path, tokenizer: Tokenizer) -> tuple[int, float]:
    """Pack a folder's conversations into one shard. Returns how many they are, and their hours.

    Raises:
        MediaError: the manifest or a sound file cannot be used; says which and why.
    """
    shard.parent.mkdir(parents=True, exist_ok=True)
    conversations = list(read_manifest(folder))
    if not conversations:
        raise MediaError(f"{folder / MANIFEST} holds no conversation: write one object a line")
    episodes = (
        (f"{number:08d}", "recording", pack(to_episode(conversation, folder, number), tokenizer))
        for number, conversation in enumerate(conversations)
    )
    entries = write_shard(shard, episodes)
    return len(entries), sum(entry.duration_s for entry in entries) / 3600


def read_manifest(folder: Path) -> Iterator[Conversation]:
    """The conversations of a folder, in order. Raises MediaError naming the line that cannot be used."""
    path = folder / MANIFEST
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MediaError(f"{path} cannot be read ({error}): it lists the recordings, one JSON object a line") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield Conversation.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the line"
            raise MediaError(f"{path}, line {number}: {place}: {first['msg']}") from error


def to_episode(conversation: Conversation, folder: Path, number: int) -> Episode:
    """A conversation as micro-turns."""
    user, model = _sides(conversation, folder)
    end_ms = max(len(user[0]) / user[1], len(model[0]) / model[1]) * 1000
    voice = RecordedVoice()
    cast = Cast(user=voice, bystanders=lambda _: voice, assistant=voice, part="train")
    stage = Stage(np.random.default_rng(number), cast, max_ms=int(end_ms) + 10 * TURN_MS)
    heard_samples = resample(*user, IN_HZ)
    words = tuple(word for item in conversation.said_by_user for word in timed(item, heard_samples)[0])
    stage.record(Utterance(samples=heard_samples, sample_rate=IN_HZ, words=words, text="", voice=voice.name))
    spoken_16khz, spoken = resample(*model, IN_HZ), resample(*model, OUT_HZ)
    for items in utterances(conversation.said_by_model):
        parts = [timed(item, spoken_16khz, with_phones=True) for item in items]
        words, phones = (list(chain.from_iterable(part)) for part in zip(*parts, strict=True))
        _reply(stage, spoken, words, phones, voice.name)
    for event in conversation.events:
        stage.event(TextEvent(role=Role(event.role), text=event.text), event.at_ms)
    return stage.render("recording", number, end_ms, lambda samples, _: samples)


def utterances(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Items in order of time, grouped where no pause divides them."""
    group: list[Item] = []
    for item in sorted(items, key=lambda item: item.start_ms):
        if group and item.start_ms - group[-1].end_ms > PAUSE_MS:
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def timed(item: Item, samples: Samples, *, with_phones: bool = False) -> tuple[list[SpokenWord], list[Phone]]:
    """The words of an item with a time each, and its phones if asked for. ``samples`` are the whole side's, at 16 kHz.

    Where nobody can tell the phones apart, one that no alphabet has stands for all.
    """
    words = item.text.split()
    spans: Sequence[Span] = [(item.start_ms, item.end_ms)]
    phones = [Phone(symbol="", start_ms=item.start_ms, end_ms=item.end_ms)]
    if len(words) > 1 or with_phones:
        stretch = samples[in_samples(item.start_ms) : in_samples(item.end_ms)]
        aligned = align(stretch, words, with_phones=with_phones)
        if aligned is not None:
            phones = shifted(aligned.phones, item.start_ms)
        if len(words) > 1 and aligned is not None:
            spans = [(item.start_ms + max(0.0, a), min(item.start_ms + b, item.end_ms)) for a, b in aligned.spans]
        elif len(words) > 1:
            spans = share(words, [spans[0], *[None] * (len(words) - 1)])
    return [SpokenWord(text=w, start_ms=a, end_ms=b) for w, (a, b) in zip(words, spans, strict=True)], phones


def _reply(stage: Stage, samples: Samples, words: Sequence[SpokenWord], phones: Sequence[Phone], voice: str) -> None:
    """One utterance of the model. Output k is played one micro-turn later, so it is said a turn before it is heard."""
    start_ms = max(TURN_MS, words[0].start_ms - EDGE_MS) - TURN_MS
    turn = turn_of_ms(start_ms)
    lead_ms = start_ms - turn_start_ms(turn)
    body = samples[out_samples(start_ms + TURN_MS) : out_samples(words[-1].end_ms + EDGE_MS)]
    origin_ms = turn_start_ms(turn) + TURN_MS
    own = tuple(SpokenWord(text=w.text, start_ms=w.start_ms - origin_ms, end_ms=w.end_ms - origin_ms) for w in words)
    utterance = Utterance(
        samples=np.concatenate([np.zeros(out_samples(lead_ms), np.float32), body]),
        sample_rate=OUT_HZ,
        words=own,
        text=" ".join(word.text for word in words),
        voice=voice,
        phones=tuple(shifted(phones, -origin_ms)),
    )
    stage.reply(utterance, turn)


def _sides(conversation: Conversation, folder: Path) -> tuple[tuple[Samples, int], tuple[Samples, int]]:
    """Both sides' mono samples with their rate."""
    if conversation.stereo is None:
        assert conversation.user is not None, "checked with the manifest"
        assert conversation.model is not None, "checked with the manifest"
        (user, user_hz), (model, model_hz) = (_read(folder / path) for path in (conversation.user, conversation.model))
        return (user.mean(1), user_hz), (model.mean(1), model_hz)
    samples, sample_rate = _read(folder / conversation.stereo)
    if samples.shape[1] != 2:
        raise MediaError(
            f"{conversation.stereo} has {samples.shape[1]} channels: the user's is left, the model's right"
        )
    return (samples[:, 0], sample_rate), (samples[:, 1], sample_rate)


def _read(path: Path) -> tuple[Samples, int]:
    """(num_samples, num_channels) and the rate."""
    import soundfile

    try:
        samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise MediaError(f"{path} cannot be decoded ({error}): give wav, flac, ogg or mp3") from error
    return np.asarray(samples, np.float32), sample_rate
