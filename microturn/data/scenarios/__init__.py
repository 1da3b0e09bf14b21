"""The behaviours that nano learns, one file each. A scenario plays itself on a stage and says when it is over.

To add one: write ``play(stage, at_ms) -> end_ms`` in a new file, with a ``Requests`` bank whose held-out part holds
phrasings of its own, wrap it in a ``Scenario`` and list it below. ``microturn data scenarios`` shows the list.
"""

from microturn.data.scenarios.answer_when import ANSWER_WHEN
from microturn.data.scenarios.break_off import BREAK_OFF
from microturn.data.scenarios.change_of_mind import CHANGE_OF_MIND
from microturn.data.scenarios.commentary import COMMENTARY
from microturn.data.scenarios.copy_typed import COPY_TYPED
from microturn.data.scenarios.correct_me import CORRECT_ME
from microturn.data.scenarios.count_aloud import COUNT_ALOUD
from microturn.data.scenarios.count_briefly import COUNT_BRIEFLY
from microturn.data.scenarios.count_fillers import COUNT_FILLERS
from microturn.data.scenarios.count_repetitions import COUNT_REPETITIONS
from microturn.data.scenarios.delegate import DELEGATE
from microturn.data.scenarios.dictation import DICTATION
from microturn.data.scenarios.every_seconds import EVERY_SECONDS
from microturn.data.scenarios.in_seconds import IN_SECONDS
from microturn.data.scenarios.instructed import INSTRUCTED
from microturn.data.scenarios.interpret import INTERPRET
from microturn.data.scenarios.keep_going import KEEP_GOING
from microturn.data.scenarios.look_and_say import LOOK_AND_SAY
from microturn.data.scenarios.look_back import HOW_OFTEN, SINCE_WHEN
from microturn.data.scenarios.look_briefly import LOOK_BRIEFLY
from microturn.data.scenarios.not_for_me import NOT_FOR_ME
from microturn.data.scenarios.on_film import COUNT_FILMED, START_STOP_FILMED, TELL_WHEN_FILMED
from microturn.data.scenarios.permission import PERMISSION
from microturn.data.scenarios.read_aloud import READ_ALOUD
from microturn.data.scenarios.remember import REMEMBER
from microturn.data.scenarios.remember_shown import REMEMBER_SHOWN
from microturn.data.scenarios.repeat_after_me import REPEAT_AFTER_ME
from microturn.data.scenarios.scenario import Scenario
from microturn.data.scenarios.spoken_cue import SPOKEN_CUE
from microturn.data.scenarios.start_stop import START_STOP
from microturn.data.scenarios.take_turns import TAKE_TURNS
from microturn.data.scenarios.tell_when import TELL_WHEN
from microturn.data.scenarios.transcribe import TRANSCRIBE
from microturn.data.scenarios.type_requests import TYPE_REQUESTS

_IN_ORDER = (
    *(COUNT_ALOUD, EVERY_SECONDS, IN_SECONDS, REPEAT_AFTER_ME, NOT_FOR_ME, READ_ALOUD, KEEP_GOING),
    *(TELL_WHEN, ANSWER_WHEN, START_STOP, COUNT_REPETITIONS, COMMENTARY, LOOK_AND_SAY),
    *(COUNT_FILMED, START_STOP_FILMED, TELL_WHEN_FILMED, DICTATION, DELEGATE, TRANSCRIBE),
    *(SPOKEN_CUE, COUNT_FILLERS, CORRECT_ME, TAKE_TURNS, CHANGE_OF_MIND),
    *(REMEMBER, HOW_OFTEN, SINCE_WHEN, REMEMBER_SHOWN, INTERPRET, COPY_TYPED, INSTRUCTED, TYPE_REQUESTS),
    *(COUNT_BRIEFLY, BREAK_OFF, PERMISSION, LOOK_BRIEFLY),
)
SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in _IN_ORDER}
"""By name. A new one goes last: seeds of single plays count from its place."""


def mix(*, can_see: bool) -> list[Scenario]:
    """What a session of training is drawn from; without sight, nothing that needs it."""
    return [scenario for scenario in SCENARIOS.values() if can_see or not scenario.needs_sight]


__all__ = ["SCENARIOS", "Scenario", "mix"]
