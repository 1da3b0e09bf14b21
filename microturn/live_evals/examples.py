"""Examples told of as they end, and kept as lines, also those of a run that goes wrong."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from microturn.evals.exchange import Verdict


@contextmanager
def kept_examples(out: Path | None, suite: str) -> Generator[Callable[[str, Verdict, str], None], None, None]:
    """Takes examples, each with its name, its verdict and a line to keep.

    Says on standard error how each went, and writes the lines to ``out/SUITE.jsonl`` at the end, whatever happens
    before it.
    """
    progress = Console(stderr=True)
    lines: list[str] = []

    def note(name: str, verdict: Verdict, line: str) -> None:
        lines.append(line)
        opinion = "right" if verdict.is_right else "; ".join(verdict.problems)
        progress.print(f"{name}: {opinion}", highlight=False, markup=False)

    try:
        yield note
    finally:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{suite}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
