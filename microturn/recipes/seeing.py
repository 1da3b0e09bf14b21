"""Weights that see, put beside the weights that listen, which they went on from.

python -m microturn.recipes.seeing RUN/checkpoint --beside checkpoints/nano

Writes ``seeing`` in the folder of the latter: the difference (``microturn.model.difference``), and the auxiliaries'
heads for whoever trains on (``--init-from checkpoints/nano/seeing``). Sessions go over to them with their first
picture.
"""

import argparse
import shutil
from pathlib import Path

from microturn.engine.loading import SEEING_FOLDER
from microturn.errors import MicroturnError
from microturn.model import checkpoint, difference
from microturn.recipes.training import AUXILIARIES_FILE


def put_beside(trained: Path, listening: Path) -> Path:
    """Write what ``trained`` adds to ``listening``; both are checkpoint folders. The folder that was written.

    Raises:
        CheckpointError: one of them is absent or damaged.
    """
    folder = listening / SEEING_FOLDER
    difference.save(checkpoint.load(trained), folder, base=listening)
    if (trained / AUXILIARIES_FILE).exists():
        shutil.copy(trained / AUXILIARIES_FILE, folder / AUXILIARIES_FILE)
    return folder


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Put weights that see beside the weights that they went on from.")
    parser.add_argument("trained", type=Path, help="the checkpoint of a run that learnt to see")
    parser.add_argument("--beside", type=Path, required=True, help="the checkpoint that the run began with")
    arguments = parser.parse_args()
    try:
        folder = put_beside(arguments.trained, arguments.beside)
    except MicroturnError as error:
        parser.error(str(error))
    print(f"{folder}: {sum(path.stat().st_size for path in folder.iterdir()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
