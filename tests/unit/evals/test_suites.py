"""The suites, on scenarios played by mute voices and on replies written by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hand_made import episode, exchange, expect, reply, words
from mute import play_mute

from microturn.data.episode import Quiet, Stop
from microturn.evals.exchange import Case, Exchange, reference
from microturn.evals.playbook import Playbook
from microturn.evals.subject import Silent
from microturn.evals.suites import SUITES, Suite
from microturn.evals.suites.following import TextSuite
from microturn.evals.suites.interruption import InterruptionSuite, kind_of
from microturn.evals.suites.own_scenarios import OwnScenarios, load_scenarios
from microturn.evals.suites.silence import ASKED, NOT_MEANT, SilenceSuite
from microturn.evals.suites.speech import SpeechSuite, speech_samples
from microturn.evals.suites.time import TimeSuite
from microturn.evals.suites.transcript import SYNTHETIC, TranscriptSuite
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import OUT_SAMPLES_PER_TURN, out_samples

BEHAVIOUR = (
    *("time", "interruption", "repeat", "text", "background-sound", "silence", "transcript", "cue", "correction"),
    *("instructions", "echo"),
)


@pytest.fixture(scope="module")
def playbook() -> Playbook:
    return Playbook(play_mute)


def scores(suite: Suite, exchanges: list[Exchange]) -> dict[str, float | None]:
    return {name: m.value for name, m in suite.summarise([suite.judge(e) for e in exchanges]).items()}


# --- on played scenarios ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BEHAVIOUR)
def test_the_reference_reply_is_perfect(name: str, playbook: Playbook) -> None:
    suite = SUITES[name]()
    found = scores(suite, [reference(case) for case in suite.draw(playbook, 24)])
    for metric in suite.headline:
        value = found[metric]
        if metric == "stop_ms":
            assert value is not None
            assert value <= 400
        elif metric == "wer_human":
            assert value is None, "not run without human recordings"
        else:
            assert value == (0.0 if metric == "wer" else 1.0), metric


@pytest.mark.parametrize("name", BEHAVIOUR)
def test_no_control_scores(name: str, playbook: Playbook) -> None:
    suite = SUITES[name]()
    controls = suite.controls([reference(case) for case in suite.draw(playbook, 12)], Silent())
    for control in ("silent", "always-talking", "shuffled"):
        for metric, value in controls[control].items():
            if metric == "wer":
                assert value is not None
                assert value > 0.5, (control, metric)
            elif metric in ("stop_rate", "success") or (metric == "accuracy" and name != "silence"):
                assert value is not None
                assert value <= 0.1, (control, metric)
    if name == "silence":
        assert controls["silent"] == {"accuracy": 1.0, "answer_rate": 0.0}, "silence alone is free: so it is paired"
        assert controls["always-talking"]["accuracy"] == 0.0


def test_suites_that_share_a_scenario_share_its_plays(playbook: Playbook) -> None:
    time, speech = (SUITES[name]().draw(playbook, 12) for name in ("time", "speech"))
    assert {case.key for case in speech} & {case.key for case in time}
    assert len({id(case.episode) for case in (*time, *speech)}) == len({case.key for case in (*time, *speech)})


def test_counting_that_is_interrupted_belongs_to_interruption_alone(playbook: Playbook) -> None:
    drawn = {name: SUITES[name]().draw(playbook, 12) for name in ("time", "interruption")}
    counted = {name: {c.key for c in cases if c.key.startswith("count")} for name, cases in drawn.items()}
    assert not counted["time"] & counted["interruption"]


def test_a_reply_that_is_late_fails_time(playbook: Playbook) -> None:
    suite = TimeSuite()
    cases = suite.draw(playbook, 6)
    late = [
        Exchange(
            case=case,
            outputs=[*[MicroTurnOutput(index=k) for k in range(5)], *case.episode.outputs[:-5]],
        )
        for case in cases
    ]
    assert scores(suite, late)["accuracy"] == 0.0


def test_latency_is_from_the_last_word_to_the_first_sound(playbook: Playbook) -> None:
    suite = TimeSuite()
    value = scores(suite, [reference(case) for case in suite.draw(playbook, 12)])["latency_ms"]
    assert value is not None
    assert 200 <= value <= 400, "answered in the turn that holds the word's end + 200 ms, played one turn later"


def test_what_is_written_counts_word_by_word_and_speaking_spoils_it(playbook: Playbook) -> None:
    suite = TextSuite()
    case = next(case for case in suite.draw(playbook, 12) if case.kind == "copy-typed")
    right = case.episode.outputs
    first = next(k for k, output in enumerate(right) if output.pieces)
    wrong = replace(right[first], pieces=tuple(replace(p, text=" wrong") for p in right[first].pieces))
    muddled = suite.judge(Exchange(case=case, outputs=[*right[:first], wrong, *right[first + 1 :]]))
    assert not muddled.is_right
    assert 0 < muddled.figures["words_said"] < muddled.figures["words"]
    loud = replace(right[0], audio=np.full(OUT_SAMPLES_PER_TURN, 0.3, np.float32))
    spoken = suite.judge(Exchange(case=case, outputs=[loud, *right[1:]]))
    assert not spoken.is_right
    assert spoken.figures["words_said"] == spoken.figures["words"]


# --- stopping -----------------------------------------------------------------------------------------------------

STOPPED = episode(
    heard=words(("count", 200, 900), ("stop", 2800, 3100)),
    said=words(("one", 1030, 1300), ("two", 2030, 2300)),
    expectations=[expect("one", 5), expect("two", 10)],
    stops=[Stop(word_end_ms=3100, quiet_until_ms=6000)],
)
SAYS = {5: " one", 10: " two"}


def stopping(says: dict[int, str], sound: list[range]) -> tuple[float | None, float | None, float | None]:
    found = scores(InterruptionSuite(), [exchange(STOPPED, reply(says, sound))])
    return found["stop_rate"], found["stop_ms"], found["success"]


def test_a_stop_counts_from_the_end_of_the_word_to_the_end_of_the_sound_as_played() -> None:
    assert stopping(SAYS, [range(5, 7), range(10, 16)]) == (1.0, 300.0, 1.0)  # played until 3.4 s
    assert stopping(SAYS, [range(5, 7), range(10, 17)]) == (0.0, 500.0, 0.0)


def test_a_reply_that_was_quiet_when_stopped_must_stay_so() -> None:
    assert stopping(SAYS, [range(5, 7), range(10, 12)]) == (1.0, None, 1.0)
    rate, _, success = stopping({**SAYS, 20: " three"}, [range(5, 7), range(10, 12), range(20, 22)])
    assert (rate, success) == (0.0, 0.0)


def test_who_says_nothing_stops_nothing() -> None:
    assert stopping({}, []) == (0.0, None, 0.0)


def test_sound_after_the_quiet_window_is_no_failure_to_stop() -> None:
    rate, _, success = stopping({**SAYS, 32: " three"}, [range(5, 7), range(10, 12), range(32, 34)])
    assert rate == 1.0
    assert success == 0.0, "but nobody asked for it"


def test_what_is_asked_after_the_stop_must_be_done() -> None:
    resumed = replace(
        STOPPED,
        heard=[*STOPPED.heard, *words(("go", 4200, 4400), ("on", 4400, 4600))],
        said=[*STOPPED.said, *words(("three", 4830, 5100))],
        expectations=[*STOPPED.expectations, expect("three", 24)],
    )
    suite, sound = InterruptionSuite(), [range(5, 7), range(10, 15)]
    assert kind_of(resumed) == "stop and resume"
    right = exchange(resumed, reply({**SAYS, 24: " three"}, [*sound, range(24, 26)]))
    assert scores(suite, [right])["success"] == 1.0
    silent_after = scores(suite, [exchange(resumed, reply(SAYS, sound))])
    assert (silent_after["stop_rate"], silent_after["success"]) == (1.0, 0.0)


def test_what_rings_on_after_the_last_turn_is_counted_to_the_millisecond() -> None:
    outputs = reply(SAYS, [range(5, 7), range(10, 16)])
    ring = np.zeros(OUT_SAMPLES_PER_TURN, np.float32)
    ring[: out_samples(25)] = 0.1
    outputs[16] = replace(outputs[16], audio=ring)
    assert scores(InterruptionSuite(), [exchange(STOPPED, outputs)])["stop_ms"] == 325.0


# --- the others ---------------------------------------------------------------------------------------------------


def test_one_spoken_turn_breaks_a_silence() -> None:
    alone = episode(heard=words(("hello", 300, 700)), said=(), quiets=[Quiet(from_ms=300, to_ms=900)])
    suite = SilenceSuite()
    assert scores(suite, [exchange(alone, reply({}, []), NOT_MEANT)])["accuracy"] == 1.0
    found = scores(suite, [exchange(alone, reply({}, [range(30, 31)]), NOT_MEANT)])
    assert found["accuracy"] == 0.0, "after the talk counts too"
    assert found["quiet_turns"] == 39 / 40


def test_an_answer_counts_however_wrong_it_is() -> None:
    asked = episode(heard=words(("count", 300, 700)), said=words(("one", 1030, 1300)), expectations=[expect("one", 5)])
    suite = SilenceSuite()
    assert scores(suite, [exchange(asked, reply({}, [range(5, 6)]), ASKED)])["answer_rate"] == 1.0
    assert scores(suite, [exchange(asked, reply({}, [range(25, 26)]), ASKED)])["answer_rate"] == 0.0, "too late"


def test_the_transcript_is_compared_in_normal_form() -> None:
    heard = episode(heard=words(("count", 0, 300), ("to", 300, 400), ("twenty", 400, 700), ("one", 700, 900)), said=())
    suite = TranscriptSuite()
    right = exchange(heard, reply({}, [], hears={2: " Count to", 4: " twen", 5: "ty one."}), SYNTHETIC)
    assert scores(suite, [right])["wer"] == 0.0
    wrong = exchange(heard, reply({}, [], hears={2: " count two", 5: " twenty one more"}), SYNTHETIC)
    assert scores(suite, [wrong])["wer"] == 0.5


def test_speech_is_judged_by_what_the_recogniser_makes_of_its_sound() -> None:
    asked = episode(heard=words(("say", 0, 300)), said=())
    says = exchange(asked, reply({5: " one", 6: " two"}, [range(5, 9)]))
    clips: list[int] = []

    def half_deaf(samples: np.ndarray, hz: int) -> str:
        clips.append(len(samples))
        return "1 too"

    suite = SpeechSuite(half_deaf)
    assert scores(suite, [says])["wer"] == 0.5
    assert clips == [len(speech_samples(says.outputs))]


def test_speech_is_set_beside_perfect_mel_and_beside_the_wrong_words() -> None:
    class WithVocoder(Silent):
        def give_sound(self, outputs):
            return [
                replace(o, audio=np.zeros(OUT_SAMPLES_PER_TURN, np.float32) if o.is_speaking else None) for o in outputs
            ]

    reference_reply = [replace(output, audio=None) for output in reply({5: " one"}, [range(5, 8)])]
    asked = replace(episode(heard=(), said=()), outputs=reference_reply)
    exchanges = [
        Exchange(case=Case(key=word, kind="by-hand", episode=asked), outputs=reply({5: f" {word}"}, [range(5, 8)]))
        for word in ("one", "two", "six")
    ]
    suite = SpeechSuite(lambda *_: "one")
    assert scores(suite, exchanges)["wer"] == pytest.approx(2 / 3)
    assert suite.controls(exchanges, WithVocoder()) == {"reference": {"wer": 0.0}, "shuffled": {"wer": 0.6667}}
    assert "reference" not in suite.controls(exchanges, Silent()), "a subject without a vocoder has no such bound"


def test_texts_that_are_read_have_a_row_of_their_own_in_the_error_rate_of_speech() -> None:
    asked = episode(heard=(), said=())
    exchanges = [
        Exchange(case=Case(key=kind, kind=kind, episode=asked), outputs=reply({5: f" {word}"}, [range(5, 8)]))
        for kind, word in (("every-seconds", "one"), ("in-seconds", "two"), ("read-aloud", "two"))
    ]
    found = scores(SpeechSuite(lambda *_: "one"), exchanges)
    assert found == {"wer": 0.5, "wer/every-seconds": 0.0, "wer/in-seconds": 1.0, "wer/read-aloud": 1.0}


def test_who_says_nothing_has_no_word_error_rate() -> None:
    mute = exchange(episode(heard=(), said=()), reply({}, []))
    metric = SpeechSuite(lambda *_: "one").summarise([SpeechSuite().judge(mute)])["wer"]
    assert metric.value is None
    assert metric.count == 0


def test_pauses_are_shortened_for_the_recogniser() -> None:
    samples = speech_samples(reply({}, [range(5, 7), range(30, 31)]))
    assert len(samples) == (4 + 2 + 4 + 1 + 1) * OUT_SAMPLES_PER_TURN  # pause, 2 turns, pause, 1 turn, tail


def test_speech_without_samples_is_refused() -> None:
    outputs = [replace(output, audio=None) for output in reply({5: " one"}, [range(5, 7)])]
    with pytest.raises(ValueError, match="vocoder"):
        speech_samples(outputs)


# --- scenarios from outside ---------------------------------------------------------------------------------------

OUTSIDE = """
from microturn.data.scenarios import Scenario
from microturn.turns.timing import turn_start_ms

