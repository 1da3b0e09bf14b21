"""The command line. Each command imports what it needs when it runs, so that `--help` is instant."""

import math
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from microturn.background.limits import BudgetLimits, JobLimits
from microturn.errors import MicroturnError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The open stack for interaction models.",
)
data_app = typer.Typer(no_args_is_help=True, help="Scenarios, shards, a look inside.")
bench_app = typer.Typer(no_args_is_help=True, help="Measure compute on this machine, and a running server.")
keys_app = typer.Typer(no_args_is_help=True, help="Keys that clients show to a server.")
sessions_app = typer.Typer(no_args_is_help=True, help="What 'serve --record' has kept.")
app.add_typer(data_app, name="data")
app.add_typer(sessions_app, name="sessions")
app.add_typer(keys_app, name="keys")
app.add_typer(bench_app, name="bench")
console = Console(stderr=True)

DataDir = Annotated[
    Path | None, typer.Option("--data", envvar="MICROTURN_DATA", help="Folder of human speech, noise, rooms and video.")
]
ModelDir = Annotated[Path | None, typer.Option("--model", help="A checkpoint folder; nano unless given.")]
RecordDir = Annotated[Path, typer.Option("--record", help="The folder that 'serve --record' wrote.")]
JsonPath = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")]


@data_app.command("scenarios")
def data_scenarios() -> None:
    """List the behaviours that training data teaches."""
    from microturn.data.scenarios import SCENARIOS, mix

    table = Table("scenario", "share of the mix", "with sight", "what the model does")
    shares = [{s.name: s.weight for s in mix(can_see=can_see)} for can_see in (False, True)]
    for scenario in SCENARIOS.values():
        cells = (f"{of.get(scenario.name, 0) / sum(of.values()):.0%}" for of in shares)
        table.add_row(scenario.name, *cells, scenario.summary)
    Console().print(table)


@data_app.command("install")
def data_install() -> None:
    """Install the speech synthesisers and phrases that rendering uses (system packages and voice packs)."""
    from microturn.data.install import install_sources

    table = Table("source", "", "what to do")
    for source in install_sources():
        table.add_row(source.source, "ready" if source.is_present else "[red]absent[/]", source.remedy)
    Console().print(table)


