"""``speech``: an independent recogniser understands what the model says, from its own sound.

``wer`` compares the recogniser's transcript of the reply's samples with the words that the reply announced and gave
sound to, in answers to spoken requests. A model that says nothing has no value here, rather than a good one. There is a
row for each kind of request, and one that is not averaged in: ``wer/read-aloud``, texts that are typed. What a model
mishears it may well say again as words that are none, which recognisers do not know; a text that is typed is sense,
so that row is about the voice alone.

The control ``reference`` is the scenarios' own speech through the model's vocoder: what perfect mel would score.
``shuffled`` compares each transcript with another reply's words.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from microturn.evals import metric
from microturn.evals.exchange import Case, Exchange, Verdict
from microturn.evals.metric import Metrics
from microturn.evals.playbook import Playbook, split
from microturn.evals.spoken import ring_ms, sounds, spoken_words
from microturn.evals.subject import Subject, Voiced
from microturn.evals.suites.suite import ControlValues, Suite, by_kind, headline_values
from microturn.evals.suites.time import is_undisturbed
from microturn.evals.wer import WordErrors, count_edits, normal_words
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import OUT_HZ, TURN_MS, out_samples, turn_start_ms

READ = "read-aloud"
"""The kind of example whose words are typed."""

Transcribe = Callable[[NDArray[np.float32], int], str]
"""Mono samples and their rate to text."""

LONGEST_GAP_MS = 800
"""Pauses between utterances are shortened to this: recognisers invent words in long silence, and take an utterance that
is repeated after a short pause for one. Chosen on the scenarios' own speech, where 400 ms lost repetitions."""


class SpeechSuite(Suite):
    """Intelligibility."""

    name = "speech"
    summary = "an independent recogniser understands the model's speech"
    headline = ("wer", f"wer/{READ}")

    def __init__(self, transcribe: Transcribe | None = None) -> None:
        """``transcribe`` is whisper-base by default, loaded when it is first needed."""
        self._transcribe = transcribe
        self._transcripts: dict[str, list[str]] = {}

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        counting, every, once, repeating = split(limit, 4)
        reading = math.ceil(limit / 4)  # beside the others, so that they stay what they were
        return [
            *playbook.cases("count-aloud", counting, accept=is_undisturbed),
            *playbook.cases("every-seconds", every),
            *playbook.cases("in-seconds", once),
            *playbook.cases("repeat-after-me", repeating),
            *playbook.cases(READ, reading),
        ]

    def judge(self, exchange: Exchange) -> Verdict:
        words = [word.text for word in spoken_words(exchange.outputs)]
        heard = self._hear(exchange) if words else []
        return _verdict(exchange, words, heard)

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        rows = {f"wer/{kind}": _wer(row) for kind, row in by_kind(verdicts).items()}
        return {"wer": _wer([v for v in verdicts if v.kind != READ]), **rows}

    def controls(self, exchanges: Sequence[Exchange], subject: Subject) -> ControlValues:
        judged: dict[str, list[Verdict]] = {}
        if isinstance(subject, Voiced):
            judged["reference"] = [self.judge(_with_sound(exchange.case, subject)) for exchange in exchanges]
        speaking = [(e, words) for e in exchanges if (words := [word.text for word in spoken_words(e.outputs)])]
        if len(speaking) > 1:
            others = [*speaking[1:], *speaking[:1]]
            judged["shuffled"] = [
                _verdict(e, words, self._hear(e)) for (e, _), (_, words) in zip(speaking, others, strict=True)
            ]
        return {name: headline_values(self.summarise(verdicts), self.headline) for name, verdicts in judged.items()}

    def _hear(self, exchange: Exchange) -> list[str]:
        if exchange.case.key not in self._transcripts:
            self._transcribe = self._transcribe or _whisper()
            text = self._transcribe(speech_samples(exchange.outputs), OUT_HZ)
            self._transcripts[exchange.case.key] = normal_words(text)
        return self._transcripts[exchange.case.key]


def _wer(verdicts: Sequence[Verdict]) -> metric.Metric:
    return metric.ratio([v.figures["edits"] for v in verdicts], [v.figures["words"] for v in verdicts])


def speech_samples(outputs: Sequence[MicroTurnOutput]) -> NDArray[np.float32]:
    """The sound of a reply with its long pauses shortened, (num_samples,) at 24 kHz.

    Raises:
        ValueError: a speaking turn carries no samples.
    """
    parts: list[NDArray[np.float32]] = []
    end_ms = 0
    for sound in sounds(outputs):
        parts.append(np.zeros(out_samples(min(LONGEST_GAP_MS, turn_start_ms(sound.first_turn) - end_ms)), np.float32))
        for output in outputs[sound.first_turn : sound.end_turn]:
            if output.audio is None:
                raise ValueError(f"turn {output.index} speaks without samples: let the subject run its vocoder")
            parts.append(output.audio)
        end_ms = turn_start_ms(sound.end_turn)
        if ring_ms(outputs, sound.end_turn) and (ring := outputs[sound.end_turn].audio) is not None:
            parts.append(ring)
            end_ms += TURN_MS
    parts.append(np.zeros(out_samples(TURN_MS), np.float32))
    return np.concatenate(parts)


def _with_sound(case: Case, subject: Voiced) -> Exchange:
    """The case's own reply, spoken by the subject's vocoder."""
    reply = Case(key=f"{case.key} reference", kind=case.kind, episode=case.episode)
    return Exchange(case=reply, outputs=subject.give_sound(case.episode.outputs))


def _verdict(exchange: Exchange, words: Sequence[str], heard: Sequence[str]) -> Verdict:
    errors = count_edits(words, heard) if words else WordErrors()
    edits = errors.substitutions + errors.deletions + errors.insertions
    is_right = bool(words) and not edits
    problem = f"said '{' '.join(words)}', understood as '{' '.join(heard)}'" if words else "said nothing"
    return Verdict(
        key=exchange.case.key,
        kind=exchange.case.kind,
        is_right=is_right,
        problems=() if is_right else (problem,),
        figures={"edits": edits, "words": len(words)},
    )


def _whisper() -> Transcribe:
    from microturn.evals.recogniser import Recogniser

    recogniser = Recogniser.load()
    return lambda samples, hz: " ".join(word.text for word in recogniser.transcribe(samples, hz))
