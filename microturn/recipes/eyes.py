"""Nano's eyes learn alone, before it learns to see: ``microturn.train.eyes`` at nano's geometry.

python -m microturn.recipes.eyes --run runs/eyes --max-minutes 10
"""

import argparse
from pathlib import Path

from microturn.errors import MicroturnError
from microturn.recipes.geometries import nano_sight
from microturn.train.eyes import EyesTraining, train


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Teach eyes what is at each patch of rendered scenes.")
    parser.add_argument("--run", type=Path, required=True, help="where the log and the weights go")
    parser.add_argument("--max-minutes", type=float, default=EyesTraining().max_minutes)
    parser.add_argument("--workers", type=int, default=EyesTraining().num_workers, help="processes that draw")
    parser.add_argument("--width", type=int, default=256, help="of the model that the eyes are for")
    parser.add_argument("--init-from", type=Path, help="eyes.safetensors to take weights from")
    parser.add_argument("--seed", type=int, default=EyesTraining().seed, help="of the scenes; another with --init-from")
    arguments = parser.parse_args()
    training = EyesTraining(
        max_minutes=arguments.max_minutes, num_workers=arguments.workers, seed=arguments.seed, is_compiled=True
    )
    try:
        train(arguments.run, training, nano_sight(arguments.width), init_from=arguments.init_from)
    except MicroturnError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