@data_app.command("align")
def data_align(
    data: DataDir = None,
    part: Annotated[str, typer.Option(help="train or heldout.")] = "train",
    workers: Annotated[int, typer.Option(help="Processes.")] = os.cpu_count() or 1,
) -> None:
    """Find when each word of the human recordings sounds; kept in the cache, goes on where it stopped."""
    from microturn.data.human import measure

    if data is None:
        raise typer.BadParameter("which recordings? Name their folder", param_hint="--data or MICROTURN_DATA")
    measure(part, data, num_workers=workers)


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
    sight: Annotated[bool, typer.Option("--sight", help="With video, for a model that can see.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="A scenario to draw from; may be given again.")] = None,
    data: DataDir = None,
) -> None:
    """Render training shards; can be interrupted and goes on where it stopped."""
    from microturn.data.make import make_shards

    make_shards(
        out,
        num_shards,
        tokenizer,
        data,
        per_shard=per_shard,
        num_workers=workers,
        first_shard=first_shard,
        can_see=sight,
        only=only or (),
    )


@data_app.command("import")
def data_import(
    folder: Annotated[Path, typer.Argument(help="Recorded conversations and their manifest.jsonl.")],
    out: Annotated[Path, typer.Argument(help="Shard to write, SOMETHING.tar, in a folder of its own.")],
    tokenizer: Annotated[Path, typer.Option(help="tokenizer.json of the model to fine-tune.")],
) -> None:
    """Make a shard of your own recordings, to fine-tune a model on."""
    from microturn.data.recordings import import_recordings
    from microturn.features.tokenizer import Tokenizer

    count, hours = import_recordings(folder, out, Tokenizer.load(tokenizer))
    console.print(f"{count} conversations, {hours * 60:.1f} minutes: {escape(str(out))}")


@data_app.command("inspect")
def data_inspect(
    scenario: Annotated[str, typer.Argument(help="Name of a scenario, or 'session' for several in a row.")],
    seed: Annotated[int, typer.Option(help="Which play of it.")] = 0,
    part: Annotated[str, typer.Option(help="train or heldout.")] = "train",
    out: Annotated[Path, typer.Option(help="Folder for mix.wav and timeline.html.")] = Path("out/episode"),
    data: DataDir = None,
) -> None:
    """Play and draw one episode."""
    from microturn.inspecting import inspect_episode

    inspect_episode(scenario, seed, part, out, data)


@app.command("run")
def run(
    file: Annotated[Path, typer.Argument(help="A recording: wav, mp3, ogg, flac, mp4, mkv, webm, …")],
    text: Annotated[Path | None, typer.Option("--text", help="Text events, one JSON object a line.")] = None,
    model: ModelDir = None,
    fast: Annotated[bool, typer.Option("--fast", help="As fast as this machine allows, not in real time.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for reply.wav, mix.wav, turns.jsonl, timeline.html.")] = Path("out"),
) -> None:
    """Play a recording to the model, and keep what it answers with a picture of every micro-turn."""
    from microturn.running.command import run_file

    run_file(file, text_path=text, model=model, is_fast=fast, out=out)


@app.command("serve")
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8710,
    model: ModelDir = None,
    key: Annotated[
        str | None, typer.Option(envvar="MICROTURN_API_KEY", help="What clients must show; needed beyond this machine.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Keep sessions in this folder: to resume, to replay, and as films.")
    ] = None,
    keep_days: Annotated[
        float | None, typer.Option(help="Forget recorded sessions after so many days; kept until deleted unless given.")
    ] = None,
    disclosure: Annotated[
        str, typer.Option(help="Said word for word as every session begins: 'You are talking to an artificial voice.'")
    ] = "",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of the model; all cores unless given.")] = None,
    max_sessions: Annotated[int, typer.Option(min=1, help="Sessions at once; more are refused.")] = 16,
    background: Annotated[
        str, typer.Option(help="Who thinks behind the conversation: embedded, tools, client, or an endpoint's address.")
    ] = "embedded",
    background_model: Annotated[str, typer.Option(help="Model of the endpoint.")] = "",
    background_key: Annotated[
        str, typer.Option(envvar="MICROTURN_BACKGROUND_KEY", help="Key of the endpoint.", show_default=False)
    ] = "",
    background_api: Annotated[str, typer.Option(help="API of the endpoint: chat or responses.")] = "chat",
    background_sees: Annotated[bool, typer.Option(help="The endpoint's model takes pictures.")] = False,
    background_price: Annotated[
        str, typer.Option(help="Dollars for a million tokens in and out, as IN,OUT: the page shows what jobs cost.")
    ] = "",
    jobs_at_once: Annotated[
        int, typer.Option(min=1, help="Questions that the background works on at once, over all sessions; more wait.")
    ] = JobLimits.max_running,
    session_jobs: Annotated[
        int, typer.Option(min=0, help="Questions to the background that one session may ask.")
    ] = BudgetLimits.max_jobs,
    session_tool_calls: Annotated[
        int, typer.Option(min=0, help="Calls of tools that one session may use up.")
    ] = BudgetLimits.max_tool_calls,
    session_tokens: Annotated[
        int, typer.Option(min=0, help="Tokens of the endpoint that one session may use up.")
    ] = BudgetLimits.max_tokens,
    session_dollars: Annotated[
        float | None, typer.Option(min=0, help="What one session may cost; needs --background-price.")
    ] = None,
    mcp: Annotated[Path | None, typer.Option(help="Configuration file of MCP servers.")] = None,
    files: Annotated[Path | None, typer.Option(help="Folder that the background may search and read.")] = None,
    search_url: Annotated[str, typer.Option(help="Web search: a SearXNG instance's /search.")] = "",
    fetch_host: Annotated[list[str] | None, typer.Option(help="Host that may be read; may be repeated.")] = None,
    tool: Annotated[list[str] | None, typer.Option(help="NAME=allow|ask|deny; may be repeated, * fits all.")] = None,
    keys: Annotated[Path | None, typer.Option(help="A file of keys: see 'microturn keys add'.")] = None,
    cert: Annotated[Path | None, typer.Option(help="Certificate (PEM), for https.")] = None,
    cert_key: Annotated[Path | None, typer.Option(help="The certificate's private key (PEM).")] = None,
    is_self_signed: Annotated[
        bool, typer.Option("--self-signed", help="https with a certificate of our own: for a phone on this network.")
    ] = False,
    ice_server: Annotated[
        list[str] | None, typer.Option(help="stun:HOST:PORT or turn:USER:PASSWORD@HOST:PORT, for WebRTC.")
    ] = None,
) -> None:
    """The live server and its page."""
    from microturn.background.permissions import parse_rules
    from microturn.background.setup import BackgroundConfig, parse_prices
    from microturn.background.tools import WebAccess
    from microturn.server.serve import Listening
    from microturn.serving import run_server

    api = _background_api(background_api)
    if (cert is None) != (cert_key is None) or (cert and is_self_signed):
        raise typer.BadParameter("give both --cert and --cert-key, or --self-signed alone", param_hint="--cert")
    listening = Listening(
        host=host,
        port=port,
        key=key,
        keys=keys,
        certificate=(cert, cert_key) if cert and cert_key else None,
        ice_servers=tuple(ice_server or ()),
    )
    run_server(
        listening,
        model=model,
        record=record,
        keep_days=keep_days,
        disclosure=disclosure,
        num_threads=threads,
        max_sessions=max_sessions,
        background=BackgroundConfig(
            mode=background,
            model=background_model,
            key=background_key,
            api=api,
            can_see=background_sees,
            usd_per_million=parse_prices(background_price),
            mcp=mcp,
            files=files,
            web=WebAccess(search_url=search_url, fetch_hosts=tuple(fetch_host or ())),
            rules=parse_rules(tool or []),
            secrets=(key,) if key else (),
            limits=JobLimits(max_running=jobs_at_once),
            budget=BudgetLimits(
                max_jobs=session_jobs,
                max_tool_calls=session_tool_calls,
                max_tokens=session_tokens,
                max_usd=math.inf if session_dollars is None else session_dollars,
            ),
        ),
        is_self_signed=is_self_signed,
    )


