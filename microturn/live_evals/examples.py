"""Examples that are kept as lines, also those of a run that goes wrong."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def kept_examples(out: Path | None, suite: str) -> Generator[Callable[[str], None], None, None]:
    """Takes examples, a line each, and writes them to ``out/SUITE.jsonl`` at the end, whatever happens before it."""
    lines: list[str] = []
    try:
        yield lines.append
    finally:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{suite}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
