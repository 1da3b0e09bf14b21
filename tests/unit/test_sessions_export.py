"""A recorded session as a Matroska file: what was said, heard, seen and typed is in it, at its time."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from microturn.cli import app
from microturn.engine.journal import SessionRecord, SqliteJournal, TurnRecord
from microturn.errors import JournalError, MediaError
from microturn.recorded import JOURNAL_NAME, export_sessions
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Role, TextEvent
from microturn.turns.timing import IN_SAMPLES_PER_TURN, OUT_HZ, OUT_SAMPLES_PER_TURN
from microturn.turns.trace import TurnTrace
from microturn.turns.video import VideoFrame

USER = (0.3 * np.sin(2 * np.pi * 500 * np.arange(IN_SAMPLES_PER_TURN) / 16_000)).astype(np.float32)
MODEL = (0.3 * np.sin(2 * np.pi * 1_500 * np.arange(OUT_SAMPLES_PER_TURN) / OUT_HZ)).astype(np.float32)
NUM_TURNS = 40
HEARD, SAID, SEEN = range(5), range(10, 20), range(6, 9)


def turn(index: int) -> TurnRecord:
    """The user speaks first, types, shows something; the model answers."""
    quiet = np.zeros(IN_SAMPLES_PER_TURN, np.float32)
    sizes = {6: (48, 64), 7: (64, 48)}
    pictures = tuple(
        VideoFrame(time_ms=200 * index + 100 * each, pixels=np.full((*sizes.get(index, (48, 64)), 3), 200, np.uint8))
        for each in range(2 if index in SEEN else 0)
    )
    typed = (TextEvent(role=Role.USER, text="<b>read</b> {\\an8}this"), TextEvent(role=Role.SYSTEM, text="be brief"))
    return TurnRecord(
        session_id="talk",
        input=MicroTurnInput(
            index=index,
            audio=USER if index in HEARD else quiet,
            frames=pictures,
            events=typed if index == 3 else (),
        ),
        output=MicroTurnOutput(
            index=index,
            hear=" hello there" if index == 2 else "",
            say=" one two three" if index in SAID else "",
            audio=MODEL if index in SAID else None,
        ),
        tokens=(),
        trace=TurnTrace(index=index),
    )


@pytest.fixture
def record(tmp_path: Path) -> Path:
    journal = SqliteJournal(tmp_path / JOURNAL_NAME)
    journal.open_session(SessionRecord(session_id="empty", seed=1, model_hash="w", created_s=1.0), "a")
    journal.open_session(SessionRecord(session_id="talk", seed=1, model_hash="w", created_s=1_767_225_600.0), "b")
    journal.append([turn(index) for index in range(NUM_TURNS)])
    journal.close_session("talk")
    journal.close()
    return tmp_path


def sound(path: Path, stream: int) -> NDArray[np.float32]:
    """Samples (num_channels, num_samples) at 48 kHz of a sound track."""
    with av.open(str(path)) as film:
        resampler = av.AudioResampler(format="fltp", rate=48_000)
        frames = [frame for each in film.decode(audio=stream) for frame in resampler.resample(each)]
        return np.concatenate([frame.to_ndarray() for frame in frames], axis=1).astype(np.float32)


def level(samples: NDArray[np.float32], start_ms: int, end_ms: int) -> float:
    return float(np.sqrt(np.mean(samples[start_ms * 48 : end_ms * 48] ** 2)))


def lines(path: Path) -> list[tuple[int, int, str]]:
    with av.open(str(path)) as film:
        packets = [packet for packet in film.demux(film.streams.subtitles[0]) if packet.size]
        return [
            (packet.pts or 0, (packet.pts or 0) + (packet.duration or 0), bytes(packet).decode()) for packet in packets
        ]


def test_both_voices_are_there_together_and_each_by_itself(record: Path, tmp_path: Path) -> None:
    (path,) = export_sessions(record, ["latest"], tmp_path / "out")
    assert path == tmp_path / "out" / "talk.mkv"
    with av.open(str(path)) as film:
        assert film.metadata["title"] == "talk"
        assert film.metadata["creation_time"].startswith("2026-01-01T00:00:00")
        assert [stream.metadata["title"] for stream in film.streams.audio] == ["conversation", "user", "model"]
        assert [stream.channels for stream in film.streams.audio] == [2, 1, 1]
    both, (user,), (model,) = (sound(path, stream) for stream in range(3))
    for left, right in ((both[0], both[1]), (user, model)):
        assert level(left, 100, 900) > 0.15
        assert level(right, 100, 900) < 0.02
        assert level(left, 2_500, 4_000) < 0.02
        assert level(right, 2_500, 4_000) > 0.15  # the answer to turn 10 sounds from 2,300 ms on
    onset = int(np.argmax(np.abs(model) > 0.1)) / 48
    assert onset == pytest.approx(2_300, abs=20)


def test_captions_are_where_they_were_heard_and_said_and_short_enough_to_read(record: Path, tmp_path: Path) -> None:
    (path,) = export_sessions(record, ["talk"], tmp_path / "out")
    told = lines(path)
    assert (told[0][0], told[0][2]) == (400, "user: hello there")
    assert (told[1][0], told[1][2]) == (600, "user, typed: ‹b›read‹/b› (/an8)this")
    said = told[2:]
    assert said[0][0] == 2_300
    assert all(text.startswith("model: ") and len(text) < 90 for _, _, text in said)
    assert " ".join(text.removeprefix("model: ") for _, _, text in said) == " ".join(["one two three"] * 10)
    assert all(start < end for start, end, _ in told)


def test_pictures_of_all_sizes_are_shown_at_their_time(record: Path, tmp_path: Path) -> None:
    (path,) = export_sessions(record, ["talk"], tmp_path / "out")
    with av.open(str(path)) as film:
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in film.decode(video=0)]
    assert [time_s for time_s, _ in frames] == pytest.approx([1.2, 1.3, 1.4, 1.5, 1.6, 1.7], abs=0.002)
    assert {picture.shape for _, picture in frames} == {(64, 64, 3)}
    assert frames[0][1][32, 32].mean() > 150
    assert frames[0][1][0, 32].mean() < 60
    assert frames[2][1][32, 0].mean() < 60


def test_the_turns_lie_beside_it(record: Path, tmp_path: Path) -> None:
    (path,) = export_sessions(record, ["talk"], tmp_path / "out")
    turns = [json.loads(line) for line in path.with_suffix(".jsonl").read_text().splitlines()]
    assert [each["index"] for each in turns] == list(range(NUM_TURNS))
    assert turns[2]["hear"] == " hello there"


def test_the_command_writes_all_there_are_also_one_in_which_nothing_happened(record: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["sessions", "export", "--record", str(record), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert {each.name for each in (tmp_path / "out").iterdir()} == {
        "empty.jsonl",
        "empty.mkv",
        "talk.jsonl",
        "talk.mkv",
    }


def test_an_unknown_name_writes_nothing(record: Path, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no session 'none'"):
        export_sessions(record, ["talk", "none"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_none_is_told(record: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(MediaError, match="choose another"):
        export_sessions(record, ["talk"], tmp_path / "file" / "out")