def _background_api(name: str) -> Literal["chat", "responses"]:
    """The API of an endpoint. Raises BadParameter for any other word."""
    match name:
        case "chat" | "responses":
            return name
        case _:
            raise typer.BadParameter(f"{name!r}: choose chat or responses", param_hint="--background-api")


@keys_app.command("add")
def keys_add(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    keys: Annotated[Path, typer.Option(help="The file, made if need be; it holds hashes only.")],
    right: Annotated[list[str] | None, typer.Option(help="connect, mint, metrics, control; all unless given.")] = None,
) -> None:
    """Make a key for 'serve --keys', and show it once."""
    from microturn.server.keys import ALL_RIGHTS, Right, add_key

    rights = frozenset(Right(each) for each in right) if right else ALL_RIGHTS
    Console().print(add_key(keys, name, rights), highlight=False, soft_wrap=True)


@app.command("talk")
def talk(
    url: Annotated[str, typer.Option(help="The server, as `microturn serve` prints it.")] = "http://127.0.0.1:8710",
    key: Annotated[str | None, typer.Option(envvar="MICROTURN_API_KEY", help="Where the server needs one.")] = None,
    file: Annotated[Path | None, typer.Option(help="Play this recording in place of the microphone.")] = None,
    out: Annotated[Path | None, typer.Option(help="Keep what the model says in this WAV file.")] = None,
    cert: Annotated[Path | None, typer.Option(help="Certificate of a server that signed its own.")] = None,
    microphone: Annotated[str | None, typer.Option("--input", help="Microphone: number or part of its name.")] = None,
    speaker: Annotated[str | None, typer.Option("--output", help="Speaker: number or part of its name.")] = None,
    headphones: Annotated[
        bool, typer.Option("--headphones", help="The microphone does not hear the speaker: it stays open all the time.")
    ] = False,
    eagerness: Annotated[
        Literal["low", "auto", "high"],
        typer.Option(help="How readily it begins to speak: low leaves you time to think, high answers sooner."),
    ] = "auto",
) -> None:
    """Talk to a server with the local microphone and speaker, or with a recording."""
    from microturn.client.talk import talk as hold

    hold(
        url,
        key=key,
        file=file,
        out=out,
        cert=cert,
        input_device=microphone,
        output_device=speaker,
        has_headphones=headphones,
        eagerness=eagerness,
    )


