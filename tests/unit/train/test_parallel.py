"""Two processes train one model: they stay equal, and no episode is read twice."""

import os
import socket
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from tiny_runs import STATISTICS, TOKENIZER, episode, steps, trainer

from microturn.data.shards import write_shard
from microturn.train.batches import BatchReader
from microturn.train.parallel import Team

NUM_STEPS = 3


def train_as(rank: int, port: int, folder: Path, shards: Path) -> None:
    """One process of two."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    run = trainer(folder / "run", shards)
    steps(run, NUM_STEPS)
    run.save()
    torch.save(run.model.state_dict(), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def average_as(rank: int, port: int, folder: Path) -> None:
    """One process of two, whose batch had no use for the first of three parameters; the other's for the first two."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    team = Team.join("cpu")
    parameters = [torch.nn.Parameter(torch.zeros(2)) for _ in range(3)]
    for parameter in parameters[1 + rank :]:
        parameter.grad = torch.full((2,), 4.0)
    team.average_gradients(parameters)
    torch.save([parameter.grad for parameter in parameters], folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    folder = tmp_path / "shards"
    folder.mkdir()
    write_shard(folder / "00000.tar", [(str(i), "x", episode(i, 4 + i % 5)) for i in range(24)])
    return folder


def test_processes_take_the_same_steps(tmp_path: Path, shards: Path) -> None:
    mp.spawn(train_as, args=(free_port(), tmp_path, shards), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    alone = trainer(tmp_path / "alone", shards)
    steps(alone, NUM_STEPS)
    differing = 0
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name
        differing += not torch.equal(weight, alone.model.state_dict()[name])
    assert differing, "the second process's batches count"
    resumed = trainer(tmp_path / "run", shards)  # one process goes on where two stood
    resumed.resume()
    assert resumed.progressed.step == NUM_STEPS


def test_what_no_batch_had_a_use_for_stays_without_a_gradient(tmp_path: Path) -> None:
    mp.spawn(average_as, args=(free_port(), tmp_path), nprocs=2)
    for rank in (0, 1):
        unused, used_by_one, used_by_both = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert unused is None
        assert used_by_one.tolist() == [2.0, 2.0]
        assert used_by_both.tolist() == [4.0, 4.0]


@pytest.mark.parametrize("size", [2, 3])
def test_everybody_reads_episodes_of_their_own(shards: Path, size: int) -> None:
    def first_pass(team: Team) -> list[bytes]:
        reader = BatchReader(
            shards, TOKENIZER.vocabulary, STATISTICS, positions_per_batch=200, max_positions=1000, seed=0, team=team
        )
        seen: list[bytes] = []
        for batch in reader:
            if reader.cursor.pass_index:
                return seen
            seen.append(batch.segment.token_BT.numpy().tobytes() + batch.segment.dmel_NM.numpy().tobytes())
        raise AssertionError("a reader never ends")

    parts = [first_pass(Team(rank, size)) for rank in range(size)]
    assert len({len(part) for part in parts}) == 1
    everything = [batch for part in parts for batch in part]
    alone = first_pass(Team())
    assert len(everything) > len(alone) - size
    assert set(everything) <= set(alone)
