"""``transcript``: the running transcript of the user, as word error rate.

``wer`` is over held-out synthetic voices and scenario vocabulary: what is said to have the model count and keep time.
``wer_open`` is the same over what holds sentences of any words (repeat after me, talk with others). ``wer_human`` is
over the two human sets that are the target (spoken digits and Speech Commands); every held-out human set has a row of
its own beside it, and none is averaged into ``wer``. Without the human recordings the human rows say that they were
not run.
"""

from collections.abc import Sequence

from microturn.data.split import HUMAN
from microturn.evals import metric
from microturn.evals.exchange import Case, Exchange, Verdict
from microturn.evals.human_sets import human_cases, human_set_names
from microturn.evals.metric import Metrics
from microturn.evals.playbook import Playbook, split
from microturn.evals.suites.suite import Suite, by_kind
from microturn.evals.wer import count_edits, normal_words

SYNTHETIC, OPEN = "synthetic", "synthetic, open vocabulary"
TARGET_SETS = ("fsdd_digits", "speech_commands_v2_test")
_SCENARIOS = {
    SYNTHETIC: ("count-aloud", "every-seconds", "in-seconds"),
    OPEN: ("repeat-after-me", "not-for-me"),
}
_CLIPS_PER_EXAMPLE = 3
_NO_DATA = "give the human recordings with --data DIR or MICROTURN_DATA"


class TranscriptSuite(Suite):
    """What was heard."""

    name = "transcript"
    summary = "writes down what the user says: synthetic voices, and each human set in a row of its own"
    headline = ("wer", "wer_human")

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        cases = [
            case
            for kind, names in _SCENARIOS.items()
            for name, count in zip(names, split(limit, len(names)), strict=True)
            for case in playbook.cases(name, count, kind=kind)
        ]
        if playbook.data_dir is not None:
            for name in human_set_names(playbook.data_dir):
                cases += human_cases(playbook.data_dir, name, _CLIPS_PER_EXAMPLE * limit, playbook.seed)
        return cases

    def judge(self, exchange: Exchange) -> Verdict:
        wanted, heard = transcripts(exchange)
        edits, num_words = transcript_edits(exchange)
        problem = f"'{' '.join(wanted)}' was taken down as '{' '.join(heard)}'"
        return Verdict(
            key=exchange.case.key,
            kind=exchange.case.kind,
            is_right=not edits,
            problems=(problem,) if edits else (),
            figures={"edits": edits, "words": num_words},
        )

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        rows = by_kind(verdicts)
        targets = [verdict for name in TARGET_SETS for verdict in rows.get(name, ())]
        return {
            "wer": _wer(rows.get(SYNTHETIC, ())),
            "wer_open": _wer(rows.get(OPEN, ())),
            "wer_human": _wer(targets) if targets else metric.not_run(_NO_DATA),
            **{
                f"wer_human/{name}": _wer(rows[name]) if name in rows else metric.not_run(_NO_DATA)
                for name in HUMAN["heldout"]
            },
        }


def transcripts(exchange: Exchange) -> tuple[list[str], list[str]]:
    """What the user said and what was taken down, as normal words."""
    words = sorted(exchange.case.episode.heard, key=lambda word: word.end_ms)
    said = [part for word in words for part in normal_words(word.text)]
    return said, normal_words("".join(output.hear for output in exchange.outputs))


def transcript_edits(exchange: Exchange) -> tuple[int, int]:
    """Wrong words of the transcript, and words of the user."""
    errors = count_edits(*transcripts(exchange))
    return errors.substitutions + errors.deletions + errors.insertions, errors.num_words


def _wer(verdicts: Sequence[Verdict]) -> metric.Metric:
    return metric.ratio([v.figures["edits"] for v in verdicts], [v.figures["words"] for v in verdicts])
