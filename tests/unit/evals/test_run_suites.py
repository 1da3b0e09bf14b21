"""A run from scenarios to the result file."""

import io
import json
import wave
from dataclasses import replace

import numpy as np
import pytest
from mute import play_mute
from rich.console import Console

from microturn.data.episode import Episode
from microturn.evals.report import Report
from microturn.evals.runner import named_suites, run_suites
from microturn.evals.subject import Session, Silent
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import IN_SAMPLES_PER_TURN

BEHAVIOUR = ("time", "interruption", "repeat", "text", "background-sound", "silence", "transcript")


class Counted(Silent):
    """Silence that remembers how often it was asked."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def answer(self, sessions: "list[Session]") -> list[list[MicroTurnOutput]]:
        self.lengths += [len(session) for session in sessions]
        return super().answer(sessions)


@pytest.fixture(scope="module")
def report() -> Report:
    return run_suites(named_suites(BEHAVIOUR), Silent(), limit=4, play=play_mute)


def test_the_result_file_has_the_fixed_form(report: Report, tmp_path) -> None:
    report.write(tmp_path / "results" / "silent.json")
    found = json.loads((tmp_path / "results" / "silent.json").read_text())
    assert {"commit", "machine", "model", "suites"} <= set(found)
    assert found["model"] == "silent"
    assert list(found["suites"]) == list(BEHAVIOUR)
    figure = found["suites"]["time"]["metrics"]["accuracy"]
    assert figure["value"] == 0
    assert figure["count"] >= 4
    assert figure["unit"] == "fraction"
    assert len(figure["ci95"]) == 2
    assert found["suites"]["time"]["controls"]["reference"] == {"accuracy": 1.0}
    assert found["suites"]["transcript"]["metrics"]["wer_human"]["value"] is None


def test_the_table_shows_every_figure(report: Report) -> None:
    text = io.StringIO()
    report.print(Console(file=text, width=200))
    for word in ("stop_rate", "success", "answer_rate", "wer_human", "not run", "always-talking"):
        assert word in text.getvalue()


def test_a_case_is_answered_once_however_many_suites_ask() -> None:
    subject = Counted()
    run_suites(named_suites(["time"]), subject, limit=4, play=play_mute)
    num_alone = len(subject.lengths)
    both = Counted()
    run_suites([*named_suites(["time"]), *named_suites(["time"])], both, limit=4, play=play_mute)
    assert len(both.lengths) == num_alone
    assert both.lengths == sorted(both.lengths), "sessions of like length are answered together"


def test_examples_are_kept(tmp_path) -> None:
    run_suites(named_suites(["repeat"]), Silent(), limit=1, play=play_mute, out_dir=tmp_path)
    folder = tmp_path / "repeat-after-me-0"
    assert json.loads((folder / "verdict.json").read_text())["repeat"]["is_right"] is False
    turns = [json.loads(line) for line in (folder / "turns.jsonl").read_text().splitlines()]
    wanted = [json.loads(line) for line in (folder / "reference.jsonl").read_text().splitlines()]
    assert not any(turn["say"] for turn in turns)
    assert any(turn["say"] for turn in wanted)
    with wave.open(str(folder / "mix.wav")) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 24000)
        assert file.getnframes() >= len(turns) * 4800
    assert "did not begin" in (folder / "timeline.html").read_text()


def test_a_gain_changes_what_is_heard_and_nothing_else() -> None:
    class Listening(Counted):
        def answer(self, sessions: "list[Session]") -> list[list[MicroTurnOutput]]:
            self.peaks = [max(float(np.abs(turn.audio).max()) for turn in session) for session in sessions]
            self.texts = [[turn.events for turn in session] for session in sessions]
            return super().answer(sessions)

    def play_hummed(name: str, seed: int) -> Episode:
        episode = play_mute(name, seed)
        hum = (0.1 * np.sin(np.arange(IN_SAMPLES_PER_TURN) / 8)).astype(np.float32)
        return replace(episode, inputs=[replace(turn, audio=hum) for turn in episode.inputs])

    loud, quiet, clipped = Listening(), Listening(), Listening()
    for subject, gain_db in ((loud, 0.0), (quiet, -20.0), (clipped, 40.0)):
        report = run_suites(named_suites(["text"]), subject, limit=2, play=play_hummed, input_gain_db=gain_db)
        assert report.settings.get("input gain db") == (f"{gain_db:g}" if gain_db else None)
    assert quiet.peaks == pytest.approx([peak / 10 for peak in loud.peaks])
    assert max(clipped.peaks) == 1.0
    assert quiet.texts == loud.texts
    assert quiet.lengths == loud.lengths


def test_other_seeds_are_other_cases() -> None:
    drawn = [
        run_suites(named_suites(["repeat"]), Silent(), limit=3, seed=seed, play=play_mute).suites["repeat"]
        for seed in (0, 1)
    ]
    assert drawn[0].metrics["word_accuracy"].count != drawn[1].metrics["word_accuracy"].count


def test_an_unknown_suite_is_named() -> None:
    with pytest.raises(ValueError, match=r"no suite 'tiem': choose from time, interruption.*or all"):
        named_suites(["time", "tiem"])


def test_all_is_every_suite() -> None:
    sight = ("sight", "count", "commentary")
    later = ("cue", "turns", "correction", "memory", "translation", "instructions", "echo")
    assert [suite.name for suite in named_suites(["all"])] == [*BEHAVIOUR, "speech", *sight, "delegation", *later]


def test_a_subject_that_skips_turns_is_refused() -> None:
    class Short(Silent):
        def answer(self, sessions: "list[Session]") -> list[list[MicroTurnOutput]]:
            return [outputs[:-1] for outputs in super().answer(sessions)]

    with pytest.raises(ValueError, match="answers every micro-turn"):
        run_suites(named_suites(["repeat"]), Short(), limit=1, play=play_mute)


def test_a_subject_that_is_shown_no_pictures_has_no_score_for_seeing() -> None:
    class Unshown(Silent):
        is_sighted = False

    suites = named_suites(["sight", "count", "commentary", "memory"])
    for subject, is_run in ((Unshown(), False), (Silent(), True)):
        found = run_suites(suites, subject, limit=4, play=play_mute).suites
        for name in ("sight", "count", "commentary"):
            figures = [m for key, m in found[name].metrics.items() if not key.endswith(("lag_ms", "/real-video"))]
            assert {figure.value is not None for figure in figures} == {is_run}
            assert is_run or all("shown no pictures" in figure.note for figure in figures)
            assert found[name].controls["reference"][next(iter(found[name].controls["reference"]))] is not None
        assert (found["memory"].metrics["shown"].value is not None) == is_run
        assert found["memory"].metrics["recall"].value == 0


def test_a_subject_that_cannot_hear_itself_has_no_score_for_that() -> None:
    figures = run_suites(named_suites(["echo"]), Silent(), limit=4, play=play_mute).suites["echo"].metrics
    assert figures["accuracy"].value is None
    assert "never heard itself" in figures["accuracy"].note
    assert figures["accuracy/without"].value == 0
