"""What an evaluation passes around: a case to be answered, the exchange that came of it, the verdict on that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from microturn.data.episode import Episode
from microturn.evals.echo import Echo, EchoedSession
from microturn.evals.spoken import speaks
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import TURN_MS

LONGEST_LATENCY_MS = 3_000
"""Sound that begins later than this after the user's last word does not answer it."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """An episode that somebody is to answer."""

    key: str
    """Names it within a run: the same key is the same episode, and is answered once."""
    kind: str
    """The row of the suite that it belongs to."""
    episode: Episode
    echo: Echo | None = None
    """How the model's own voice comes back to it; None for headphones."""

    @property
    def session(self) -> Sequence[MicroTurnInput]:
        """What the subject is given."""
        inputs = self.episode.inputs
        return inputs if self.echo is None else EchoedSession(inputs, self.echo)


def amplified(case: Case, gain_db: float) -> Case:
    """The case with everything that the microphone hears louder, below zero quieter: the user, others, the room."""
    if not gain_db:
        return case
    gain = np.float32(10 ** (gain_db / 20))
    inputs = [replace(turn, audio=np.clip(gain * turn.audio, -1.0, 1.0)) for turn in case.episode.inputs]
    return replace(case, episode=replace(case.episode, inputs=inputs))


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A case and the answer to it."""

    case: Case
    outputs: Sequence[MicroTurnOutput]
    """One for each input."""
    is_without_echo: bool = False
    """Whether the case has an echo which the subject did not hear."""
    is_without_pictures: bool = False
    """Whether the subject was shown none of the case's pictures."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a suite thinks of one exchange."""

    key: str
    kind: str
    is_right: bool
    problems: Sequence[str] = ()
    """What is wrong, for people."""
    figures: Mapping[str, float] = field(default_factory=dict[str, float])
    """Counts that are added up over exchanges."""
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict[str, Sequence[float]])
    """Values whose distribution counts."""


def fitted(outputs: Sequence[MicroTurnOutput], num_turns: int) -> list[MicroTurnOutput]:
    """An answer cut, or continued in silence, to a number of turns."""
    silence = [MicroTurnOutput(index=k) for k in range(len(outputs), num_turns)]
    return [*outputs[:num_turns], *silence]


def reference(case: Case) -> Exchange:
    """The episode's own reply."""
    return Exchange(case=case, outputs=case.episode.outputs)


def rotated(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Each case with the answer that was given to another one."""
    return [
        replace(exchange, outputs=fitted(other.outputs, len(exchange.case.episode.inputs)))
        for exchange, other in zip(exchanges, [*exchanges[1:], *exchanges[:1]], strict=True)
    ]


def request_end_ms(episode: Episode) -> float | None:
    """Media time at which the request ends that the reference reply answers first; None if it never speaks."""
    if not episode.said:
        return None
    ends = [word.end_ms for word in episode.heard if word.end_ms <= episode.said[0].start_ms]
    return max(ends, default=None)


def response_latency_ms(exchange: Exchange) -> float | None:
    """From the end of the user's request to the first sound of the answer, in playback time; None if none came.

    Full-Duplex-Bench v1's latency, in media time: what an infinitely fast machine would show.
    """
    end_ms = request_end_ms(exchange.case.episode)
    if end_ms is None:
        return None
    for k, output in enumerate(exchange.outputs):
        latency_ms = (k + 1) * TURN_MS - end_ms
        if speaks(output) and latency_ms >= 0:
            return latency_ms if latency_ms <= LONGEST_LATENCY_MS else None
    return None