@app.command("doctor")
def doctor(
    host: Annotated[str, typer.Option(help="Address that the server would listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port that the server would listen on.")] = 8710,
    model: ModelDir = None,
) -> None:
    """Say what is wrong with devices, ports, packages, weights and speed, and what to do about it."""
    from microturn.doctor.command import doctor as examine

    if not examine(host=host, port=port, model=model):
        raise typer.Exit(1)


@app.command("replay")
def replay(
    session: Annotated[str, typer.Argument(help="Name of a recorded session, or 'latest'.")],
    record: RecordDir,
    model: ModelDir = None,
    out: Annotated[Path, typer.Option(help="Folder for sound, turns, timeline, and the recording's film.")] = Path(
        "out"
    ),
    check: Annotated[bool, typer.Option(help="Fail if the model would have done something else.")] = True,
    free: Annotated[
        bool, typer.Option("--free", help="Let the model answer afresh, and show both answers side by side.")
    ] = False,
) -> None:
    """Run a recorded session again, report any deviation, and draw it; or let another model answer it afresh."""
    from microturn.replaying import replay_session

    replay_session(session, record, model=model, out=out, is_checked=check, is_free=free)


@sessions_app.command("list")
def sessions_list(record: RecordDir) -> None:
    """Every recorded session, latest first, and where the films are."""
    from microturn.recorded import list_sessions

    list_sessions(record)


@sessions_app.command("export")
def sessions_export(
    record: RecordDir,
    names: Annotated[list[str] | None, typer.Argument(help="Names of sessions, or 'latest'; all unless given.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for NAME.mkv and NAME.jsonl.")] = Path("out"),
) -> None:
    """Write sessions as Matroska files: both voices, what the camera saw, captions; and their micro-turns as JSON."""
    from microturn.recorded import export_sessions

    for path in export_sessions(record, names or (), out):
        console.print(str(path))


@sessions_app.command("delete")
def sessions_delete(
    record: RecordDir,
    names: Annotated[list[str] | None, typer.Argument(help="Names of sessions.")] = None,
    older_than: Annotated[float | None, typer.Option(help="All that began more than so many days ago.")] = None,
    includes_open: Annotated[bool, typer.Option("--open", help="Those that never ended, too.")] = False,
) -> None:
    """Forget sessions and all that was recorded of them, films included."""
    from microturn.recorded import delete_sessions

    if not names and older_than is None:
        raise typer.BadParameter("which sessions? Name them, or give --older-than DAYS", param_hint="NAMES")
    forgotten = delete_sessions(record, names or (), older_than_days=older_than, includes_open=includes_open)
    console.print(f"{len(forgotten)} sessions forgotten")


@app.command("eval")
def evaluate(
    suites: Annotated[list[str] | None, typer.Argument(help="Suites, or 'all'.")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="A checkpoint folder, silent, always-talking, relay, or a server: ws://…. With a "
            "background behind: a folder, or 'perfect'."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(help="About how many examples a suite draws.")] = 20,
    seed: Annotated[int, typer.Option(help="Draws other examples.")] = 0,
    data: DataDir = None,
    json_path: JsonPath = None,
    out: Annotated[Path | None, typer.Option(help="Keep every example's sound, timeline and verdict here.")] = None,
    scenarios: Annotated[Path | None, typer.Option(help="A Python file with scenarios of your own.")] = None,
    input_gain_db: Annotated[
        float, typer.Option(help="Make all that the microphone hears louder, below zero quieter.")
    ] = 0.0,
    restraint: Annotated[
        float, typer.Option(help="By how many nats speech must be likelier than silence before the model begins.")
    ] = 0.0,
    background: Annotated[
        str | None,
        typer.Option(
            help="For 'chained-tools': reference, local, embedded, tools, or an endpoint's address. For 'delegation', "
            "whose results are the examples' own otherwise: faults, or the same."
        ),
    ] = None,
    background_model: Annotated[str, typer.Option(help="Model of the endpoint.")] = "",
    background_key: Annotated[
        str, typer.Option(envvar="MICROTURN_BACKGROUND_KEY", help="Key of the endpoint.", show_default=False)
    ] = "",
    background_api: Annotated[str, typer.Option(help="API of the endpoint: chat or responses.")] = "chat",
    front: Annotated[
        bool, typer.Option("--front", help="'chained-tools' through the interaction model, in real time.")
    ] = False,
) -> None:
    """Measure what a model can do, on voices and phrasings that training never saw."""
    from microturn.evals.command import eval_command

    if background is not None or "chained-tools" in (suites or ()):
        if suites not in (["chained-tools"], ["delegation"]):
            raise typer.BadParameter(
                "'chained-tools', and 'delegation' with --background, measure a background: run each by itself",
                param_hint="SUITES",
            )
        if input_gain_db:
            raise typer.BadParameter(
                "what has a background behind it is heard as it is said", param_hint="--input-gain-db"
            )
        from microturn.background.setup import BackgroundConfig
        from microturn.live_evals.chained_tools.command import chained_command
        from microturn.live_evals.delegation.command import delegation_command

        config = BackgroundConfig(
            mode=background or "embedded",
            model=background_model,
            key=background_key,
            api=_background_api(background_api),
        )
        if suites == ["delegation"]:
            delegation_command(config, model=model, limit=limit, seed=seed, data=data, json_path=json_path, out=out)
            return
        chained_command(
            config,
            is_fronted=front,
            model=model,
            limit=limit,
            seed=seed,
            data=data,
            json_path=json_path,
            out=out,
        )
        return
    eval_command(
        suites or ([] if scenarios else ["all"]),
        model=model,
        limit=limit,
        seed=seed,
        data=data,
        json_path=json_path,
        out=out,
        scenarios=scenarios,
        input_gain_db=input_gain_db,
        restraint=restraint,
    )


