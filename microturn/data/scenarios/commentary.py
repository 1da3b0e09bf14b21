"""Running commentary: name each change when it happens, and keep quiet in between."""

from microturn.data.phrases import Phrases
from microturn.data.scenarios.scenario import Scenario
from microturn.data.scenarios.seeing import NEVER_MIND, SPAN_MS, ask, close_eyes_perhaps, new_story, open_eyes
from microturn.data.stage import Stage
from microturn.turns.timing import turn_start_ms

REQUEST = Phrases(
    train=(
        "tell me what happens",
        "describe what happens",
        "please describe what happens",
        "tell me everything that happens",
        "tell me what changes",
        "say what is going on",
        "comment on what you see",
        "give me a running commentary",
        "describe every change that you see",
        "can you tell me what is happening",
        "keep telling me what happens",
        "i cannot look so tell me what happens",
        "watch and tell me what happens",
        "narrate what you see",
    ),
    heldout=(
        "would you describe what is happening",
        "please comment on everything that changes",
        "keep me informed about what happens",
        "watch this and tell me what changes",
    ),
)
GAP_MS = (2_300, 4_800)
"""From one change to the next: longer than it takes to name one."""


def play(stage: Stage, at_ms: float) -> float:
    """Ask; three to six changes; the user ends it."""
    story = new_story(stage)
    open_eyes(stage, story.scene, at_ms)
    said = ask(stage, stage.pick(REQUEST), at_ms)
    now_ms = turn_start_ms(said.end_turn) + stage.between(700, 3_000)
    for _ in range(stage.whole(3, 6)):
        happening = story.any_change(now_ms)
        assert happening is not None, "something can always happen"
        stage.quiet(turn_start_ms(said.end_turn), happening.time_ms)
        stage.moment(happening.label, happening.time_ms, happening.time_ms + SPAN_MS)
        said = stage.model(happening.label, max(stage.see_turn(happening.time_ms), said.end_turn))
        now_ms = max(now_ms + stage.between(*GAP_MS), turn_start_ms(said.end_turn) + 500)
    end = stage.user(stage.pick(NEVER_MIND), now_ms)
    stage.quiet(turn_start_ms(said.end_turn), end + 1_200)
    close_eyes_perhaps(stage, end + 1_200)
    return end + 1_200


COMMENTARY = Scenario(
    name="commentary",
    summary="names each change that it sees, when it happens, and keeps quiet in between",
    play=play,
    weight=2.0,
    needs_sight=True,
)
