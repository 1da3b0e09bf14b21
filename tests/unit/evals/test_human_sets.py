"""Human recordings as sessions, each set a row of its own."""

import json
from pathlib import Path

import numpy as np
import pytest
from mute import play_mute

from microturn.data.human import measure
from microturn.errors import MediaError
from microturn.evals.exchange import Exchange, reference
from microturn.evals.human_sets import CLIPS_PER_SESSION, GAP_MS, LEAD_MS, PEAK, human_cases, human_set_names
from microturn.evals.playbook import Playbook, heldout_play
from microturn.evals.runner import run_suites
from microturn.evals.subject import Silent
from microturn.evals.suites.transcript import TranscriptSuite
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import IN_HZ, in_samples

soundfile = pytest.importorskip("soundfile", reason="comes with the data extra")

DIGITS = ("one", "two", "three", "four", "five", "six", "seven")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Seven tones that are said to be digits."""
    folder = tmp_path / "heldout" / "fsdd_digits"
    folder.mkdir(parents=True)
    tone = 0.1 * np.sin(np.arange(in_samples(400)) * 0.2)
    lines: list[str] = []
    for digit in DIGITS:
        soundfile.write(folder / f"{digit}.wav", tone, IN_HZ)
        lines.append(json.dumps({"file": f"{digit}.wav", "norm": digit, "speaker": "theo", "language": "en"}))
    (folder / "manifest.jsonl").write_text("\n".join(lines))
    return tmp_path


def test_recordings_without_word_times_are_no_part_of_plays_and_that_is_said(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MICROTURN_CACHE", str(data_dir / "cache"))
    with pytest.raises(MediaError, match=r"0 of the 7 held-out.*`microturn data align --part heldout"):
        heldout_play(data_dir)
    settings = [run_suites([], Silent(), limit=1, data_dir=data_dir, play=play_mute).settings]
    measure("heldout", data_dir)
    settings.append(run_suites([], Silent(), limit=1, data_dir=data_dir, play=play_mute).settings)
    assert [found["human recordings"] for found in settings] == ["no", len(DIGITS)]


def test_clips_are_joined_into_sessions_with_silence_between(data_dir: Path) -> None:
    assert human_set_names(data_dir) == ["fsdd_digits"]
    first, second = human_cases(data_dir, "fsdd_digits", 100, seed=0)
    assert len(first.episode.heard) == CLIPS_PER_SESSION
    assert len(second.episode.heard) == 1
    sound = np.concatenate([turn.audio for turn in first.episode.inputs])
    assert np.abs(sound).max() == pytest.approx(PEAK)
    assert not sound[: in_samples(LEAD_MS)].any()
    gap_start = in_samples(LEAD_MS + 400)
    assert not sound[gap_start : gap_start + in_samples(GAP_MS)].any()


def test_a_seed_chooses_the_clips(data_dir: Path) -> None:
    chosen = [human_cases(data_dir, "fsdd_digits", 3, seed)[0].episode.heard for seed in (0, 0, 1)]
    texts = [[word.text for word in heard] for heard in chosen]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


def test_human_rows_stand_apart_from_synthetic_ones(data_dir: Path) -> None:
    suite = TranscriptSuite()
    cases = suite.draw(Playbook(play_mute, data_dir=data_dir), 5)
    deaf_to_humans = [
        Exchange(case=case, outputs=[MicroTurnOutput(index=k) for k in range(len(case.episode.inputs))])
        if case.kind == "fsdd_digits"
        else reference(case)
        for case in cases
    ]
    figures = suite.summarise([suite.judge(exchange) for exchange in deaf_to_humans])
    assert figures["wer"].value == 0.0
    assert (figures["wer_human"].value, figures["wer_human"].count) == (1.0, len(DIGITS))
    assert figures["wer_human/fsdd_digits"].value == 1.0
    assert figures["wer_human/wuw_corpus_ii"].note.startswith("not run")
