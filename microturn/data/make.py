"""Rendering: seeds to episodes to shards, in parallel, resumable."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.random import Generator
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from microturn.data import acoustics, human, wordnet
from microturn.data.episode import Episode
from microturn.data.languages import LANGUAGES
from microturn.data.packed import PackedEpisode, pack
from microturn.data.scenarios import SCENARIOS, mix
from microturn.data.shards import write_shard
from microturn.data.split import check_part
from microturn.data.stage import Cast, Stage
from microturn.data.visual import Films, Scene
from microturn.data.visual.story import Story, something_happens
from microturn.data.voices import assistant_voice, dictionary, sample_voice
from microturn.data.workers import in_processes
from microturn.features.tokenizer import Tokenizer

PARTS = {"train": 0, "heldout": 1}
ECHO_CHANCE = 0.2
TARGET_MS = (8_000, 24_000)
"""A session ends with the scenario that passes a moment in here."""
SIGHTED_TARGET_MS = (4_000, 14_000)
"""The same where there is video: a micro-turn is four times as long to read."""
WATCHED_CHANCE = 0.5
"""Share of sighted sessions whose camera is on from the start, whatever is asked for."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """What scenarios draw from beside voices."""

    part: str
    sentences: Sequence[str]
    vocabulary: Sequence[str] = ()
    dictionary: Sequence[str] = ()
    clips: Sequence[human.Clip]
    data_dir: Path | None
    films: Films = field(default_factory=Films)


@functools.cache
def load_material(part: str, data_dir: Path | None) -> Material:
    """Sentences and human recordings of one part; without ``data_dir``, synthetic voices alone.

    In training, with the examples of WordNet where that is installed.
    """
    if data_dir is None:
        return Material(part=part, sentences=(), clips=(), data_dir=None)
    read = human.sentences(data_dir, part=part)
    examples = () if part != "train" else set(wordnet.examples()) - set(human.sentences(data_dir, part="heldout"))
    return Material(
        part=part,
        sentences=(*read, *sorted(examples)),
        vocabulary=tuple(sorted({word for sentence in read for word in sentence.split()})),
        dictionary=dictionary(),
        clips=human.clips(part, data_dir).clips,
        data_dir=data_dir,
        films=Films.load(part, data_dir),
    )


def cast_for(rng: Generator, material: Material) -> Cast:
    """Draw the players of one episode."""
    part = material.part
    return Cast(
        user=sample_voice(rng, part),
        bystanders=lambda generator: sample_voice(generator, part),
        assistant=assistant_voice(),
        interpreters={code: assistant_voice(code) for code in LANGUAGES},
        part=part,
        sentences=material.sentences,
        vocabulary=material.vocabulary,
        dictionary=material.dictionary,
        clips=material.clips,
        films=material.films,
    )


def play_session(
    seed: int,
    material: Material,
    target_ms: float | None = None,
    *,
    can_see: bool = False,
    only: Sequence[str] = (),
) -> Episode:
    """Several scenarios, one after the other, as in a real session. The same seed gives the same episode.

    With ``can_see`` those that need sight are among them, and the camera may be on during the others too. ``only``
    names the scenarios to draw from; all by default.
    """
    rng = np.random.default_rng([PARTS[material.part], seed])
    stage = Stage(rng, cast_for(rng, material), is_late_at_times=material.part == "train")
    scenarios = [SCENARIOS[name] for name in only] or mix(can_see=can_see)
    weights = np.array([scenario.weight for scenario in scenarios])
    target_ms = target_ms or stage.between(*(SIGHTED_TARGET_MS if can_see else TARGET_MS))
    now_ms, names = stage.between(100, 2000), []
    if can_see and stage.chance(WATCHED_CHANCE):
        _look_around(stage, target_ms)
    while now_ms < target_ms:
        scenario = scenarios[int(rng.choice(len(scenarios), p=weights / weights.sum()))]
        now_ms = scenario.play(stage, now_ms) + stage.between(300, 1500)
        names.append(scenario.name)
    echo_db = stage.between(-45, -22) if stage.chance(ECHO_CHANCE) else None
    return _render(stage, "+".join(names), seed, now_ms, material, echo_db)


def _look_around(stage: Stage, until_ms: float) -> None:
    """The camera shows a scene in which things happen that nobody asks about."""
    scene = Scene(stage.rng, check_part(stage.cast.part))
    story = Story(scene, num_things=stage.whole(0, 2), has_person=stage.chance(0.5))
    something_happens(story, stage.between(0, 4_000), until_ms)
    stage.watch(scene, 0.0)


def play_scenario(name: str, seed: int, material: Material) -> Episode:
    """One scenario alone, for evaluation and for looking at.

    Without echo: in evaluation the microphone would hear the reference reply, which is not what the model says.
    """
    rng = np.random.default_rng([PARTS[material.part], seed, list(SCENARIOS).index(name)])
    stage = Stage(rng, cast_for(rng, material))
    end_ms = SCENARIOS[name].play(stage, stage.between(300, 1500))
    return _render(stage, name, seed, end_ms + 1200, material)


def _render(
    stage: Stage, name: str, seed: int, end_ms: float, material: Material, echo_db: float | None = None
) -> Episode:
    degrade = functools.partial(acoustics.degrade, part=material.part, data_dir=material.data_dir)
    return stage.render(name, seed, end_ms, degrade, echo_db)


def _make_shard(
    index: int,
    out: Path,
    per_shard: int,
    tokenizer_path: Path,
    data_dir: Path | None,
    can_see: bool,
    only: Sequence[str],
) -> tuple[int, float]:
    """Render one shard. Returns its number of positions and its seconds of media."""
    tokenizer = Tokenizer.load(tokenizer_path)
    material = load_material("train", data_dir)

    def episodes() -> Iterator[tuple[str, str, PackedEpisode]]:
        for seed in range(index * per_shard, (index + 1) * per_shard):
            episode = play_session(seed, material, can_see=can_see, only=only)
            yield f"{seed:08d}", episode.scenario, pack(episode, tokenizer)

    entries = write_shard(out / f"{index:05d}.tar", episodes())
    return sum(e.num_positions for e in entries), sum(e.duration_s for e in entries)


def make_shards(
    out: Path,
    num_shards: int,
    tokenizer_path: Path,
    data_dir: Path | None,
    *,
    per_shard: int = 200,
    num_workers: int = 2,
    first_shard: int = 0,
    can_see: bool = False,
    only: Sequence[str] = (),
) -> None:
    """Render training shards that are not there yet, with a progress bar; with video for a model that can see.

    ``only`` names the scenarios to draw from; all by default. Raises ValueError if one of them is unknown.
    """
    if unknown := [name for name in only if name not in SCENARIOS]:
        raise ValueError(f"no scenario {unknown[0]!r}: choose from {', '.join(SCENARIOS)}")
    out.mkdir(parents=True, exist_ok=True)
    wanted = range(first_shard, first_shard + num_shards)
    missing = [i for i in wanted if not (out / f"{i:05d}.tar").exists()]
    job = functools.partial(
        _make_shard,
        out=out,
        per_shard=per_shard,
        tokenizer_path=tokenizer_path,
        data_dir=data_dir,
        can_see=can_see,
        only=tuple(only),
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        task = progress.add_task("rendering", total=num_shards, completed=num_shards - len(missing))
        hours = 0.0
        for _, seconds in in_processes(job, missing, num_workers):
            hours += seconds / 3600
            progress.update(task, advance=1, description=f"rendering ({hours:.1f} h)")
