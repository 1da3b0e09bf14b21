"""The weights that ship: a first exchange, from sound to sound, as a newcomer would have it."""

import numpy as np
import pytest

from microturn.data.acoustics import resample
from microturn.data.voices.hibari import HibariVoice
from microturn.engine.loading import load_checkpoint
from microturn.engine.offline import answer_stream
from microturn.engine.runner import ModelRunner
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import IN_HZ, IN_SAMPLES_PER_TURN, turn_of_ms

pytest.importorskip("hibari", reason="hibari-tts is not installed: pip install 'microturn[data]'")


@pytest.fixture(scope="module")
def runner() -> ModelRunner:
    return ModelRunner(load_checkpoint())


def answers(runner: ModelRunner, samples: np.ndarray) -> list[MicroTurnOutput]:
    """What nano answers to a recording and the silence after it."""
    noise = np.random.default_rng(0).normal(0, 0.002, len(samples)).astype(np.float32)
    turns = (samples + noise)[: len(samples) // IN_SAMPLES_PER_TURN * IN_SAMPLES_PER_TURN]
    inputs = (MicroTurnInput(index=k, audio=audio) for k, audio in enumerate(turns.reshape(-1, IN_SAMPLES_PER_TURN)))
    return [result.output for result in answer_stream(runner, inputs, seed=0)]


def test_it_is_silent_when_nobody_speaks(runner: ModelRunner) -> None:
    outputs = answers(runner, np.zeros(8 * IN_HZ, np.float32))
    assert all(output.is_silent for output in outputs)


def test_asked_to_count_it_writes_the_request_down_and_counts(runner: ModelRunner) -> None:
    spoken = HibariVoice(f0_scale=0.84, formants=0.88).say("count from one to six")
    samples = resample(spoken.samples, spoken.sample_rate, IN_HZ)
    lead = np.zeros(IN_HZ, np.float32)
    outputs = answers(
        runner, np.concatenate([lead, samples * 0.5 / np.abs(samples).max(), np.zeros(6 * IN_HZ, np.float32)])
    )
    end_turn = turn_of_ms(1000 + spoken.words[-1].end_ms)
    assert "count" in "".join(output.hear for output in outputs).split()
    assert "".join(output.say for output in outputs).split()[:3] == ["one", "two", "three"]
    first = next(output.index for output in outputs if output.is_speaking)
    assert end_turn - 1 <= first <= end_turn + 5
    sound = np.concatenate([output.audio for output in outputs if output.is_speaking])
    assert np.sqrt(np.mean(sound**2)) > 0.01