def play(stage, at_ms):
    end = stage.user("say moo", at_ms)
    said = stage.model("moo", stage.answer_turn(end))
    return turn_start_ms(said.end_turn + 1)

MOO = Scenario(name="moo-{tag}", summary="says moo", play=play)
"""


def test_a_scenario_file_goes_through_the_same_scorers(tmp_path) -> None:
    path = tmp_path / "moo.py"
    path.write_text(OUTSIDE.format(tag="right"))
    suite = OwnScenarios(load_scenarios(path))
    cases = suite.draw(Playbook(play_mute), 3)
    exchanges = [reference(case) for case in cases]
    assert scores(suite, exchanges) == {"accuracy": 1.0, "accuracy/moo-right": 1.0, "wer": 0.0}
    assert suite.controls(exchanges, Silent())["silent"] == {"accuracy": 0.0}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = 1", "defines no scenario"),
        ("import no_such_module", "does not run: ModuleNotFoundError"),
        (OUTSIDE.format(tag="").replace("moo-", "count-aloud"), "named 'count-aloud' already"),
    ],
)
def test_a_scenario_file_that_cannot_be_used_says_why(tmp_path, text: str, problem: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(ValueError, match=problem):
        load_scenarios(path)


def test_a_scenario_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(ValueError, match="no Python file"):
        load_scenarios(tmp_path / "absent.py")
