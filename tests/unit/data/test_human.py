"""Human recordings: found through their manifests, timed once, decoded when asked for."""

import json
from pathlib import Path

import numpy as np
import pytest

from microturn.data import acoustics, human
from microturn.data.voices.hibari import HibariVoice
from microturn.errors import MediaError
from microturn.turns.timing import IN_HZ

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("pocketsphinx")

SENTENCE = "he walked along the river until the sun went down"


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two training sets and a held-out one, spoken by a synthesiser instead of people."""
    monkeypatch.setenv("MICROTURN_CACHE", str(tmp_path / "cache"))
    _write_set(tmp_path / "train" / "rhasspy_kathleen_en", {"a": SENTENCE, "b": "zqx vrrt plomb"})
    _write_set(tmp_path / "train" / "fsdd_digits", {"c": "seven"})
    _write_set(tmp_path / "heldout" / "speechocean762_test", {"d": SENTENCE, "e": "the boat is late again"})
    return tmp_path


def _write_set(folder: Path, texts: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    with (folder / "manifest.jsonl").open("w") as manifest:
        for name, text in texts.items():
            said = HibariVoice().say(text)
            samples = np.pad(acoustics.resample(said.samples, said.sample_rate, IN_HZ), IN_HZ // 2)
            soundfile.write(folder / f"{name}.flac", samples, IN_HZ)
            entry = {"file": f"{name}.flac", "norm": text, "speaker": "hibari", "language": "en"}
            manifest.write(json.dumps(entry) + "\n")


def _measure_here(data_dir: Path, part: human.Part, name: str) -> None:
    """What ``measure`` does, without its processes."""
    path = human._times_path(part, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        for entry in human._entries(part, data_dir, name, "en"):
            human._write_times(file, *human._measure_one((data_dir / part / name, entry)))


def test_a_sentence_is_timed_by_alignment_and_trimmed_on_loading(data_dir: Path) -> None:
    _measure_here(data_dir, "train", "rhasspy_kathleen_en")
    (utterance,) = human.clips("train", data_dir, ["rhasspy_kathleen_en"])

    said = HibariVoice().say(SENTENCE)
    assert [word.text for word in utterance.words] == SENTENCE.split()
    errors = [a.start_ms - b.start_ms for a, b in zip(utterance.words, said.words, strict=True)]
    assert float(np.ptp(errors)) < 120
    assert utterance.duration_ms < said.duration_ms + 3 * human.EDGE_MS
    assert utterance.voice == "human:rhasspy_kathleen_en:hibari"


def test_a_single_word_is_timed_by_its_energy(data_dir: Path) -> None:
    _measure_here(data_dir, "train", "fsdd_digits")
    (utterance,) = human.clips("train", data_dir, ["fsdd_digits"])
    (word,) = utterance.words
    assert word.text == "seven"
    assert utterance.duration_ms == pytest.approx(word.end_ms - word.start_ms + 2 * human.EDGE_MS, abs=40)


def test_unmeasured_recordings_are_left_out_of_training_and_kept_for_evaluation(data_dir: Path) -> None:
    assert len(human.clips("train", data_dir)) == 0
    untimed = human.clips("heldout", data_dir, is_timed=False)
    assert [clip.text for clip in untimed] == [SENTENCE, "the boat is late again"]
    assert [word.text for word in untimed[1].words] == ["the", "boat", "is", "late", "again"]


def test_a_text_that_does_not_fit_the_sound_is_dropped() -> None:
    said = HibariVoice().say(SENTENCE)
    samples = acoustics.resample(said.samples, said.sample_rate, IN_HZ)
    assert human.word_times(samples, {"norm": SENTENCE}) is not None
    assert human.word_times(samples, {"norm": "nine hundred purple elephants borrowed my umbrella yesterday"}) is None


def test_marks_made_by_hand_are_believed() -> None:
    entry = {"norm": "operator", "keyword": "operator", "keyword_start": 0.572, "keyword_end": 1.164}
    ((start, end),) = human.word_times(np.zeros(IN_HZ, np.float32), entry) or ()
    assert (start, end) == (pytest.approx(572), pytest.approx(1164))


def test_an_interrupted_measurement_goes_on_where_it_stopped(data_dir: Path) -> None:
    _measure_here(data_dir, "train", "rhasspy_kathleen_en")
    path = human._times_path("train", "rhasspy_kathleen_en")
    whole = human._read_times(path)
    path.write_text(path.read_text()[:-9])
    cut = human._read_times(path)
    assert cut == dict(list(whole.items())[:1])


def test_heldout_sentences_are_not_those_of_training(data_dir: Path) -> None:
    assert SENTENCE in human.sentences(data_dir)
    assert human.sentences(data_dir, part="heldout") == ("the boat is late again",)


def test_a_set_of_the_other_part_is_refused(data_dir: Path) -> None:
    with pytest.raises(ValueError, match="no set 'speechocean762_test' in train"):
        human.clips("train", data_dir, ["speechocean762_test"])


def test_an_unreadable_recording_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.flac").write_bytes(b"not sound")
    with pytest.raises(MediaError, match="cannot be decoded"):
        human.read(tmp_path / "x.flac")
