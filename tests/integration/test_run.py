"""`microturn run`: a recording in any container goes in; sound, lines and the picture come out, whole or not at all."""

import io
import json
import resource
import signal
import wave
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from microturn.engine.step import RowIn, RowOut
from microturn.errors import MediaError
from microturn.media.mixing import playback_start_ms
from microturn.media.reading import open_recording
from microturn.media.text_events import TimedText
from microturn.running.command import run_file, run_recording
from microturn.running.keeping import MIX, REPLY, TIMELINE, TURNS
from microturn.running.pump import Ending, RecordingPump, paced
from microturn.testing.clock import ManualClock
from microturn.testing.recordings import Pictures, Sound, tone, write_recording
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Role, TextEvent
from microturn.turns.timing import OUT_HZ, OUT_SAMPLES_PER_TURN, TURN_MS, out_samples, turn_start_ms
from microturn.turns.trace import TurnTrace

Answer = Callable[[MicroTurnInput], MicroTurnOutput]
LOUD = np.full(OUT_SAMPLES_PER_TURN, 0.5, np.float32)


class ScriptedRunner:
    """A runner that answers from a function of the input."""

    model_hash = "scripted"

    def __init__(self, answer: Answer = lambda turn: MicroTurnOutput(index=turn.index)) -> None:
        self.answer = answer
        self.inputs: list[MicroTurnInput] = []
        self.num_open = 0

    def open(self, seed: int) -> int:
        self.num_open += 1
        return 0

    def release(self, slot: int) -> None:
        self.num_open -= 1

    def step(self, rows: Sequence[RowIn], budget: object) -> list[RowOut]:
        self.inputs += [row.input for row in rows]
        trace = TurnTrace(index=rows[0].input.index, prefill_ms=20.0)
        return [RowOut(output=self.answer(row.input), tokens=(), trace=trace) for row in rows]

    def capture(self, slot: int) -> Callable[[], bytes]:
        raise NotImplementedError("files are not parked")

    def restore(self, state: bytes, seed: int) -> int:
        raise NotImplementedError("files are not parked")


def speaks_at(first: int, num_turns: int) -> Answer:
    def answer(turn: MicroTurnInput) -> MicroTurnOutput:
        if first <= turn.index < first + num_turns:
            return MicroTurnOutput(index=turn.index, say=f" w{turn.index}", audio=LOUD)
        return MicroTurnOutput(index=turn.index)

    return answer


def run(path: Path, runner: ScriptedRunner, out: Path, events: list[TimedText] | None = None) -> str:
    """Runs fast and returns what was printed."""
    printed = io.StringIO()
    console = Console(file=printed, width=100)
    run_recording(open_recording(path), events or [], runner, is_fast=True, out=out, console=console)
    return printed.getvalue()


def typed(at_ms: float, text: str) -> TimedText:
    return TimedText(at_ms=at_ms, event=TextEvent(role=Role.USER, text=text))


def read_wav(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert file.getframerate() == OUT_HZ
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.ogg", "a.flac", "v.mp4", "v.mkv", "v.webm"])
def test_any_container_gives_all_four_files(tmp_path, name):
    pictures = Pictures(num_frames=20, fps=10) if name.startswith("v") else None
    path = write_recording(tmp_path / name, sound=Sound(samples=tone(2.0)), pictures=pictures)
    runner = ScriptedRunner(speaks_at(5, 3))
    out = tmp_path / "new" / "out"
    printed = run(path, runner, out)
    assert sorted(file.name for file in out.iterdir()) == sorted([REPLY, MIX, TURNS, TIMELINE])
    lines = [json.loads(line) for line in (out / TURNS).read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(len(runner.inputs)))
    assert len(lines) == pytest.approx(2000 / TURN_MS + 10, abs=1), "the recording, then two seconds of silence"
    assert [line["speaking"] for line in lines[4:9]] == [False, True, True, True, False]
    assert lines[0]["compute_ms"]["all"] == 20.0
    assert lines[3]["level_db"] == pytest.approx(20 * np.log10(0.3 / np.sqrt(2)), abs=1)
    assert any(line["num_frames"] for line in lines) == (pictures is not None)
    mix, reply = read_wav(out / MIX), read_wav(out / REPLY)
    assert np.flatnonzero(mix[:, 1])[0] == np.flatnonzero(reply)[0] == out_samples(playback_start_ms(5))
    assert np.sqrt(np.mean(np.square(mix[: out_samples(1800), 0] / 32768))) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)
    page = (out / TIMELINE).read_text()
    assert name in page
    assert "w5 w6 w7" in page
    assert ("data:image/jpeg" in page) == (pictures is not None)
    assert "w5 w6 w7" in printed
    assert "20 ms" in printed
    assert runner.num_open == 0


