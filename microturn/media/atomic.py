"""Files that are there whole or not at all."""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from microturn.errors import MediaError


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A temporary file beside ``path`` to write into; it takes the path's place once the block has ended well.

    If the block raises, the temporary file goes away and what was at ``path`` before is untouched.

    Raises:
        MediaError: the folder cannot be written to.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise MediaError(
            f"nothing can be written to {path.parent} ({error.strerror}): choose another folder with --out"
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp's files are for their owner alone
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    """The process's mask of permissions: it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
