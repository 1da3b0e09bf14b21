"""``cue``: speaks up at what the user says, while the user goes on talking (after CueSpeak).

Three kinds: something is said whenever a word, or a word of a kind, falls; the user's "um"s are counted; mistakes are
corrected. An example is right if every cue is answered with the right words in time, and nothing else is said, neither
without a cue nor after the user's "stop". ``accuracy`` is the mean over the kinds.
"""

from collections.abc import Sequence

from microturn.data.episode import Moment
from microturn.evals import metric
from microturn.evals.exchange import Case, Exchange, Verdict
from microturn.evals.follow import follow
from microturn.evals.metric import Metrics
from microturn.evals.playbook import Playbook, split
from microturn.evals.spoken import TimedWord, spoken_words
from microturn.evals.suites.suite import Suite, added, by_kind, pooled
from microturn.evals.wer import normal_words
from microturn.turns.timing import TURN_MS

KINDS = ("spoken-cue", "count-fillers", "correct-me")


class CueSuite(Suite):
    """Cues and windows."""

    name = "cue"
    summary = "speaks up whenever a cue falls, counts ums, corrects mistakes, over the user's speech"
    headline = ("accuracy",)

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        counts = split(limit, len(KINDS))
        return [case for name, count in zip(KINDS, counts, strict=True) for case in playbook.cases(name, count)]

    def judge(self, exchange: Exchange) -> Verdict:
        episode = exchange.case.episode
        followed = follow(episode, exchange.outputs)
        words = spoken_words(exchange.outputs)
        latencies_ms = [ms for cue in episode.moments if (ms := answer_latency_ms(cue, words)) is not None]
        return Verdict(
            key=exchange.case.key,
            kind=exchange.case.kind,
            is_right=followed.is_right,
            problems=followed.problems,
            figures={
                "words": followed.num_demanded,
                "words_in_time": followed.num_met,
                "cues": len(episode.moments),
                "answered": len(latencies_ms),
            },
            samples={"latency_ms": latencies_ms},
        )

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        rows = by_kind(verdicts)
        return {
            "accuracy": metric.macro_rate({kind: [v.is_right for v in row] for kind, row in rows.items()}),
            **{f"accuracy/{kind}": metric.rate([v.is_right for v in row]) for kind, row in rows.items()},
            "answered": metric.share(added(verdicts, "answered"), added(verdicts, "cues")),
            "words_in_time": metric.share(added(verdicts, "words_in_time"), added(verdicts, "words")),
            "latency_ms": metric.median(pooled(verdicts, "latency_ms")),
        }


def answer_latency_ms(cue: Moment, words: Sequence[TimedWord]) -> float | None:
    """From the end of a cue's last word to the start of its answer, in playback time; None if none came in time."""
    wanted = normal_words(cue.label)
    texts = [word.text for word in words]
    for at, word in enumerate(words):
        latency_ms = word.start_ms + TURN_MS - cue.from_ms
        if 0 <= latency_ms <= cue.to_ms - cue.from_ms and texts[at : at + len(wanted)] == wanted:
            return latency_ms
    return None
