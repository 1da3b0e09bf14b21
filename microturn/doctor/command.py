"""The logic of `microturn doctor`."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from microturn.doctor.checks import (
    check_machine,
    check_sound,
    check_terminal_encoding,
    check_weights,
)
from microturn.doctor.finding import Finding, Verdict
from microturn.doctor.network import check_extras, check_port, check_udp
from microturn.doctor.speed import check_speed

_SIGNS = {Verdict.GOOD: "[green]good[/]", Verdict.NOTE: "[yellow]note[/]", Verdict.BAD: "[bold red]bad[/]"}


def examine(*, host: str, port: int, model: Path | None) -> Iterator[Finding]:
    """Every finding, the quick ones first."""
    yield from check_machine()
    yield from check_terminal_encoding()
    yield from check_port(host, port)
    yield from check_udp("::1" if ":" in host else "127.0.0.1")
    yield from check_extras()
    yield from check_sound()
    yield from check_weights(model)
    yield from check_speed(model)


def doctor(*, host: str, port: int, model: Path | None) -> bool:
    """Print what was found; False if something is bad."""
    console = Console()
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column()
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    is_well = True
    with console.status("Looking …"):
        for finding in examine(host=host, port=port, model=model):
            remedy = f"\n[dim]{finding.remedy}[/]" if finding.remedy else ""
            table.add_row(_SIGNS[finding.verdict], finding.subject, f"{finding.text}{remedy}")
            is_well &= finding.verdict is not Verdict.BAD
    console.print(table)
    return is_well