def test_no_sample_of_the_recording_is_lost_or_made_up(tmp_path):
    samples = (np.arange(16_000 * 3 + 123) % 2000 / 4000).astype(np.float32)
    path = write_recording(tmp_path / "a.wav", sound=Sound(samples=samples, rate_hz=16_000))
    runner = ScriptedRunner()
    run(path, runner, tmp_path / "out")
    heard = np.concatenate([turn.audio for turn in runner.inputs])
    assert np.abs(heard[: len(samples)] - samples).max() < 1e-4
    assert not heard[len(samples) :].any()
    assert sum(turn.num_missing_samples for turn in runner.inputs) == 0


def test_frames_reach_the_turns_of_their_time(tmp_path):
    path = write_recording(tmp_path / "v.mp4", sound=Sound(samples=tone(2.0)), pictures=Pictures(num_frames=20, fps=10))
    runner = ScriptedRunner()
    run(path, runner, tmp_path / "out")
    for turn in runner.inputs[:10]:
        times_ms = [frame.time_ms for frame in turn.frames]
        start_ms = turn_start_ms(turn.index)
        assert times_ms == pytest.approx([start_ms, start_ms + 100])


def test_typed_text_enters_the_turn_of_its_time_and_is_waited_for(tmp_path):
    path = write_recording(tmp_path / "a.wav", sound=Sound(samples=tone(1.0)))
    runner = ScriptedRunner()
    events = [typed(0, "now"), *(typed(450, f"many {n}") for n in range(100)), typed(5_000, "later")]
    run(path, runner, tmp_path / "out", events)
    texts = {turn.index: [event.text for event in turn.events] for turn in runner.inputs if turn.events}
    assert texts == {0: ["now"], 2: [f"many {n}" for n in range(100)], 25: ["later"]}
    assert len(runner.inputs) == 26 + 10


def test_an_answer_to_the_end_of_the_recording_is_heard_out(tmp_path):
    path = write_recording(tmp_path / "a.wav", sound=Sound(samples=tone(1.0)))
    runner = ScriptedRunner(speaks_at(6, 30))
    run(path, runner, tmp_path / "out")
    assert len(runner.inputs) == 36 + 10
    assert len(read_wav(tmp_path / "out" / REPLY)) >= out_samples(playback_start_ms(35)) + OUT_SAMPLES_PER_TURN


def test_a_model_that_never_stops_is_stopped(tmp_path):
    path = write_recording(tmp_path / "a.wav", sound=Sound(samples=tone(1.0)))
    pump = RecordingPump(open_recording(path), ending=Ending(max_ms=4_000))
    for turn in pump.turns():
        pump.note(MicroTurnOutput(index=turn.index, audio=LOUD))
    assert turn.index + 1 == 5 + 20


def test_in_real_time_a_turn_comes_when_its_media_has_passed(tmp_path):
    path = write_recording(tmp_path / "a.wav", sound=Sound(samples=tone(1.0)))
    clock = ManualClock()
    slow = {2: 500.0}
    came_ms: list[float] = []
    for turn in paced(
        RecordingPump(open_recording(path)).turns(), clock=clock, sleep_s=lambda span: clock.advance_ms(span * 1000)
    ):
        came_ms.append(clock.now_ns() / 1e6)
        clock.advance_ms(slow.get(turn.index, 10.0))
    assert came_ms[:3] == [200, 400, 600]
    assert came_ms[3:6] == [1100, 1110, 1200], "what is late comes at once, and the clock is caught up with"


