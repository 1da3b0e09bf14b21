"""The suites, one file each. To add one: derive from ``Suite`` in a new file and list it below."""

from microturn.evals.suites.commentary import CommentarySuite
from microturn.evals.suites.count import CountSuite
from microturn.evals.suites.cue import CueSuite
from microturn.evals.suites.delegation import DelegationSuite
from microturn.evals.suites.echo import EchoSuite
from microturn.evals.suites.following import (
    BackgroundSoundSuite,
    CorrectionSuite,
    InstructionsSuite,
    RepeatSuite,
    TextSuite,
)
from microturn.evals.suites.interruption import InterruptionSuite
from microturn.evals.suites.memory import MemorySuite
from microturn.evals.suites.sight import SightSuite
from microturn.evals.suites.silence import SilenceSuite
from microturn.evals.suites.speech import SpeechSuite
from microturn.evals.suites.suite import Suite
from microturn.evals.suites.time import TimeSuite
from microturn.evals.suites.transcript import TranscriptSuite
from microturn.evals.suites.translation import TranslationSuite
from microturn.evals.suites.turns import TurnsSuite

SUITES: dict[str, type[Suite]] = {
    suite.name: suite
    for suite in (
        *(TimeSuite, InterruptionSuite, RepeatSuite, TextSuite, BackgroundSoundSuite, SilenceSuite),
        *(TranscriptSuite, SpeechSuite, SightSuite, CountSuite, CommentarySuite, DelegationSuite),
        *(CueSuite, TurnsSuite, CorrectionSuite, MemorySuite, TranslationSuite, InstructionsSuite, EchoSuite),
    )
}

__all__ = ["SUITES", "Suite"]
