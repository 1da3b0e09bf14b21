"""Where a scenario is played: timelines of what the user says, what the camera shows and what the model answers.

A scenario places utterances on them; the stage synthesises each at once, so that the scenario knows when every word
ends before it decides what happens next. ``render`` turns the two timelines into micro-turns.
"""

import re
from collections import abc
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from microturn.data.acoustics import resample
from microturn.data.draw import pick
from microturn.data.episode import Episode, Expectation, Moment, Quiet, Stop, Variant
from microturn.data.human import Clip
from microturn.data.numbers import in_digits
from microturn.data.phrases import Phrases
from microturn.data.video_track import VideoTrack
from microturn.data.visual import Films, View
from microturn.data.voices import SpokenWord, Utterance, Voice
from microturn.data.voices.utterance import shifted
from microturn.features.mel import mel
from microturn.features.phones import Phone, phones_by_patch
from microturn.turns.background import Act
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Piece, PieceKind, Role, TextEvent
from microturn.turns.timing import (
    HEAR_LAG_MS,
    IN_HZ,
    IN_SAMPLES_PER_TURN,
    MEL_FRAMES_PER_TURN,
    OUT_HZ,
    OUT_SAMPLES_PER_TURN,
    PATCHES_PER_TURN,
    TEXT_LEAD_MS,
    TURN_MS,
    in_samples,
    turn_of_ms,
    turn_start_ms,
)

STOP_LAG_MS = 100
"""The model falls silent in the turn that holds this long after the end of "stop"."""

LATE_CHANCES = (0.76, 0.15, 0.09)
"""Of an answer or a stop in its turn, one turn late and two: what is due is the likeliest at each of them."""

SEE_LAG_MS = 300
"""The model speaks of what is seen in the turn that holds this long after it is plain to see: two or three frames."""

ACT_CHARS_PER_TURN = 12
"""An act is written so fast: it leaves room among a turn's text tokens for words heard and said meanwhile."""
CHARS_READ_PER_TURN = 50
"""Typed text enters the model no slower."""
TEXT_CHARS_PER_TURN = 18
"""Visible text is written so fast, its spaces included."""

WINDOW_EARLY_MS, WINDOW_LATE_MS = 500, 700
"""How far from the reference a spoken word may begin and still count as on time."""

MANY_DRAWS = 20
"""In search of something that fits."""