@bench_app.command("engine")
def bench_engine(
    model: Annotated[str | None, typer.Option(help="A checkpoint folder; nano unless given.")] = None,
    turns: Annotated[int, typer.Option(help="Length of the session that is timed.")] = 600,
    starts: Annotated[int, typer.Option(help="Cold starts in fresh processes.")] = 3,
    jobs: Annotated[
        int,
        typer.Option(help="Compare with so many jobs of the background running, in place of phases and cold starts."),
    ] = 0,
    data: DataDir = None,
    json_path: JsonPath = None,
) -> None:
    """What a micro-turn costs on this machine, by phase, listening and speaking, and a cold start."""
    from microturn.evals.command import bench_engine_command

    bench_engine_command(model=model, num_turns=turns, num_starts=starts, num_jobs=jobs, data=data, json_path=json_path)


@bench_app.command("reference")
def bench_reference(
    turns: Annotated[int, typer.Option(help="Micro-turns of each kind that are timed.")] = 20,
    json_path: JsonPath = None,
) -> None:
    """A micro-turn of ours against `transformers`' own Inkling with its cache: same weights, same tokens."""
    from microturn.engine.loading import nano_folder
    from microturn.evals.command import bench_reference_command
    from microturn.model.config import ModelConfig

    config = ModelConfig.from_json((nano_folder() / "config.json").read_text(encoding="utf-8"))
    bench_reference_command(config.backbone, num_turns=turns, json_path=json_path)


@bench_app.command("train")
def bench_train(
    recipe: Annotated[str, typer.Argument(help="Such as nano or nano-gpu.")] = "nano",
    steps: Annotated[int, typer.Option(help="Steps of each kind that are timed.")] = 6,
    json_path: JsonPath = None,
) -> None:
    """Positions a second in training on this machine, plain and compiled, side by side."""
    from microturn.recipes.train_bench import bench_training_command

    bench_training_command(recipe, num_steps=steps, json_path=json_path)


@bench_app.command("load")
def bench_load(
    url: Annotated[str, typer.Option(help="Address of a running server's page.")] = "http://127.0.0.1:8710/",
    sessions: Annotated[str, typer.Option(help="Sessions at once, one level after the other.")] = "1,2,4,8",
    seconds: Annotated[
        float, typer.Option(help="Length of a level: a session asks about seven times a minute.")
    ] = 60.0,
    key: Annotated[str | None, typer.Option(envvar="MICROTURN_API_KEY", help="What the server asks for.")] = None,
    data: DataDir = None,
    json_path: JsonPath = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the figures over the sessions, .png or .svg.")] = None,
) -> None:
    """What clients wait for a server: response and micro-turn latency, deadlines missed, by number of sessions."""
    from microturn.evals.command import bench_load_command

    try:
        levels = [int(level) for level in sessions.split(",")]
    except ValueError:
        raise typer.BadParameter("give numbers with commas between them", param_hint="--sessions") from None
    bench_load_command(url=url, sessions=levels, seconds=seconds, key=key, data=data, json_path=json_path, plot=plot)


