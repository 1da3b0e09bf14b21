"""A session goes over to the weights that see with its first picture, and leaves strangers and its own past alone."""

from dataclasses import replace

import numpy as np
import pytest

from microturn.engine.ladder import Budget
from microturn.engine.runner import Checkpoint, ModelRunner, RunnerSettings
from microturn.engine.step import RowIn, RowOut
from microturn.model.interaction_model import InteractionModel
from microturn.testing.tiny_model import TinyParts, tiny_parts
from microturn.turns.micro_turn import MicroTurnInput
from microturn.turns.timing import IN_SAMPLES_PER_TURN
from microturn.turns.video import VideoFrame

BUDGET = Budget(num_flow_steps=2)
LISTENING, SEEING = tiny_parts(seed=3), tiny_parts(seed=4)


def blind(parts: TinyParts) -> InteractionModel:
    """The same weights without eyes."""
    model = InteractionModel(replace(parts.model.config, video_in=None)).eval()
    state = {name: value for name, value in parts.model.state_dict().items() if not name.startswith("image_in.")}
    model.load_state_dict(state)
    return model.requires_grad_(requires_grad=False)


def runner_of(model: InteractionModel, seeing: InteractionModel | None = None) -> ModelRunner:
    checkpoint = Checkpoint(
        model=model,
        seeing=seeing,
        tokenizer=LISTENING.tokenizer,
        statistics=LISTENING.statistics,
        vocoder=LISTENING.vocoder,
    )
    return ModelRunner(checkpoint, RunnerSettings(num_slots=4, frame_width=80, frame_height=40))


def both() -> ModelRunner:
    return runner_of(blind(LISTENING), SEEING.model)


def turns(seed: int, num_turns: int = 10, *, first_picture: int | None) -> list[MicroTurnInput]:
    """Noise; from ``first_picture`` on every second turn has a picture."""
    rng = np.random.default_rng(seed)
    made: list[MicroTurnInput] = []
    for index in range(num_turns):
        audio = 0.3 * rng.normal(size=IN_SAMPLES_PER_TURN).astype(np.float32)
        pixels = rng.integers(0, 256, (2, 40, 80, 3), np.uint8)
        is_seen = first_picture is not None and index >= first_picture and (index - first_picture) % 2 == 0
        frames = tuple(VideoFrame(time_ms=index * 200.0, pixels=p) for p in pixels) if is_seen else ()
        made.append(MicroTurnInput(index=index, audio=audio, frames=frames))
    return made


def play(runner: ModelRunner, *sessions: list[MicroTurnInput]) -> list[list[RowOut]]:
    """Sessions side by side in one batch, seeded by their place."""
    slots = [runner.open(seed) for seed in range(len(sessions))]
    steps = [
        runner.step([RowIn(slot=slot, input=turn) for slot, turn in zip(slots, inputs, strict=True)], BUDGET)
        for inputs in zip(*sessions, strict=True)
    ]
    return [list(rows) for rows in zip(*steps, strict=True)]


def check_same(ours: list[RowOut], theirs: list[RowOut]) -> None:
    assert [row.tokens for row in ours] == [row.tokens for row in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine.output.mel is None) == (other.output.mel is None)
        if mine.output.mel is not None and other.output.mel is not None:
            np.testing.assert_allclose(mine.output.mel, other.output.mel, atol=1e-3)


def test_without_a_camera_nothing_changes_whoever_else_has_one():
    unseeing = turns(1, first_picture=None)
    mixed, _ = play(both(), unseeing, turns(2, first_picture=0))
    (alone,) = play(runner_of(blind(LISTENING)), unseeing)
    check_same(mixed, alone)


def test_with_a_camera_from_the_start_the_session_is_the_seeing_weights():
    watching = turns(1, first_picture=0)
    mixed, _ = play(both(), watching, turns(2, first_picture=None))
    (alone,) = play(runner_of(SEEING.model), watching)
    check_same(mixed, alone)


def test_with_the_first_picture_the_session_goes_over_and_stays():
    later = turns(1, first_picture=4)
    (went_over,) = play(both(), later)
    (listened,) = play(runner_of(blind(LISTENING)), later)
    (saw,) = play(runner_of(SEEING.model), later)
    check_same(went_over[:4], listened[:4])
    assert [row.tokens for row in went_over[4:]] != [row.tokens for row in listened[4:]]
    # Not what eyes alone would say, for what was heard before was heard by the others.
    assert [row.tokens for row in went_over] != [row.tokens for row in saw]
    assert [row.trace.num_image_tokens > 0 for row in went_over] == [index in (4, 6, 8) for index in range(10)]


def test_a_snapshot_remembers_that_a_picture_came():
    runner, inputs = both(), turns(1, first_picture=2)
    slot = runner.open(0)
    for turn in inputs[:6]:
        runner.step([RowIn(slot=slot, input=turn)], BUDGET)
    again = runner.restore(runner.capture(slot)(), 0)
    blindly = [replace(turn, frames=()) for turn in inputs[6:]]
    for turn in blindly:
        rows = runner.step([RowIn(slot=slot, input=turn), RowIn(slot=again, input=turn)], BUDGET)
        check_same(rows[:1], rows[1:])


def test_a_step_that_fails_at_the_first_picture_leaves_the_session_listening(monkeypatch: pytest.MonkeyPatch):
    runner, inputs = both(), turns(1, first_picture=3)
    slot = runner.open(0)
    for turn in inputs[:3]:
        runner.step([RowIn(slot=slot, input=turn)], BUDGET)

    def fail(*_args: object) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(runner, "_speak", fail)
        with pytest.raises(RuntimeError, match="broken"):
            runner.step([RowIn(slot=slot, input=inputs[3])], BUDGET)
    blindly = [replace(turn, frames=()) for turn in inputs[3:]]
    rest = [runner.step([RowIn(slot=slot, input=turn)], BUDGET)[0] for turn in blindly]
    (listened,) = play(runner_of(blind(LISTENING)), [*inputs[:3], *blindly])
    check_same(rest, listened[3:])
