"""Suites of one scenario each, right when the reply is as expected: all words, in order, in time, and no others.

``repeat``: the words that the user asks to be repeated. ``text``: what is typed, or reported by the background model,
read aloud, whoever talks meanwhile; what is typed to be written out; and requests that are typed. ``instructions``: the
greeting, the brevity and the language that the application asks for. ``background-sound``: counting goes on through
backchannels, talk with others and recordings. ``correction``: what the user takes back is dropped, and what was meant
last is done.
"""

from collections.abc import Sequence

from microturn.evals import metric
from microturn.evals.exchange import Case, Exchange, Verdict, response_latency_ms
from microturn.evals.follow import follow
from microturn.evals.metric import Metrics
from microturn.evals.playbook import Playbook, split
from microturn.evals.spoken import speaks
from microturn.evals.suites.suite import Suite, added, by_kind, pooled
from microturn.evals.wer import count_edits
from microturn.turns.micro_turn import MicroTurnOutput, PieceKind

COPIED = "copy-typed"
"""Typed text that is to be written out."""
ASKED = "type-requests"
"""Typed requests that are to be fulfilled in speech."""


class FollowingSuite(Suite):
    """A scenario whose reply is followed word by word."""

    scenario: str
    headline = ("accuracy",)

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        return playbook.cases(self.scenario, limit)

    def judge(self, exchange: Exchange) -> Verdict:
        followed = follow(exchange.case.episode, exchange.outputs)
        latency_ms = response_latency_ms(exchange)
        return Verdict(
            key=exchange.case.key,
            kind=exchange.case.kind,
            is_right=followed.is_right,
            problems=followed.problems,
            figures={"words": followed.num_demanded, "words_said": followed.num_met},
            samples={} if latency_ms is None else {"latency_ms": [latency_ms]},
        )

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        return {
            "accuracy": metric.rate([v.is_right for v in verdicts]),
            "word_accuracy": metric.share(added(verdicts, "words_said"), added(verdicts, "words")),
            "latency_ms": metric.median(pooled(verdicts, "latency_ms")),
        }


class RepeatSuite(FollowingSuite):
    """Repeat after me."""

    name = "repeat"
    scenario = "repeat-after-me"
    summary = "repeats numbers, words and sentences after the user"


class TextSuite(FollowingSuite):
    """Text in, speech or text out."""

    name = "text"
    scenario = "read-aloud"
    summary = "reads aloud, writes out or does what is typed, and reads what the background model reports"

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        kinds = (self.scenario, COPIED, ASKED)
        return [
            case for kind, n in zip(kinds, split(limit, len(kinds)), strict=True) for case in playbook.cases(kind, n)
        ]

    def judge(self, exchange: Exchange) -> Verdict:
        return _judge_written(exchange) if exchange.case.kind == COPIED else super().judge(exchange)

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        rows = {kind: [v.is_right for v in row] for kind, row in by_kind(verdicts).items()}
        return {
            **super().summarise(verdicts),
            "accuracy": metric.macro_rate(rows),
            **{f"accuracy/{kind}": metric.rate(row) for kind, row in rows.items()},
        }


def _judge_written(exchange: Exchange) -> Verdict:
    """Right if what is written is what was typed, text for text, and nothing is said."""
    due, written = written_texts(exchange.case.episode.outputs), written_texts(exchange.outputs)
    problems = [f"{text!r} was not written" for text in due if text not in written]
    problems += [f"{text!r} was not asked for" for text in written if text not in due]
    if any(speaks(output) for output in exchange.outputs):
        problems.append("it spoke")
    errors = count_edits(" ".join(due).split(), " ".join(written).split())
    return Verdict(
        key=exchange.case.key,
        kind=exchange.case.kind,
        is_right=due == written and not problems,
        problems=problems,
        figures={
            "words": errors.num_words,
            "words_said": errors.num_words - errors.substitutions - errors.deletions,
        },
    )


def written_texts(outputs: Sequence[MicroTurnOutput]) -> list[str]:
    """The texts for the user's eyes, each whole; what was not ended counts as well."""
    texts = [""]
    for piece in (piece for output in outputs for piece in output.pieces if piece.kind is PieceKind.TEXT):
        texts[-1] += piece.text
        if piece.is_end:
            texts.append("")
    return [text.strip() for text in texts if text.strip()]


class InstructionsSuite(FollowingSuite):
    """What the application asks for in writing."""

    name = "instructions"
    scenario = "instructed"
    summary = "greets in given words, is brief, or speaks another language, as the instructions say"


class BackgroundSoundSuite(FollowingSuite):
    """Not every sound is for the model."""

    name = "background-sound"
    scenario = "keep-going"
    summary = "counts on through backchannels, talk with others and recordings"


class CorrectionSuite(FollowingSuite):
    """The task goes on as corrected."""

    name = "correction"
    scenario = "change-of-mind"
    summary = "does what was meant last when the user takes something back, while asking or in mid-task"
