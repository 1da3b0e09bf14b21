"""Replies and episodes written by hand, turn by turn."""

from collections.abc import Mapping, Sequence

import numpy as np

from microturn.data.episode import Episode, Expectation, Quiet, Stop
from microturn.data.voices import SpokenWord
from microturn.evals.exchange import Case, Exchange
from microturn.turns.micro_turn import MEL_BANDS, MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import IN_SAMPLES_PER_TURN, MEL_FRAMES_PER_TURN, OUT_SAMPLES_PER_TURN, TURN_MS

NUM_TURNS = 40
MEL = np.zeros((MEL_FRAMES_PER_TURN, MEL_BANDS), np.float32)


def reply(
    says: Mapping[int, str], speaking: Sequence[range], *, hears: Mapping[int, str] | None = None
) -> list[MicroTurnOutput]:
    """Outputs with these texts by turn and sound in these turns."""
    turns = {k for stretch in speaking for k in stretch}
    return [
        MicroTurnOutput(
            index=k,
            hear=(hears or {}).get(k, ""),
            say=says.get(k, ""),
            mel=MEL if k in turns else None,
            audio=np.zeros(OUT_SAMPLES_PER_TURN, np.float32) if k in turns else None,
        )
        for k in range(NUM_TURNS)
    ]


def words(*triples: tuple[str, float, float]) -> list[SpokenWord]:
    """Words with their starts and ends in ms."""
    return [SpokenWord(text=text, start_ms=start, end_ms=end) for text, start, end in triples]


def episode(
    heard: Sequence[SpokenWord],
    said: Sequence[SpokenWord],
    expectations: Sequence[Expectation] = (),
    quiets: Sequence[Quiet] = (),
    stops: Sequence[Stop] = (),
) -> Episode:
    """Eight seconds with a silent microphone: only what is expected matters."""
    silence = np.zeros(IN_SAMPLES_PER_TURN, np.float32)
    return Episode(
        scenario="by-hand",
        seed=0,
        part="heldout",
        voice="nobody",
        inputs=[MicroTurnInput(index=k, audio=silence) for k in range(NUM_TURNS)],
        outputs=[MicroTurnOutput(index=k) for k in range(NUM_TURNS)],
        heard=heard,
        said=said,
        expectations=expectations,
        quiets=quiets,
        stops=stops,
    )


def expect(text: str, turn: int) -> Expectation:
    """The window that the stage gives a phrase that begins with this turn."""
    return Expectation(text=text, from_ms=turn * TURN_MS - 500, to_ms=turn * TURN_MS + 700)


def exchange(of: Episode, outputs: Sequence[MicroTurnOutput], kind: str = "by-hand") -> Exchange:
    """An answer to an episode."""
    return Exchange(case=Case(key="by-hand-0", kind=kind, episode=of), outputs=outputs)
