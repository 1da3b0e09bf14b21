"""`microturn data inspect`: one episode, played, drawn and written as sound."""

from pathlib import Path

from rich.console import Console

from microturn.data.make import load_material, play_scenario, play_session
from microturn.data.scenarios import SCENARIOS
from microturn.running.keeping import TIMELINE, keeping


def inspect_episode(scenario: str, seed: int, part: str, out: Path, data_dir: Path | None) -> None:
    """Keep an episode in a folder as a run of a model is kept, the reference reply in place of the model's.

    Raises:
        ValueError: no such scenario or part.
        MediaError: the folder cannot be written to.
    """
    if scenario not in SCENARIOS and scenario != "session":
        raise ValueError(f"no scenario {scenario!r}: choose session, {', '.join(SCENARIOS)}")
    material = load_material(part, data_dir)
    episode = play_session(seed, material) if scenario == "session" else play_scenario(scenario, seed, material)
    with keeping(out, title=episode.scenario, note=f"{part}, seed {seed}, {episode.voice}") as keeper:
        for turn, output in zip(episode.inputs, episode.outputs, strict=True):
            keeper.add(turn, output)
    Console().print(f"{episode.duration_ms / 1000:.1f} s of {episode.scenario} as {episode.voice}: {out / TIMELINE}")
