"""One picture after another, a question about each in writing, answered in writing: dense lessons in what words mean.

A question that is heard, and its answer that is spoken, take ten seconds of one scene. Here each scene has a question
of its own and is gone with its answer: a session shows twelve of them and not three.
"""

from microturn.data.phrases import Requests
from microturn.data.scenarios.look_and_say import QUESTIONS
from microturn.data.scenarios.scenario import Scenario
from microturn.data.scenarios.seeing import new_story
from microturn.data.stage import Stage
from microturn.data.visual.story import Change
from microturn.turns.timing import TURN_MS, turn_start_ms

IN_WRITING = Requests(
    train=(
        "in writing {q}",
        "{q} in writing [|please]",
        "{q} [please|] answer in writing",
        "[|please] answer in writing {q}",
        "{q} write [|down] the answer",
        "[do not say it|without a word] {q}",
    ),
    heldout=("put the answer in writing {q}", "{q} type the answer"),
)
MOST_LOOKS = 12
DARK_CHANCE = 0.08


def play(stage: Stage, at_ms: float) -> float:
    """Look, ask, answer, and on to the next."""
    now_ms = at_ms
    for _ in range(stage.whole(6, MOST_LOOKS)):
        story = new_story(stage, least_things=1)
        if stage.chance(DARK_CHANCE):
            story.happen(Change.LIGHT_OFF, 0.0)
        stage.watch(story.scene, now_ms)
        question, answer = QUESTIONS[stage.pick(tuple(QUESTIONS))](stage, story)
        with stage.typing():
            end_ms = stage.user(stage.pick(IN_WRITING).format(q=question), now_ms + TURN_MS)
        written = stage.write(answer, stage.answer_turn(end_ms))
        now_ms = turn_start_ms(written) + stage.whole(0, 1) * TURN_MS
    stage.quiet(at_ms, now_ms)
    return now_ms


LOOK_BRIEFLY = Scenario(
    name="look-briefly",
    summary="writes down what it is asked about one picture after another, and says nothing",
    play=play,
    weight=1.5,
    needs_sight=True,
)
