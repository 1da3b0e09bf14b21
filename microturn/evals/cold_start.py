"""What ``bench engine`` starts afresh: load a checkpoint, answer one silent micro-turn, say so, end."""

import sys
from pathlib import Path

import numpy as np

from microturn.evals.engine_subject import EngineSubject
from microturn.turns.micro_turn import MicroTurnInput
from microturn.turns.timing import IN_SAMPLES_PER_TURN


def main(folder: str) -> None:
    """Answers one turn with the model of a checkpoint folder."""
    silence = MicroTurnInput(index=0, audio=np.zeros(IN_SAMPLES_PER_TURN, np.float32))
    EngineSubject.load(Path(folder)).answer([[silence]])
    print("answered", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
