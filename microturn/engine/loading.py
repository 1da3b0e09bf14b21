"""A checkpoint folder to what a runner needs: weights, tokenizer, measure of the voice, vocoder.

Weights that see, where they are apart from those that listen, lie in its folder ``seeing`` as their difference.
"""

from importlib.resources import files
from pathlib import Path

from microturn.engine.runner import Checkpoint
from microturn.errors import CheckpointError
from microturn.features.mel import MelStatistics
from microturn.features.tokenizer import Tokenizer
from microturn.features.vocoder import Vocoder
from microturn.model import checkpoint, difference

FILES = ("config.json", "model.safetensors", "tokenizer.json", "mel.json", "vocoder.safetensors")
"""What a complete checkpoint folder holds."""
SEEING_FOLDER = "seeing"
"""In it: what sessions with a camera go over to. A checkpoint may have none."""


def nano_folder() -> Path:
    """The checkpoint that ships with the project: inside the installed package, or beside it in a clone."""
    package = Path(str(files("microturn")))
    for folder in (package / "checkpoints" / "nano", package.parent / "checkpoints" / "nano"):
        if (folder / "model.safetensors").exists():
            return folder
    raise CheckpointError("nano's weights are not installed with this copy: give --model FOLDER, or train them")


def load_checkpoint(folder: Path | None = None) -> Checkpoint:
    """Read a whole checkpoint; nano's unless a folder is given.

    Raises:
        CheckpointError: a file is absent or damaged, or the parts do not fit each other.
    """
    folder = nano_folder() if folder is None else Path(folder)
    if missing := [name for name in FILES if not (folder / name).is_file()]:
        raise CheckpointError(
            f"{folder} is not a complete checkpoint, {', '.join(missing)} missing: give a folder that holds "
            f"{', '.join(FILES)}"
        )
    model = checkpoint.load(folder)
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    if model.config.backbone.vocab_size < tokenizer.vocabulary.size:
        raise CheckpointError(
            f"{folder}: the tokenizer has {tokenizer.vocabulary.size} tokens, the weights "
            f"{model.config.backbone.vocab_size}: take both from the same training run"
        )
    model_hash, seeing = difference.hash_of(folder), None
    if (folder / SEEING_FOLDER).is_dir():
        seeing = difference.load(folder / SEEING_FOLDER, base=folder)
        if seeing.config.backbone != model.config.backbone or seeing.config.speech != model.config.speech:
            raise CheckpointError(
                f"{folder / SEEING_FOLDER} is of another geometry than {folder}: a session cannot go over from one to "
                "the other; take both from the same place"
            )
        model_hash += f"+{difference.hash_of(folder / SEEING_FOLDER)}"
    return Checkpoint(
        model=model,
        seeing=seeing,
        tokenizer=tokenizer,
        statistics=MelStatistics.load(folder / "mel.json"),
        vocoder=Vocoder.load(folder / "vocoder.safetensors"),
        model_hash=model_hash,
    )