@bench_app.command("network")
def bench_network(
    url: Annotated[str, typer.Option(help="Address of a running server's page.")] = "http://127.0.0.1:8710/",
    requests: Annotated[int, typer.Option(help="Requests before, during and after each kind of bad network.")] = 4,
    key: Annotated[str | None, typer.Option(envvar="MICROTURN_API_KEY", help="What the server asks for.")] = None,
    data: DataDir = None,
    json_path: JsonPath = None,
) -> None:
    """What loss, jitter, stalls and cuts leave behind: response latency and right answers before, during and after."""
    from microturn.network_bench.command import bench_network_command

    bench_network_command(url=url, num_requests=requests, key=key, data=data, json_path=json_path)


@app.command("plan")
def plan(
    geometry: Annotated[str, typer.Argument(help="nano, nano-sight or small.")],
    device: Annotated[str, typer.Option(help="Name of a device, such as cpu-2-cores, h100, h200.")],
    count: Annotated[int, typer.Option(help="How many of them hold the model together.")] = 1,
    sessions: Annotated[int, typer.Option(help="Sessions at once.")] = 1,
) -> None:
    """Whether a geometry fits 200 ms on a device, from counted operations and bytes."""
    from microturn.engine.plan import DEVICES, table
    from microturn.engine.plan import plan as make_plan
    from microturn.recipes import GEOMETRIES

    if geometry not in GEOMETRIES:
        raise typer.BadParameter(f"{geometry!r}: choose one of {', '.join(GEOMETRIES)}", param_hint="GEOMETRY")
    if device not in DEVICES:
        raise typer.BadParameter(f"{device!r}: choose one of {', '.join(DEVICES)}", param_hint="--device")
    result = make_plan(geometry, GEOMETRIES[geometry](), DEVICES[device], num_devices=count, num_sessions=sessions)
    Console().print(table(result))


@app.command("train")
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe: nano, nano-gpu, nano-sight, nano-sight-gpu.")],
    shards: Annotated[Path, typer.Option(help="Folder of training shards.")],
    prepared: Annotated[Path, typer.Option(help="Folder with tokenizer.json and mel.json, or a checkpoint.")],
    run: Annotated[Path, typer.Option(help="Folder of the run: checkpoint, log, curves, weights.")],
    validation: Annotated[Path | None, typer.Option(help="Folder of validation shards.")] = None,
    max_minutes: Annotated[
        float | None, typer.Option(help="Length of the whole run; of one that is resumed, its new length.")
    ] = None,
    init_from: Annotated[Path | None, typer.Option(help="Checkpoint folder to take weights from.")] = None,
    eyes: Annotated[Path | None, typer.Option(help="eyes.safetensors of `microturn.recipes.eyes`.")] = None,
    ears_shards: Annotated[
        Path | None,
        typer.Option(help="Folder of shards of much speech: every other step teaches the lower layers its phones."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the folder, at the rates that it began with.")
    ] = False,
    rate_scale: Annotated[
        float | None, typer.Option(help="Of the peak learning rates, 1 unless given; 0.2 to go on from weights.")
    ] = None,
    voice_rate_scale: Annotated[
        float | None, typer.Option(help="Of the flow head's and the auxiliaries'; the same unless given.")
    ] = None,
    sight_rate_scale: Annotated[
        float | None, typer.Option(help="Of what embeds images; the same unless given.")
    ] = None,
) -> None:
    """Train a recipe. Resumable; at the end the run's folder holds weights, log and learning curves."""
    from microturn.recipes.training import run_training

    run_training(
        recipe,
        shards,
        prepared,
        run,
        validation=validation,
        max_minutes=max_minutes,
        init_from=init_from,
        eyes=eyes,
        ears_shards=ears_shards,
        resume=resume,
        rate_scale=rate_scale,
        voice_rate_scale=voice_rate_scale,
        sight_rate_scale=sight_rate_scale,
    )


def main() -> None:
    """Entry point: run-time conditions and wrong values are one line on stderr, never a traceback."""
    try:
        app()
    except MicroturnError as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)
    except ValueError as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