Degrade = Callable[[NDArray[np.float32], Generator], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Who plays."""

    user: Voice
    bystanders: Callable[[Generator], Voice]
    """Draws the voice of somebody who talks to somebody else."""
    assistant: Voice
    interpreters: Mapping[str, Voice] = field(default_factory=dict[str, Voice])
    """The assistant in other languages, by code; what is missing here it reads as English."""
    part: str
    """``train`` or ``heldout``."""
    sentences: Sequence[str] = ()
    """Open-vocabulary sentences of this part."""
    vocabulary: Sequence[str] = ()
    """The words of the sentences, each once."""
    dictionary: Sequence[str] = ()
    """Words of every kind, most of them rare."""
    clips: Sequence[Clip] = ()
    """Human recordings of this part, with word times."""
    films: Films = field(default_factory=Films)
    """Real clips of this part."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """One utterance of the model."""

    first_turn: int
    end_turn: int
    """One past the last turn with sound."""
    words: tuple[SpokenWord, ...]
    """In reply time."""


@dataclass
class _ModelTrack:
    """The reply: sound, and words with the first turn of their utterance."""

    samples: NDArray[np.float32]
    is_speaking: NDArray[np.bool_]
    words: list[tuple[SpokenWord, int]] = field(default_factory=list)
    phones: list[Phone] = field(default_factory=list[Phone])


class Stage:
    """Two timelines under construction."""

    def __init__(self, rng: Generator, cast: Cast, max_ms: int = 60_000, *, is_late_at_times: bool = False) -> None:
        """``is_late_at_times``: the model answers and stops a turn or two late now and then.

        Without that, a model that lets the right turn pass is where no lesson ever was, and speaks on, or not at all.
        """
        num_turns = max_ms // TURN_MS
        self.rng = rng
        self.cast = cast
        self.max_ms = max_ms
        self._is_late_at_times = is_late_at_times
        self._is_typing = False
        self._user = np.zeros(num_turns * IN_SAMPLES_PER_TURN, np.float32)
        self._heard: list[SpokenWord] = []
        self._sounds: list[Phone] = []
        self._events: dict[int, tuple[TextEvent, ...]] = {}
        self._model = _ModelTrack(np.zeros(num_turns * OUT_SAMPLES_PER_TURN, np.float32), np.zeros(num_turns, np.bool_))
        self._clears: set[int] = set()
        self._video = VideoTrack(rng)
        self._moments: list[Moment] = []
        self._pieces: dict[int, Piece] = {}
        self._expectations: list[Expectation] = []
        self._variants: list[Variant] = []
        self._quiets: list[Quiet] = []
        self._stops: list[Stop] = []
        self._speed = float(rng.uniform(0.85, 1.2))
        self._num_jobs = 0

    @property
    def goes_on(self) -> bool:
        """Whether other scenarios follow, in which what was asked for in this one would still hold: nothing may be left
        to go on."""
        return self.cast.part == "train"

    @property
    def has_spoken(self) -> bool:
        """Whether the model has said anything yet."""
        return bool(self._model.words)

    # --- choices ---------------------------------------------------------------------------------------------

    def pick(self, options: Sequence[str] | Phrases) -> str:
        """One of the options; of a bank, one of this part's phrasings."""
        if isinstance(options, Phrases):
            return options.choose(self.cast.part, self.rng)
        return pick(options, self.rng)

    def find(self, options: Sequence[str], fits: Callable[[str], bool]) -> str | None:
        """One of the options that fits, out of a few draws; None if none of them did."""
        drawn = (pick(options, self.rng) for _ in range(MANY_DRAWS))
        return next((option for option in drawn if fits(option)), None)

    def clip(self, fits: Callable[[Clip], bool], tries: int = 1) -> Utterance | None:
        """A human recording that fits, out of so many draws; None if there is none. Only the one chosen is decoded."""
        for _ in range(tries if self.cast.clips else 0):
            clip = self.cast.clips[self.whole(0, len(self.cast.clips) - 1)]
            if fits(clip):
                return clip.load()
        return None

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)

    def between(self, low: float, high: float) -> float:
        """A uniform draw."""
        return float(self.rng.uniform(low, high))

    def whole(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return int(self.rng.integers(low, high + 1))

    # --- the user's timeline ---------------------------------------------------------------------------------

    def user(self, text: str, at_ms: float, *, voice: Voice | None = None, level_db: float = 0.0) -> float:
        """Someone says ``text``, starting at a media time. Returns when the last word ends (ms)."""
        if self._is_typing and voice is None:
            return self._type(text, at_ms)
        speaker = voice or self.cast.user
        speed = self._speed * self.between(0.95, 1.05)
        return self.play(speaker.say(text, speed=speed, seed=self.whole(0, 2**31 - 1)), at_ms, level_db=level_db)

    @contextmanager
    def typing(self) -> abc.Generator[None]:
        """What the user says meanwhile is typed, numbers often in digits; others still speak."""
        self._is_typing = True
        try:
            yield
        finally:
            self._is_typing = False

    def _type(self, text: str, at_ms: float) -> float:
        """Returns when the model has read the whole of it."""
        shown = in_digits(text) if self.chance(0.6) else text
        turn = self.event(TextEvent(role=Role.USER, text=shown), at_ms)
        return turn_start_ms(turn + 1 + len(shown) // CHARS_READ_PER_TURN)

    def play(self, utterance: Utterance, at_ms: float, *, level_db: float = 0.0, is_words: bool = True) -> float:
        """Put a recording on the user's timeline. Returns when its last word (or sound) ends (ms)."""
        samples = utterance.samples
        if utterance.sample_rate != IN_HZ:
            samples = resample(samples, utterance.sample_rate, IN_HZ)
        peak = float(np.abs(samples).max(initial=1e-6))
        start = min(in_samples(at_ms), len(self._user))  # what comes too late for the stage is not heard
        end = min(start + len(samples), len(self._user))
        self._user[start:end] += samples[: end - start] * (0.5 / peak * 10 ** (level_db / 20))
        if not (is_words and utterance.words):
            return at_ms + len(samples) * 1000 / IN_HZ
        self._heard += [
            SpokenWord(text=w.text, start_ms=w.start_ms + at_ms, end_ms=w.end_ms + at_ms) for w in utterance.words
        ]
        self._sounds += shifted(utterance.sounds, at_ms)
        return utterance.words[-1].end_ms + at_ms

    @property
    def heard(self) -> Sequence[SpokenWord]:
        """The words on the user's timeline so far, in media time, in the order in which they were put there."""
        return self._heard

    def record(self, utterance: Utterance) -> None:
        """The user's side as it was recorded, from the start of media time and at its own level."""
        assert utterance.sample_rate == IN_HZ, "the user's side is kept at the input's rate"
        length = min(len(utterance.samples), len(self._user))
        self._user[:length] += utterance.samples[:length]
        self._heard += utterance.words
        self._sounds += utterance.sounds

    def event(self, event: TextEvent, at_ms: float) -> int:
        """A text event reaches the model at a media time. Returns its turn."""
        turn = turn_of_ms(at_ms)
        self._events[turn] = (*self._events.get(turn, ()), event)
        return turn

    def watch(self, view: View | None, at_ms: float) -> None:
        """From a media time on the camera shows a view; None: it is off. Calls come in order of time."""
        self._video.show(view, at_ms)

    # --- the model's timeline --------------------------------------------------------------------------------

    def answer_turn(self, end_ms: float) -> int:
        """The turn in which the model answers words that end at a media time."""
        return turn_of_ms(end_ms + HEAR_LAG_MS) + self._late_turns()

    def stop_turn(self, end_ms: float) -> int:
        """The turn in which the model falls silent after a "stop" that ends at a media time."""
        return turn_of_ms(end_ms + STOP_LAG_MS) + self._late_turns()

    def _late_turns(self) -> int:
        return int(self.rng.choice(len(LATE_CHANCES), p=LATE_CHANCES)) if self._is_late_at_times else 0

    def see_turn(self, time_ms: float) -> int:
        """The turn in which the model speaks of what is plain to see from a media time on."""
        return turn_of_ms(time_ms + SEE_LAG_MS)

    def model(
        self, text: str, turn: int, *, speed: float = 1.0, is_expected: bool = True, language: str = "en"
    ) -> Said:
        """The model says ``text``; its sound starts with a turn's."""
        return self.reply(self._spoken(text, language, speed), turn, is_expected=is_expected)

    def turns_for(self, text: str, *, language: str = "en") -> int:
        """How many turns the model needs to say ``text``."""
        utterance = self._spoken(text, language)
        return -(-len(utterance.samples) * OUT_HZ // (utterance.sample_rate * OUT_SAMPLES_PER_TURN))

    def _spoken(self, text: str, language: str, speed: float = 1.0) -> Utterance:
        voice = self.cast.interpreters.get(language, self.cast.assistant)
        return voice.say(text, speed=speed, seed=0)

    def reply(self, utterance: Utterance, turn: int, *, is_expected: bool = True) -> Said:
        """Put speech on the model's timeline; it starts with a turn's sound."""
        samples = utterance.samples
        if utterance.sample_rate != OUT_HZ:
            samples = resample(samples, utterance.sample_rate, OUT_HZ)
        start = turn * OUT_SAMPLES_PER_TURN
        samples = samples[: max(0, len(self._model.samples) - start)]
        self._model.samples[start : start + len(samples)] = samples
        end_turn = turn + -(-len(samples) // OUT_SAMPLES_PER_TURN)
        self._model.is_speaking[turn:end_turn] = True
        at_ms = turn * TURN_MS
        words = tuple(
            SpokenWord(text=w.text, start_ms=w.start_ms + at_ms, end_ms=w.end_ms + at_ms) for w in utterance.words
        )
        self._model.words += [(word, turn) for word in words]
        self._model.phones += shifted(utterance.phones, at_ms)
        if is_expected:
            self.expect(utterance.text, at_ms)
        return Said(first_turn=turn, end_turn=end_turn, words=words)

    def new_job(self) -> int:
        """The number of the next question for the background: they are counted from 1."""
        self._num_jobs += 1
        return self._num_jobs

    def act(self, act: Act, turn: int) -> int:
        """The model writes to the background from a turn on, some words a turn. Returns one past its last turn."""
        stretches = _stretches(str(act), ACT_CHARS_PER_TURN)
        while any(k in self._pieces for k in range(turn, turn + len(stretches))):
            turn += 1
        return self._write(PieceKind.ACT, stretches, turn)

    def write(self, text: str, turn: int) -> int:
        """The model writes for the user's eyes from a turn on, some words a turn. Returns one past its last turn."""
        return self._write(PieceKind.TEXT, _stretches(f" {text}", TEXT_CHARS_PER_TURN), turn)

    def _write(self, kind: PieceKind, stretches: Sequence[str], turn: int) -> int:
        for k, stretch in enumerate(stretches):
            self._pieces[turn + k] = Piece(kind=kind, text=stretch, is_end=k == len(stretches) - 1)
        return turn + len(stretches)

    def cut(self, turn: int) -> None:
        """The model breaks off: nothing of what was placed at or after this turn is said."""
        track = self._model
        if turn >= len(track.is_speaking):  # nothing is placed there
            return
        if track.is_speaking[max(0, turn - 1)] or track.is_speaking[turn]:
            self._clears.add(turn)
        track.samples[turn * OUT_SAMPLES_PER_TURN :] = 0
        track.is_speaking[turn:] = False
        track.words = [(w, first) for w, first in track.words if w.start_ms < turn * TURN_MS]
        track.phones = [phone for phone in track.phones if phone.start_ms < turn * TURN_MS]
        self._expectations = [e for e in self._expectations if e.from_ms + WINDOW_EARLY_MS < turn * TURN_MS]

    # --- what a listener may expect --------------------------------------------------------------------------

    def expect(self, text: str, at_ms: float) -> None:
        """The reply should begin to say ``text`` about this reply time."""
        self._expectations.append(_expectation(text, at_ms))

    def or_else(self, turns: Sequence[tuple[str, int]]) -> None:
        """From the first of these turns on the reply may as well say these words, each about its turn, instead."""
        if turns:
            expectations = tuple(_expectation(text, turn_start_ms(turn)) for text, turn in turns)
            self._variants.append(Variant(from_ms=turn_start_ms(turns[0][1]), expectations=expectations))

    def moment(self, label: str, from_ms: float, to_ms: float) -> None:
        """Something is to be seen, or was said, that asks for words in this window of media time."""
        self._moments.append(Moment(label=label, from_ms=from_ms, to_ms=to_ms))

    def quiet(self, from_ms: float, to_ms: float) -> None:
        """The reply should be silent in this window of reply time."""
        self._quiets.append(Quiet(from_ms=from_ms, to_ms=to_ms))

    def stop(self, word_end_ms: float, quiet_until_ms: float) -> None:
        """The reply should have stopped after a word that ends at this media time."""
        self._stops.append(Stop(word_end_ms=word_end_ms, quiet_until_ms=quiet_until_ms))

    # --- rendering -------------------------------------------------------------------------------------------

    def render(
        self, scenario: str, seed: int, end_ms: float, degrade: Degrade, echo_db: float | None = None
    ) -> Episode:
        """The timelines as micro-turns.

        Args:
            scenario, seed: name what was played.
            end_ms: media time at which the episode ends, rounded up to a whole turn.
            degrade: microphone, room and noise: (num_samples,) at 16 kHz to the same shape.
            echo_db: level of the model's own voice in the microphone, or None for headphones.
        """
        num_turns = min(-(-int(end_ms) // TURN_MS), self.max_ms // TURN_MS)
        user = self._user[: num_turns * IN_SAMPLES_PER_TURN]
        reply = self._model.samples[: num_turns * OUT_SAMPLES_PER_TURN]
        if echo_db is not None:
            echo = resample(reply, OUT_HZ, IN_HZ)[: len(user)] * 10 ** (echo_db / 20)
            delay = IN_SAMPLES_PER_TURN + in_samples(self.between(100, 250))
            user = user.copy()
            user[delay:] += echo[: max(0, len(user) - delay)]
        user = degrade(user, self.rng).astype(np.float32)
        heard = _words_by_turn([(w, turn_of_ms(w.end_ms + HEAR_LAG_MS)) for w in self._heard])
        said = _words_by_turn(
            [(w, max(first, turn_of_ms(w.start_ms - TEXT_LEAD_MS))) for w, first in self._model.words]
        )
        frames = mel(reply)
        phones = phones_by_patch(self._model.phones, num_turns * PATCHES_PER_TURN).tolist()
        inputs, outputs, labels = [], [], []
        for k in range(num_turns):
            heard_sound = user[k * IN_SAMPLES_PER_TURN : (k + 1) * IN_SAMPLES_PER_TURN]
            seen = self._video.frames_of(k)
            labels += [self._video.labels_of(frame) for frame in seen[-1:]]
            inputs.append(MicroTurnInput(index=k, audio=heard_sound, events=self._events.get(k, ()), frames=seen))
            speech = frames[k * MEL_FRAMES_PER_TURN : (k + 1) * MEL_FRAMES_PER_TURN]
            sound = reply[k * OUT_SAMPLES_PER_TURN : (k + 1) * OUT_SAMPLES_PER_TURN]
            is_speaking = bool(self._model.is_speaking[k])
            outputs.append(
                MicroTurnOutput(
                    index=k,
                    hear=heard.get(k, ""),
                    pieces=(self._pieces[k],) if k in self._pieces else (),
                    is_clear=k in self._clears,
                    say=said.get(k, ""),
                    mel=speech if is_speaking else None,
                    phones=tuple(phones[k * PATCHES_PER_TURN : (k + 1) * PATCHES_PER_TURN]) if is_speaking else (),
                    audio=sound if is_speaking else None,
                )
            )
        last_ms = num_turns * TURN_MS
        return Episode(
            scenario=scenario,
            seed=seed,
            part=self.cast.part,
            voice=self.cast.user.name,
            inputs=inputs,
            outputs=outputs,
            heard=[w for w in self._heard if w.end_ms + HEAR_LAG_MS < last_ms],
            sounds=self._sounds,
            said=[w for w, _ in self._model.words if w.start_ms < last_ms],
            expectations=[e for e in self._expectations if e.to_ms <= last_ms],
            variants=[
                replace(variant, expectations=[e for e in variant.expectations if e.to_ms <= last_ms])
                for variant in self._variants
            ],
            quiets=self._quiets,
            stops=self._stops,
            moments=[m for m in self._moments if m.from_ms < last_ms],
            labels=labels,
        )


def _expectation(text: str, at_ms: float) -> Expectation:
    return Expectation(text=text, from_ms=max(0.0, at_ms - WINDOW_EARLY_MS), to_ms=at_ms + WINDOW_LATE_MS)


def _words_by_turn(words: Sequence[tuple[SpokenWord, int]]) -> dict[int, str]:
    """The text of each turn, every word with its leading space."""
    turns: dict[int, str] = {}
    for word, turn in sorted(words, key=lambda pair: (pair[1], pair[0].start_ms)):
        turns[turn] = turns.get(turn, "") + " " + word.text
    return turns


def _stretches(text: str, num_chars: int) -> list[str]:
    """A text in stretches of about so many characters, cut before spaces: words keep the tokens that they had."""
    stretches = [""]
    for word in re.findall(r" ?[^ ]+", text):
        if stretches[-1] and len(stretches[-1]) + len(word) > num_chars:
            stretches.append("")
        stretches[-1] += word
    return stretches
