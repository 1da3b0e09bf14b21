"""Where the cases of an evaluation come from: scenarios played with held-out voices, phrasings and noises."""

from collections.abc import Callable
from pathlib import Path

from microturn.data import human
from microturn.data.episode import Episode
from microturn.data.make import load_material, play_scenario
from microturn.errors import MediaError
from microturn.evals.exchange import Case

Play = Callable[[str, int], Episode]
"""Scenario name and seed to an episode."""

MIN_TIMED_SHARE = 0.5
"""Of the human recordings that are there; the rest is what an alignment gives up on, or was added since."""
_SEEDS_PER_RUN = 1_000_000
_MAX_PLAYS_PER_CASE = 30


def heldout_play(data_dir: Path | None) -> Play:
    """Plays with held-out material; without ``data_dir`` no human speech or recorded noise takes part.

    Raises:
        MediaError: there are human recordings, and too few that scenarios can play, whose word times are known.
    """
    if data_dir is not None:
        _check_timed(data_dir)
    material = load_material("heldout", data_dir)
    return lambda name, seed: play_scenario(name, seed, material)


def _check_timed(data_dir: Path) -> None:
    num_all = len(human.clips("heldout", data_dir, is_timed=False))
    num_timed = len(human.clips("heldout", data_dir))
    if num_timed < MIN_TIMED_SHARE * num_all:
        raise MediaError(
            f"word times are known for {num_timed} of the {num_all} held-out recordings in {data_dir}, and the others "
            f"are not played: run `microturn data align --part heldout --data {data_dir}`"
        )


class Playbook:
    """Plays scenarios seed by seed, each once however many suites ask for it."""

    def __init__(self, play: Play, *, seed: int = 0, data_dir: Path | None = None) -> None:
        """``data_dir`` is the folder of human recordings, for suites that draw on them."""
        self.seed = seed
        self.data_dir = data_dir
        self.on_play: Callable[[], None] = lambda: None
        """Called after each play."""
        self._play = play
        self._played: dict[tuple[str, int], Episode] = {}

    def cases(
        self, scenario: str, count: int, *, kind: str | None = None, accept: Callable[[Episode], bool] = lambda _: True
    ) -> list[Case]:
        """The first ``count`` plays of a scenario that a suite accepts, as cases of a kind (else the scenario's name).

        Raises:
            ValueError: such plays are too rare to be found.
        """
        found: list[Case] = []
        for number in range(count * _MAX_PLAYS_PER_CASE):
            if len(found) == count:
                break
            episode = self._episode(scenario, number)
            if accept(episode):
                found.append(Case(key=f"{scenario}-{episode.seed}", kind=kind or scenario, episode=episode))
        if len(found) < count:
            raise ValueError(
                f"only {len(found)} of {count} plays of '{scenario}' fit the suite: lower --limit or try another --seed"
            )
        return found

    def _episode(self, scenario: str, number: int) -> Episode:
        if (scenario, number) not in self._played:
            self._played[scenario, number] = self._play(scenario, self.seed * _SEEDS_PER_RUN + number)
            self.on_play()
        return self._played[scenario, number]


def split(count: int, num_kinds: int) -> list[int]:
    """A count divided over kinds as evenly as it goes, none left without."""
    return [max(1, count // num_kinds + (i < count % num_kinds)) for i in range(num_kinds)]
