"""The command line. Each command imports what it needs when it runs, so that `--help` is instant."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from microturn.errors import MicroturnError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The open stack for interaction models.")
data_app = typer.Typer(no_args_is_help=True, help="Scenarios, shards, a look inside.")
bench_app = typer.Typer(no_args_is_help=True, help="Measure compute on this machine.")
app.add_typer(data_app, name="data")
app.add_typer(bench_app, name="bench")
console = Console(stderr=True)

DataDir = Annotated[
    Path | None, typer.Option("--data", envvar="MICROTURN_DATA", help="Folder of human speech, noise and rooms.")
]
ModelDir = Annotated[Path | None, typer.Option("--model", help="A checkpoint folder; nano unless given.")]
JsonPath = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")]


@data_app.command("scenarios")
def data_scenarios() -> None:
    """List the behaviours that training data teaches."""
    from microturn.data.scenarios import SCENARIOS

    table = Table("scenario", "share of the mix", "what the model does")
    total = sum(scenario.weight for scenario in SCENARIOS.values())
    for scenario in SCENARIOS.values():
        table.add_row(scenario.name, f"{scenario.weight / total:.0%}", scenario.summary)
    Console().print(table)


@data_app.command("install")
def data_install() -> None:
    """Install the speech synthesisers that rendering uses (system packages and voice packs)."""
    from microturn.data.voices import install_voices

    install_voices()


@data_app.command("prepare")
def data_prepare(
    out: Annotated[Path, typer.Argument(help="Folder for tokenizer.json and mel.json.")],
    data: DataDir = None,
    num_tokens: Annotated[int, typer.Option(help="Text tokens of the BPE.")] = 1024,
) -> None:
    """Learn the tokenizer and measure the assistant's voice: what a training run needs besides shards."""
    from microturn.data.prepare import prepare

    prepare(out, data, num_tokens)


@data_app.command("make")
def data_make(
    out: Annotated[Path, typer.Argument(help="Folder for the shards.")],
    tokenizer: Annotated[Path, typer.Option(help="tokenizer.json of the model to train.")],
    num_shards: Annotated[int, typer.Option(help="How many shards in all; those that exist are kept.")] = 50,
    first_shard: Annotated[int, typer.Option(help="Number of the first shard: a range of seeds of its own.")] = 0,
    per_shard: Annotated[int, typer.Option(help="Episodes in a shard.")] = 200,
    workers: Annotated[int, typer.Option(help="Processes.")] = os.cpu_count() or 1,
    data: DataDir = None,
) -> None:
    """Render training shards; can be interrupted and goes on where it stopped."""
    from microturn.data.make import make_shards

    make_shards(
        out, num_shards, tokenizer, data, per_shard=per_shard, num_workers=workers, first_shard=first_shard
    )


@data_app.command("inspect")
def data_inspect(
    scenario: Annotated[str, typer.Argument(help="Name of a scenario, or 'session' for several in a row.")],
    seed: Annotated[int, typer.Option(help="Which play of it.")] = 0,
    part: Annotated[str, typer.Option(help="train or heldout.")] = "train",
    out: Annotated[Path, typer.Option(help="Folder for mix.wav and timeline.html.")] = Path("out/episode"),
    data: DataDir = None,
) -> None:
    """Play and draw one episode."""
    from microturn.data.inspect import inspect_episode

    inspect_episode(scenario, seed, part, out, data)


@app.command("train")
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe: nano, nano-gpu.")],
    shards: Annotated[Path, typer.Option(help="Folder of training shards.")],
    prepared: Annotated[Path, typer.Option(help="Folder with tokenizer.json and mel.json, or a checkpoint.")],
    run: Annotated[Path, typer.Option(help="Folder of the run: checkpoint, log, curves, weights.")],
    validation: Annotated[Path | None, typer.Option(help="Folder of validation shards.")] = None,
    max_minutes: Annotated[float | None, typer.Option(help="Length of the whole run.")] = None,
    init_from: Annotated[Path | None, typer.Option(help="Checkpoint folder to take weights from.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the folder.")] = False,
) -> None:
    """Train a recipe. Resumable; at the end the run's folder holds weights, log and learning curves."""
    from microturn.recipes.training import run_training

    run_training(recipe, shards, prepared, run, validation, max_minutes, init_from, resume)


def main() -> None:
    """Entry point: run-time conditions are one line on stderr, never a traceback."""
    try:
        app(standalone_mode=False)
    except MicroturnError as error:
        console.print(f"[bold red]error:[/] {error}", highlight=False)
        sys.exit(1)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        console.print("interrupted")
        sys.exit(130)
    except Exception as error:
        from click import ClickException

        if not isinstance(error, ClickException):
            raise
        error.show()
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
