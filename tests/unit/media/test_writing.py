"""Files that are whole or absent, and a mix in which each side sounds when it sounded."""

import stat
import wave
from pathlib import Path

import numpy as np
import pytest

from microturn.errors import MediaError
from microturn.media.atomic import replacing
from microturn.media.mixing import ConversationWriter, playback_start_ms
from microturn.media.writing import WavWriter
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import (
    IN_SAMPLES_PER_TURN,
    OUT_HZ,
    OUT_SAMPLES_PER_TURN,
    PLAYOUT_OFFSET_MS,
    TURN_MS,
    out_samples,
)


def read(path) -> np.ndarray:
    """(num_samples, num_channels) int16."""
    with wave.open(str(path)) as file:
        assert file.getframerate() == OUT_HZ
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())


def speech(index: int, value: float, *, is_clear: bool = False) -> MicroTurnOutput:
    return MicroTurnOutput(
        index=index, is_clear=is_clear, audio=np.full(OUT_SAMPLES_PER_TURN, value, np.float32), say=" x"
    )


def turn(index: int, audio: np.ndarray | None = None) -> MicroTurnInput:
    return MicroTurnInput(index=index, audio=np.zeros(IN_SAMPLES_PER_TURN, np.float32) if audio is None else audio)


def conversation(tmp_path, outputs: dict[int, MicroTurnOutput], num_turns: int, audio: np.ndarray | None = None):
    with ConversationWriter.writing(tmp_path / "reply.wav", tmp_path / "mix.wav") as writer:
        for index in range(num_turns):
            part = None if audio is None else audio[index * IN_SAMPLES_PER_TURN :][:IN_SAMPLES_PER_TURN]
            writer.add(turn(index, part), outputs.get(index, MicroTurnOutput(index=index)))
    return read(tmp_path / "reply.wav"), read(tmp_path / "mix.wav")


def test_the_answer_to_a_turn_sounds_in_the_next_after_the_playout_offset(tmp_path):
    reply, mix = conversation(tmp_path, {2: speech(2, 0.5), 4: speech(4, 0.25)}, num_turns=6)
    sounding = np.flatnonzero(reply[:, 0] == 0.5 * 32768)
    assert sounding[0] == out_samples(3 * TURN_MS + PLAYOUT_OFFSET_MS)
    assert len(sounding) == OUT_SAMPLES_PER_TURN
    assert np.flatnonzero(reply[:, 0] == 0.25 * 32768)[0] == out_samples(playback_start_ms(4))
    assert np.array_equal(mix[:, 1], reply[:, 0])
    assert not mix[:, 0].any()


def test_the_last_answer_is_heard_to_its_end(tmp_path):
    reply, mix = conversation(tmp_path, {1: speech(1, 0.5)}, num_turns=2)
    assert len(reply) == len(mix) == out_samples(playback_start_ms(1)) + OUT_SAMPLES_PER_TURN


def test_the_user_is_on_the_left_at_the_time_at_which_he_spoke(tmp_path):
    time_s = np.arange(5 * IN_SAMPLES_PER_TURN) / 16_000
    audio = (0.3 * np.sin(2 * np.pi * 300 * time_s)).astype(np.float32)
    _, mix = conversation(tmp_path, {}, num_turns=5, audio=audio)
    expected = 0.3 * np.sin(2 * np.pi * 300 * np.arange(len(mix)) / OUT_HZ)
    assert len(mix) == pytest.approx(5 * OUT_SAMPLES_PER_TURN, abs=2)
    assert np.abs(mix[200:-200, 0] / 32768 - expected[200:-200]).max() < 1e-3
    assert not mix[:, 1].any()


def test_clear_drops_what_has_not_sounded_and_fades(tmp_path):
    reply, _ = conversation(tmp_path, {2: speech(2, 0.5), 3: MicroTurnOutput(index=3, is_clear=True)}, num_turns=6)
    cut = out_samples(4 * TURN_MS)
    assert reply[cut - 1, 0] == 0.5 * 32768
    assert not reply[cut + out_samples(5) :, 0].any()
    assert 0 < reply[cut + out_samples(2), 0] < 0.5 * 32768


def test_speech_that_comes_with_a_clear_is_heard(tmp_path):
    reply, _ = conversation(tmp_path, {2: speech(2, 0.5), 3: speech(3, 0.25, is_clear=True)}, num_turns=6)
    assert np.count_nonzero(reply[:, 0] == 0.25 * 32768) >= OUT_SAMPLES_PER_TURN
    assert np.count_nonzero(reply[:, 0] == 0.5 * 32768) <= out_samples(TURN_MS - PLAYOUT_OFFSET_MS) + 1


def test_a_file_is_replaced_only_by_a_whole_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(FileNotFoundError), replacing(path) as temporary:
        temporary.write_text("hal" + (tmp_path / "absent").read_text())
    assert path.read_text() == "before"
    with replacing(path) as temporary:
        temporary.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MediaError, match="choose another folder"), replacing(tmp_path / "gone" / "a.wav"):
        pass
    with pytest.raises(MediaError, match="choose another folder"):
        WavWriter(tmp_path / "gone" / "a.wav", rate_hz=OUT_HZ)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk to write to")
@pytest.mark.parametrize("num_samples", [100, 100_000])
def test_a_full_disk_is_told_whether_it_shows_while_writing_or_at_the_end(num_samples):
    with pytest.raises(MediaError, match="make room"), WavWriter(Path("/dev/full"), rate_hz=OUT_HZ) as file:
        file.write(np.zeros(num_samples, np.int16))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk to write to")
def test_a_full_disk_does_not_stand_in_for_the_error_that_is_under_way():
    def write_and_break(file):
        file.write(np.zeros(100, np.int16))
        raise RuntimeError("the model broke")

    with pytest.raises(RuntimeError, match="the model broke"), WavWriter(Path("/dev/full"), rate_hz=OUT_HZ) as file:
        write_and_break(file)
