"""Recorded conversations become episodes on the model's own clock, and bad ones say what is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from microturn.data.recordings import import_recordings, read_manifest, to_episode
from microturn.data.shards import list_shards, read_index
from microturn.data.voices.hibari import HibariVoice
from microturn.data.voices.utterance import shifted
from microturn.errors import MediaError
from microturn.features.mel import mel
from microturn.features.phones import PAUSE, UNKNOWN_PHONE, phones_by_patch
from microturn.features.tokenizer import Tokenizer
from microturn.turns.timing import OUT_HZ, TURN_MS

TOKENIZER = Tokenizer.train([" how late is it half past nine"] * 9, 300)
SAID = [{"text": "half past nine", "start_ms": 1700, "end_ms": 2600}]
HEARD = [{"text": "how late is it", "start_ms": 300, "end_ms": 1250}]


def tone(start_ms: int, end_ms: int, hz: float, *, total_ms: int = 3400, rate: int = OUT_HZ) -> np.ndarray:
    time_S = np.arange(total_ms * rate // 1000) / rate
    inside = (time_S * 1000 >= start_ms) & (time_S * 1000 < end_ms)
    return (0.3 * np.sin(2 * np.pi * hz * time_S) * inside).astype(np.float32)


def write_manifest(folder: Path, *lines: object) -> None:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "manifest.jsonl").write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    user, model = tone(300, 1250, 300), tone(1700, 2600, 500)
    soundfile.write(tmp_path / "both.wav", np.stack([user, model], 1), OUT_HZ)
    soundfile.write(tmp_path / "user.wav", user, OUT_HZ)
    soundfile.write(tmp_path / "model.wav", model, OUT_HZ)
    write_manifest(
        tmp_path,
        {
            "stereo": "both.wav",
            "said_by_user": HEARD,
            "said_by_model": SAID,
            "events": [{"at_ms": 250, "role": "system", "text": "be brief"}],
        },
    )
    return tmp_path


def test_both_sides_land_in_their_turns(folder: Path) -> None:
    episode = to_episode(next(read_manifest(folder)), folder, 0)
    assert [w.text for w in episode.heard] == ["how", "late", "is", "it"]
    assert "".join(o.hear for o in episode.outputs) == " how late is it"
    assert "".join(o.say for o in episode.outputs) == " half past nine"
    assert episode.inputs[1].events[0].text == "be brief"
    # What sounds at 1700 ms was said in the turn before: output k is played one micro-turn later.
    speaking = [o.index for o in episode.outputs if o.is_speaking]
    assert speaking == list(range(1640 // TURN_MS - 1, 2660 // TURN_MS))
    assert episode.outputs[speaking[0]].say.startswith(" half")
    heard_samples = np.concatenate([turn.audio for turn in episode.inputs])
    assert np.abs(heard_samples[: 16 * 290]).max() < 0.01 < np.abs(heard_samples[16 * 310 : 16 * 1240]).max()


def test_the_models_sound_is_the_recordings(folder: Path) -> None:
    episode = to_episode(next(read_manifest(folder)), folder, 0)
    recorded = mel(tone(1700, 2600, 500))[16 * 9 : 16 * 13]  # 1800 to 2600 ms, a whole word inside
    said = np.concatenate([episode.outputs[k].mel for k in range(8, 12)])  # type: ignore[arg-type]
    is_loud = recorded > -6  # below, the file's 16 bits are heard
    np.testing.assert_allclose(said[is_loud], recorded[is_loud], atol=0.05)


def test_two_files_are_as_good_as_two_channels(folder: Path) -> None:
    stereo = to_episode(next(read_manifest(folder)), folder, 0)
    write_manifest(folder, {"user": "user.wav", "model": "model.wav", "said_by_user": HEARD, "said_by_model": SAID})
    apart = to_episode(next(read_manifest(folder)), folder, 0)
    for one, other in zip(stereo.outputs, apart.outputs, strict=True):
        assert (one.hear, one.say) == (other.hear, other.say)


def test_a_shard_holds_every_conversation(folder: Path) -> None:
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8")
    (folder / "manifest.jsonl").write_text(f"{lines}\n\n{lines}", encoding="utf-8")
    count, hours = import_recordings(folder, folder / "shards" / "00000.tar", TOKENIZER)
    assert count == sum(len(read_index(shard)) for shard in list_shards(folder / "shards")) == 2
    assert hours == pytest.approx(2 * 3.4 / 3600)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 1"),
        ({"stereo": "a.wav", "user": "b.wav", "model": "c.wav"}, "name one"),
        ({"stereo": "a.wav", "said_by_user": [{"text": "Hello", "start_ms": 0, "end_ms": 1}]}, "said_by_user.0.text"),
        ({"stereo": "a.wav", "said_by_user": [{"text": "hello", "start_ms": 9, "end_ms": 1}]}, "before it starts"),
        ({"stereo": "a.wav", "events": [{"at_ms": 0, "role": "nobody", "text": "x"}]}, "role"),
        ({"stereo": "absent.wav"}, "absent.wav"),
        ({"stereo": "user.wav"}, "1 channels"),
    ],
)
def test_a_bad_line_is_named(folder: Path, line: object, complaint: str) -> None:
    write_manifest(folder, line)
    with pytest.raises(MediaError, match=complaint):
        import_recordings(folder, folder / "shards" / "00000.tar", TOKENIZER)
    assert not list_shards(folder)


def test_the_phones_of_the_models_side_are_found_by_an_aligner(tmp_path: Path) -> None:
    """They are those that the synthesiser of that side had planned; where nobody knows the words they are unknown."""
    utterance = HibariVoice().say("she sells fish and chips at six")
    track = np.zeros(OUT_HZ * 4, np.float32)
    track[OUT_HZ : OUT_HZ + len(utterance.samples)] = utterance.samples
    soundfile.write(tmp_path / "model.wav", track, OUT_HZ)
    soundfile.write(tmp_path / "user.wav", np.zeros_like(track), OUT_HZ)
    files = {"user": "user.wav", "model": "model.wav", "said_by_user": []}
    item = {"text": utterance.text, "start_ms": 1000, "end_ms": 1000 + utterance.duration_ms}
    write_manifest(tmp_path, {**files, "said_by_model": [item]}, {**files, "said_by_model": [item | {"text": "zzxq"}]})
    known, unknown = (to_episode(line, tmp_path, 0) for line in read_manifest(tmp_path))
    planned = phones_by_patch(shifted(utterance.phones, 1000 - TURN_MS), 80)
    found = {o.index * 4 + k: phone for o in known.outputs for k, phone in enumerate(o.phones)}
    assert len(found) >= 4 * 10
    agree = np.mean([planned[place] == phone for place, phone in found.items()])
    assert agree > 0.6  # vowels without stress have two names, and edges lie a patch apart
    assert {phone for o in unknown.outputs for phone in o.phones} <= {PAUSE, UNKNOWN_PHONE}
