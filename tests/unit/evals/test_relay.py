"""The relay's logic with parts of our own, on a clock that they move: who is heard, answered when, and cut."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from microturn.data.corpus import MuteVoice
from microturn.data.voices import Utterance
from microturn.evals.relay.listening import GIVES_UP_AFTER_MS
from microturn.evals.relay.parts import Message, RelayParts
from microturn.evals.relay.subject import RelaySubject, sentences
from microturn.evals.spoken import sounds, spoken_words
from microturn.testing.clock import ManualClock
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Role, TextEvent
from microturn.turns.timing import IN_HZ, IN_SAMPLES_PER_TURN, TURN_MS

RECOGNISING_MS, THINKING_MS = 300.0, 400.0
SPEECH_STARTS_MS, SPEECH_ENDS_MS = 1_000, 2_000


class Loudness:
    """Whatever is not silent is speech."""

    def confidence(self, window: np.ndarray) -> float:
        return float(np.abs(window).max() > 0.1)


class Echoing:
    """Says what it was told, in two sentences, and takes its time for the first."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.histories: list[Sequence[Message]] = []

    def stream(self, history: Sequence[Message]) -> Iterator[str]:
        self.histories.append(list(history))
        self.clock.advance_ms(THINKING_MS)
        yield f"{history[-1].text}. "
        yield "That is all."


class HummingVoice(MuteVoice):
    """Hums its words."""

    def say(self, text: str, *, speed: float = 1.0, seed: int = 0) -> Utterance:
        utterance = super().say(text, speed=speed, seed=seed)
        return replace(utterance, samples=np.full_like(utterance.samples, 0.1))


class Bench:
    """A relay of such parts, and the session that it is given."""

    def __init__(self, *, is_complete: bool = True) -> None:
        self.clock = ManualClock()
        self.chat = Echoing(self.clock)
        self.asked: list[float] = []
        self.is_complete = is_complete
        parts = RelayParts(
            name="by hand",
            new_activity=Loudness,
            is_complete=self._decide,
            recognise=self._recognise,
            chat=self.chat,
            voice=HummingVoice(),
        )
        self.subject = RelaySubject(parts, self.clock)

    def _decide(self, samples: np.ndarray) -> bool:
        self.asked.append(len(samples) * 1000 / IN_HZ)
        return self.is_complete

    def _recognise(self, samples: np.ndarray) -> str:
        self.clock.advance_ms(RECOGNISING_MS)
        return "Hello there!"

    def answer(self, *speech_ms: tuple[int, int], num_turns: int = 50, text: str = "") -> list[MicroTurnOutput]:
        sound = np.zeros(num_turns * IN_SAMPLES_PER_TURN, np.float32)
        for start, end in speech_ms:
            sound[start * 16 : end * 16] = 0.5
        turns = [
            MicroTurnInput(
                index=k,
                audio=sound[k * IN_SAMPLES_PER_TURN : (k + 1) * IN_SAMPLES_PER_TURN],
                events=(TextEvent(role=Role.USER, text=text),) if text and k == 4 else (),
            )
            for k in range(num_turns)
        ]
        return self.subject.answer([turns])[0]


def heard_from_ms(outputs: Sequence[MicroTurnOutput]) -> float:
    """When the user begins to hear something, to the micro-turn."""
    return sounds(outputs)[0].playback_start_ms


def test_an_answer_waits_for_silence_for_the_recogniser_and_for_the_language_model() -> None:
    outputs = Bench().answer((SPEECH_STARTS_MS, SPEECH_ENDS_MS))
    earliest_ms = SPEECH_ENDS_MS + 200 + RECOGNISING_MS + THINKING_MS
    assert earliest_ms - TURN_MS <= heard_from_ms(outputs) <= earliest_ms + TURN_MS
    assert [word.text for word in spoken_words(outputs)] == ["hello", "there", "that", "is", "all"]
    assert "".join(output.hear for output in outputs).split() == ["hello", "there"]


def test_a_turn_that_sounds_unfinished_is_answered_after_three_seconds_of_silence() -> None:
    bench = Bench(is_complete=False)
    outputs = bench.answer((SPEECH_STARTS_MS, SPEECH_ENDS_MS))
    assert len(bench.asked) == 1
    assert heard_from_ms(outputs) >= SPEECH_ENDS_MS + GIVES_UP_AFTER_MS


def test_a_pause_in_an_unfinished_turn_belongs_to_it() -> None:
    bench = Bench(is_complete=False)
    bench.answer((1_000, 2_000), (3_000, 4_000))
    assert len(bench.asked) == 2
    assert bench.asked[1] > 3_000  # both stretches and the pause
    assert len(bench.chat.histories) == 1


def test_the_user_cuts_in_and_the_rest_is_dropped() -> None:
    outputs = Bench().answer((1_000, 2_000), (3_200, 9_500))
    assert any(output.is_clear for output in outputs)
    assert sounds(outputs)[-1].playback_end_ms <= 3_200 + 200 + 2 * TURN_MS
    assert "all" not in [word.text for word in spoken_words(outputs)]


def test_the_language_model_is_told_what_was_heard_of_its_answers() -> None:
    bench = Bench()
    bench.answer((1_000, 2_000), (6_000, 7_000))
    assert [message.role for message in bench.chat.histories[1]] == ["user", "assistant", "user"]
    assert bench.chat.histories[1][1].text == "hello there that is all"


def test_typed_text_is_answered() -> None:
    outputs = Bench().answer(text="good morning")
    assert [word.text for word in spoken_words(outputs)][:2] == ["good", "morning"]
    assert heard_from_ms(outputs) >= 5 * TURN_MS + THINKING_MS - TURN_MS


def test_a_silent_room_is_answered_by_silence() -> None:
    bench = Bench()
    outputs = bench.answer()
    assert not sounds(outputs)
    assert len(outputs) == 50


@pytest.mark.parametrize("num_turns", [1, 6, 12])
def test_a_session_may_end_at_any_time(num_turns: int) -> None:
    outputs = Bench().answer((1_000, 2_000), num_turns=num_turns)
    assert [output.index for output in outputs] == list(range(num_turns))


def test_sentences_are_told_apart_as_they_come() -> None:
    assert list(sentences(iter(["one, ", "two. Th", "ree!\nfour"]))) == ["one, two.", "Three!", "four"]