def test_an_interrupt_keeps_what_has_been_heard_so_far(tmp_path):
    def answer(turn: MicroTurnInput) -> MicroTurnOutput:
        if turn.index == 3:
            signal.raise_signal(signal.SIGINT)
        return MicroTurnOutput(index=turn.index)

    path = write_recording(tmp_path / "a.wav", sound=Sound(samples=tone(3.0)))
    runner = ScriptedRunner(answer)
    printed = run(path, runner, tmp_path / "out")
    assert len((tmp_path / "out" / TURNS).read_text().splitlines()) == 4
    assert "interrupted" in printed
    assert runner.num_open == 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_run_that_fails_leaves_nothing_and_keeps_the_one_before(tmp_path):
    path = write_recording(tmp_path / "a.wav", sound=Sound(samples=tone(1.0)))
    out = tmp_path / "out"
    run(path, ScriptedRunner(), out)
    before = {file.name: file.read_bytes() for file in out.iterdir()}

    def answer(turn: MicroTurnInput) -> MicroTurnOutput:
        if turn.index == 4:
            raise RuntimeError("the engine broke")
        return MicroTurnOutput(index=turn.index)

    with pytest.raises(RuntimeError, match="the engine broke"):
        run(path, ScriptedRunner(answer), out)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_bad_input_is_refused_before_a_model_is_loaded(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(MediaError, match="does not exist"):
        run_file(tmp_path / "nope.wav", model=tmp_path / "no-model", out=out)
    path = write_recording(tmp_path / "a.wav", sound=Sound(samples=tone(0.5)))
    (tmp_path / "events.jsonl").write_text("{}\n")
    with pytest.raises(MediaError, match="line 1"):
        run_file(path, text_path=tmp_path / "events.jsonl", model=tmp_path / "no-model", out=out)
    assert not out.exists()


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    path = write_recording(tmp_path / "a.wav", sound=Sound(samples=tone(0.5)))
    with pytest.raises(MediaError, match="choose another --out"):
        run(path, ScriptedRunner(), path)


def test_texts_that_all_come_at_one_moment_are_read(tmp_path):
    path = write_recording(tmp_path / "a.wav", sound=Sound(samples=tone(0.5)))
    runner = ScriptedRunner()
    run(path, runner, tmp_path / "out", [typed(100, letter * 16_000) for letter in "abcde"])
    assert [event.text[0] for event in runner.inputs[0].events] == list("abcde")


@contextmanager
def disk_of(num_bytes: int) -> Generator[None]:
    """No file may grow beyond so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", [MIX, TURNS, TIMELINE])
def test_a_full_disk_is_said_in_words_whichever_file_does_not_fit(tmp_path, name):
    path, out = write_recording(tmp_path / "a.wav", sound=Sound(samples=tone(0.5))), tmp_path / "out"
    events = [typed(100, "x" * 16_000)] * (60 if name == TURNS else 0)
    run(path, ScriptedRunner(), tmp_path / "whole", events)
    sizes = {file.name: file.stat().st_size for file in (tmp_path / "whole").iterdir()}
    size = sizes[name] - 1
    with disk_of(size), pytest.raises(MediaError, match="make room"):
        run(path, ScriptedRunner(), out, events)
    assert not list(out.iterdir())


def test_a_full_disk_does_not_stand_in_for_the_error_that_is_under_way(tmp_path):
    path = write_recording(tmp_path / "a.wav", sound=Sound(samples=tone(0.5)))

    def answer(turn: MicroTurnInput) -> MicroTurnOutput:
        raise RuntimeError("the engine broke")

    with disk_of(10), pytest.raises(RuntimeError, match="the engine broke"):
        run(path, ScriptedRunner(answer), tmp_path / "out")
