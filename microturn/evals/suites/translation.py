"""``translation``: says in another language what the user says in English, while the user goes on.

``word_accuracy``: the share of the translation's words that are spoken, less those that are wrong or too many: one
minus the word error rate, not below zero in any example. ``lag_ms``: the median time from the end of a chunk (what can
be translated once it has been heard) to the first word of its translation, in playback time, over chunks that are
found. ``early_rate``: of the sentences of two chunks or more, the share whose translation begins to be heard before
the user has ended the sentence. A row for each language is in ``word_accuracy/…``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from microturn.data.episode import Episode, Moment
from microturn.data.languages import LANGUAGES
from microturn.evals import metric
from microturn.evals.exchange import Case, Exchange, Verdict
from microturn.evals.metric import Metrics
from microturn.evals.playbook import Playbook
from microturn.evals.spoken import TimedWord, spoken_words
from microturn.evals.suites.suite import Suite, added, by_kind, pooled
from microturn.evals.wer import count_edits, normal_words
from microturn.turns.timing import TURN_MS

SENTENCE_GAP_MS = 350
"""A silence of the user's this long ends a sentence."""
EARLY_MS = 500
"""A translation may begin so long before its chunk has ended: what follows can be guessed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentence:
    """What the user says in one go, and the chunks within it."""

    end_ms: float
    chunks: tuple[Moment, ...]


class TranslationSuite(Suite):
    """Interpreting."""

    name = "translation"
    summary = "translates what is said, while it is being said"
    headline = ("word_accuracy", "lag_ms", "early_rate")

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        cases = playbook.cases("interpret", limit)
        return [Case(key=case.key, kind=language_of(case.episode), episode=case.episode) for case in cases]

    def judge(self, exchange: Exchange) -> Verdict:
        episode = exchange.case.episode
        words = spoken_words(exchange.outputs)
        chunks = sorted(episode.moments, key=lambda moment: moment.from_ms)
        begun_ms = chunk_starts(chunks, words)
        first_ms = chunks[0].from_ms - EARLY_MS
        wanted = [text for chunk in chunks for text in normal_words(chunk.label)]
        errors = count_edits(wanted, [word.text for word in words if word.start_ms + TURN_MS >= first_ms])
        num_extra = max(0, errors.insertions - _num_allowed(episode, first_ms))
        num_wrong = errors.substitutions + errors.deletions + num_extra
        longer = [sentence for sentence in sentences_of(episode) if len(sentence.chunks) > 1]
        starts_ms = dict(zip(chunks, begun_ms, strict=True))
        early = [s for s in longer if (start := starts_ms[s.chunks[0]]) is not None and start < s.end_ms]
        return Verdict(
            key=exchange.case.key,
            kind=exchange.case.kind,
            is_right=not num_wrong,
            problems=[
                f"'{c.label}' was not said in time" for c, ms in zip(chunks, begun_ms, strict=True) if ms is None
            ],
            figures={
                "words": len(wanted),
                "right": max(0, len(wanted) - num_wrong),
                "sentences": len(longer),
                "early": len(early),
            },
            samples={
                "lag_ms": [ms - c.from_ms for c, ms in zip(chunks, begun_ms, strict=True) if ms is not None],
            },
        )

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        def accuracy(rows: Sequence[Verdict]) -> metric.Metric:
            return metric.ratio([v.figures["right"] for v in rows], [v.figures["words"] for v in rows])

        return {
            "word_accuracy": accuracy(verdicts),
            "lag_ms": metric.median(pooled(verdicts, "lag_ms")),
            "early_rate": metric.share(added(verdicts, "early"), added(verdicts, "sentences")),
            **{f"word_accuracy/{kind}": accuracy(row) for kind, row in by_kind(verdicts).items()},
        }


def language_of(episode: Episode) -> str:
    """The language that the user asks for."""
    first_chunk_ms = min(moment.from_ms for moment in episode.moments)
    asked = [word.text for word in episode.heard if word.end_ms < first_chunk_ms]
    return next(language.english_name for language in LANGUAGES.values() if language.english_name in asked)


def chunk_starts(chunks: Sequence[Moment], words: Sequence[TimedWord]) -> list[float | None]:
    """When each chunk's translation begins to be heard, in order; None for those that are not said in time."""
    texts, at = [word.text for word in words], 0
    starts: list[float | None] = []
    for chunk in chunks:
        wanted = normal_words(chunk.label)
        found = next(
            (
                k
                for k in range(at, len(words))
                if texts[k : k + len(wanted)] == wanted
                and chunk.from_ms - EARLY_MS <= words[k].start_ms + TURN_MS <= chunk.to_ms
            ),
            None,
        )
        starts.append(None if found is None else words[found].start_ms + TURN_MS)
        at = at if found is None else found + len(wanted)
    return starts


def sentences_of(episode: Episode) -> list[Sentence]:
    """The sentences that are to be translated."""
    words = sorted(episode.heard, key=lambda word: word.start_ms)
    ends_ms = [
        word.end_ms
        for k, word in enumerate(words)
        if k + 1 == len(words) or words[k + 1].start_ms - word.end_ms >= SENTENCE_GAP_MS
    ]
    starts_ms = [0.0, *ends_ms[:-1]]
    spans = zip(starts_ms, ends_ms, strict=True)
    found = [
        Sentence(end_ms=end, chunks=tuple(m for m in episode.moments if start < m.from_ms <= end))
        for start, end in spans
    ]
    return [sentence for sentence in found if sentence.chunks]


def _num_allowed(episode: Episode, from_ms: float) -> int:
    """Words of the reference beside the translation (the "okay" to "stop translating"), which may be said too."""
    said = [word for word in episode.said if word.start_ms + TURN_MS >= from_ms]
    num_wanted = sum(len(normal_words(moment.label)) for moment in episode.moments)
    return max(0, sum(len(normal_words(word.text)) for word in said) - num_wanted)
