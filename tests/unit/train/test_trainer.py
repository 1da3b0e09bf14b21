"""The trainer learns, goes on exactly where it stood, and predicts only what the model itself produces."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from tiny_runs import STATISTICS, TOKENIZER, episode, steps, tiny, trainer

from microturn.data.shards import list_shards, read_index, write_shard
from microturn.errors import CheckpointError, MediaError, MicroturnError
from microturn.model import checkpoint
from microturn.recipes import RECIPES
from microturn.recipes.training import AUXILIARIES_FILE, run_training
from microturn.train.batches import Batch, BatchReader, collate
from microturn.train.parallel import Team
from microturn.train.trainer import as_it_began
from microturn.turns.vocabulary import Kind


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    folder = tmp_path / "shards"
    folder.mkdir()
    for shard in range(2):
        triples = [(str(i), "x", episode(100 * shard + i, 4 + i % 5)) for i in range(12)]
        write_shard(folder / f"{shard:05d}.tar", triples)
    return folder


def test_it_learns(tmp_path: Path, shards: Path) -> None:
    run = trainer(tmp_path / "run", shards)
    run.config = replace(run.config, max_minutes=1e-9)  # the end of the schedule: a small, constant rate
    before = run.validate()
    run.config = tiny()
    run.progressed.elapsed_s = 0.5 * run.config.max_minutes * 60
    steps(run, 40)
    after = run.validate()
    assert after["token_loss"] < 0.5 * before["token_loss"]
    assert after["speech_loss"] < before["speech_loss"]


def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(tmp_path: Path, shards: Path) -> None:
    whole = trainer(tmp_path / "whole", shards)
    steps(whole, 3)
    whole.save()
    expected = steps(whole, 4)
    resumed = trainer(tmp_path / "whole", shards)
    resumed.resume()
    assert steps(resumed, 4) == pytest.approx(expected, rel=1e-6)


def test_a_run_of_a_version_with_other_auxiliaries_is_refused(tmp_path: Path, shards: Path) -> None:
    run = trainer(tmp_path / "run", shards)
    run.save()
    state = torch.load(run.checkpoint_path, weights_only=True)
    state["auxiliaries"] = {n: v for n, v in state["auxiliaries"].items() if not n.startswith("sounds.")}
    torch.save(state, run.checkpoint_path)
    with pytest.raises(CheckpointError, match="another version"):
        run.resume()


def test_a_run_whose_optimiser_has_other_groups_is_refused(tmp_path: Path, shards: Path) -> None:
    run = trainer(tmp_path / "run", shards)
    run.save()
    state = torch.load(run.checkpoint_path, weights_only=True)
    muon, adamw = (state["optimizer"][name]["param_groups"][0]["params"] for name in ("muon", "adamw"))
    adamw.append(len(adamw))
    muon.pop()
    torch.save(state, run.checkpoint_path)
    with pytest.raises(CheckpointError, match="another version"):
        run.resume()


@pytest.fixture
def ears_shards(tmp_path: Path) -> Path:
    """Sessions in which phones are heard."""
    folder = tmp_path / "ears"
    folder.mkdir()
    heard = [episode(i) for i in range(12)]
    triples = [(str(i), "x", replace(e, sound_N=2 + e.run.dmel_NM[:, 0] // 5)) for i, e in enumerate(heard)]
    write_shard(folder / "00000.tar", triples)
    return folder


def test_a_step_for_the_ears_moves_the_lower_layers_alone(tmp_path: Path, shards: Path, ears_shards: Path) -> None:
    run = trainer(tmp_path / "run", shards, ears_shards=ears_shards)
    before = {name: weight.clone() for name, weight in run.model.state_dict().items()}
    batch, is_for_ears = next(run.batches())
    run.step(batch, is_for_ears)
    moved = {name for name, weight in run.model.state_dict().items() if not torch.equal(weight, before[name])}
    assert is_for_ears
    assert any(name.startswith("audio_in.") for name in moved)
    assert any(name.startswith("blocks.0.") for name in moved)
    assert not any(name.startswith(("blocks.1.", "flow_head.", "unembedding.")) for name in moved)


def test_every_other_step_is_for_the_ears_and_they_learn(tmp_path: Path, shards: Path, ears_shards: Path) -> None:
    run = trainer(tmp_path / "run", shards, ears_shards=ears_shards)
    run.progressed.elapsed_s = 0.2 * run.config.max_minutes * 60
    losses: dict[bool, list[float]] = {False: [], True: []}
    for (batch, is_for_ears), _ in zip(run.batches(), range(60), strict=False):
        losses[is_for_ears].append(float(run.step(batch, is_for_ears).total.detach()))
    assert len(losses[True]) == len(losses[False]) == 30
    assert losses[True][-1] < 0.5 * losses[True][0]
    assert run.progressed.num_positions > 0
    assert run.progressed.num_ears_positions > 0


def test_a_resumed_run_goes_on_with_the_ears_as_if_it_had_not_stopped(
    tmp_path: Path, shards: Path, ears_shards: Path
) -> None:
    whole = trainer(tmp_path / "whole", shards, ears_shards=ears_shards)
    steps(whole, 3)
    whole.save()
    expected = steps(whole, 4)
    resumed = trainer(tmp_path / "whole", shards, ears_shards=ears_shards)
    resumed.resume()
    assert steps(resumed, 4) == pytest.approx(expected, rel=1e-6)


def test_a_run_with_ears_is_not_resumed_without_them(tmp_path: Path, shards: Path, ears_shards: Path) -> None:
    whole = trainer(tmp_path / "run", shards, ears_shards=ears_shards)
    steps(whole, 1)
    whole.save()
    with pytest.raises(CheckpointError, match="--ears-shards"):
        trainer(tmp_path / "run", shards).resume()


def spoilt(batch: Batch) -> Batch:
    """The batch with speech that no loss is finite of."""
    return replace(batch, speech_target_NP=torch.full_like(batch.speech_target_NP, torch.nan))


def test_a_batch_without_a_finite_gradient_changes_no_weight(tmp_path: Path, shards: Path) -> None:
    run = trainer(tmp_path / "run", shards)
    batches = iter(run.reader)
    run.step(next(batches))
    weights = [p.detach().clone() for p in run.optimizer.parameters]
    average = [mean.clone() for mean in run.average.state_dict()["mean"]]
    run.step(spoilt(next(batches)))
    assert run.progressed.num_skipped == 1
    assert all(torch.equal(now, then) for now, then in zip(run.optimizer.parameters, weights, strict=True))
    assert all(torch.equal(now, then) for now, then in zip(run.average.state_dict()["mean"], average, strict=True))
    assert run.step(next(batches)).total.isfinite()
    run.save()
    resumed = trainer(tmp_path / "run", shards)
    resumed.resume()
    assert resumed.progressed.num_skipped == 1


def test_a_run_without_finite_gradients_stops_and_leaves_its_checkpoint(
    tmp_path: Path, shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trainer(tmp_path / "run", shards, replace(tiny(), save_every_minutes=0.0))
    batches = [batch for batch, _ in zip(run.reader, range(3), strict=False)]
    run.step(batches[0])
    run.save()
    saved = run.checkpoint_path.read_bytes()
    monkeypatch.setattr(BatchReader, "__iter__", lambda _: iter([spoilt(batches[1])] * 99))
    with pytest.raises(MicroturnError, match="no finite gradient in 20 steps"):
        run.train()
    assert run.progressed.step == 21
    assert run.checkpoint_path.read_bytes() == saved


def test_episodes_that_are_too_long_are_counted_once_a_pass(
    tmp_path: Path, shards: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lengths = [entry.num_positions for shard in list_shards(shards) for entry in read_index(shard)]
    max_positions = sorted(lengths)[-5]
    long = [length for length in lengths if length > max_positions]
    said = f"{len(long)} of 24 episodes in {shards}, {100 * sum(long) / sum(lengths):.1f} % of the positions"
    config = replace(tiny(), max_positions=max_positions)
    run = trainer(tmp_path / "run", shards, config)
    assert [record.message.startswith(said) for record in caplog.records] == [True]  # of the validation
    caplog.clear()
    for _ in run.reader:
        if run.reader.cursor.pass_index == 1:
            break
    assert [record.message.startswith(said) for record in caplog.records] == [True, True]
    caplog.clear()
    other = BatchReader(
        shards, TOKENIZER.vocabulary, STATISTICS, positions_per_batch=300, max_positions=max_positions, seed=0,
        team=Team(1, 2),
    )  # fmt: skip
    next(iter(other))
    assert not caplog.records


def test_every_episode_comes_once_a_pass(shards: Path) -> None:
    reader = BatchReader(shards, TOKENIZER.vocabulary, STATISTICS, positions_per_batch=300, max_positions=1000, seed=0)
    rows = 0
    for batch in reader:
        if reader.cursor.pass_index == 1:
            break
        rows += batch.segment.num_rows
    assert rows == 24


def test_a_pass_begun_with_other_batches_is_not_gone_on_with(shards: Path) -> None:
    def reader(positions_per_batch: int) -> BatchReader:
        return BatchReader(
            shards,
            TOKENIZER.vocabulary,
            STATISTICS,
            positions_per_batch=positions_per_batch,
            max_positions=1000,
            seed=0,
        )

    begun = reader(300)
    next(iter(begun))
    same, other = reader(300), reader(400)
    same.cursor, other.cursor = replace(begun.cursor), replace(begun.cursor)
    next(iter(same))
    next(iter(other))
    assert (same.cursor.pass_index, same.cursor.batch_index) == (0, 2)
    assert (other.cursor.pass_index, other.cursor.batch_index) == (1, 1)


def test_shards_of_which_nothing_fits_are_named(shards: Path) -> None:
    reader = BatchReader(shards, TOKENIZER.vocabulary, STATISTICS, positions_per_batch=9, max_positions=3, seed=0)
    with pytest.raises(MediaError, match="more than 3 positions"):
        next(iter(reader))


def test_only_free_tokens_of_the_model_are_predicted() -> None:
    batch = collate([episode(0), episode(1, 9)], TOKENIZER.vocabulary, STATISTICS)
    kind = batch.segment.kind_BT.flatten()
    token = batch.segment.token_BT.flatten()
    assert torch.equal(token[batch.token_at_N + 1], batch.token_target_N)
    assert not (kind[batch.token_at_N] == Kind.SPEECH).any()  # after the last patch, the end is forced
    assert (kind[batch.speech_at_N + 1] == Kind.SPEECH).all()
    assert len(batch.speech_target_NP) == int((kind == Kind.SPEECH).sum())
    special = TOKENIZER.vocabulary.special
    assert set(batch.token_target_N.tolist()) & {special.time, special.pad} == set()


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path, shards: Path) -> None:
    run = trainer(tmp_path / "run", shards)
    run.save()
    other = replace(tiny(), model=replace(tiny().model, eviction_turns=7))
    with pytest.raises(CheckpointError, match="recipe"):
        trainer(tmp_path / "run", shards, other).resume()
    with pytest.raises(CheckpointError, match="without --resume"):
        trainer(tmp_path / "new", shards).resume()


def test_an_empty_folder_names_the_command(tmp_path: Path) -> None:
    reader = BatchReader(tmp_path, TOKENIZER.vocabulary, STATISTICS, positions_per_batch=9, max_positions=9, seed=0)
    with pytest.raises(MediaError, match="microturn data make"):
        next(iter(reader))


def test_training_from_weights_goes_on_with_the_heads_trained_with_them(
    tmp_path: Path, shards: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("microturn.recipes.training.draw_curves", lambda *_: None)
    run_training("tiny", shards, prepared, tmp_path / "first", shards, max_minutes=0.05)
    trained = tmp_path / "first" / "checkpoint"
    checkpoint.load(trained)
    knows, forgot = (trainer_from(trained, shards, has_heads) for has_heads in (True, False))
    assert knows["letter_loss"] < 0.9 * forgot["letter_loss"]
    assert knows["token_loss"] == forgot["token_loss"]


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to train the recipe "tiny" with."""
    monkeypatch.setitem(RECIPES, "tiny", lambda _: tiny())
    folder = tmp_path / "prepared"
    folder.mkdir()
    TOKENIZER.save(folder / "tokenizer.json")
    (folder / "mel.json").write_text(json.dumps(STATISTICS.to_json()))
    return folder


def kept(run: Path) -> dict:
    """What a run's checkpoint keeps of its configuration."""
    return torch.load(run / "checkpoint.pt", weights_only=True)["training"]


def test_a_resumed_run_has_the_rates_that_it_began_with(tmp_path: Path, shards: Path, prepared: Path) -> None:
    def go_on(**options: float) -> None:
        run_training("tiny", shards, prepared, tmp_path / "run", resume=True, **options)

    run_training("tiny", shards, prepared, tmp_path / "run", max_minutes=1e-6, rate_scale=0.25, voice_rate_scale=0.5)
    began = kept(tmp_path / "run")
    assert began["optimizer"] == asdict(tiny().optimizer.at(0.25, 0.5))
    go_on()
    assert kept(tmp_path / "run") == began
    go_on(rate_scale=0.25, voice_rate_scale=0.5, max_minutes=2e-6)
    assert kept(tmp_path / "run") == began | {"max_minutes": 2e-6}
    for flag in ("rate_scale", "voice_rate_scale", "sight_rate_scale"):
        with pytest.raises(CheckpointError, match=f"--{flag.replace('_', '-')} 0.3"):
            go_on(**{flag: 0.3})


def test_a_resumed_run_has_the_batches_and_the_seed_that_it_began_with(tmp_path: Path, shards: Path) -> None:
    config = replace(tiny(), seed=7, positions_per_batch=200, max_minutes=3.0)
    trainer(tmp_path, shards, config).save()
    assert as_it_began(tiny(), tmp_path) == config
    with pytest.raises(CheckpointError, match="without --resume"):
        as_it_began(tiny(), tmp_path / "new")


def test_a_checkpoint_that_keeps_no_rates_takes_those_that_are_given(
    tmp_path: Path, shards: Path, prepared: Path
) -> None:
    run = tmp_path / "run"
    run_training("tiny", shards, prepared, run, max_minutes=1e-6)
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    del state["training"], state["progressed"]["num_skipped"]
    torch.save(state, run / "checkpoint.pt")
    run_training("tiny", shards, prepared, run, max_minutes=1e-6, resume=True, rate_scale=0.5)
    assert kept(run)["optimizer"] == asdict(tiny().optimizer.at(0.5))
    torch.save(state, run / "checkpoint.pt")
    with pytest.raises(CheckpointError, match="other rate scales"):
        run_training("tiny", shards, prepared, run, max_minutes=1e-6, resume=True, voice_rate_scale=0.5)


def trainer_from(trained: Path, shards: Path, has_heads: bool) -> dict[str, float]:
    """Losses at the first validation of a run from weights, with the heads beside them or without."""
    if not has_heads:
        (trained / AUXILIARIES_FILE).unlink()
    folder = trained.parent.parent / f"second-{has_heads}"
    run_training("tiny", shards, trained, folder, shards, max_minutes=1e-6, init_from=trained, rate_scale=1e-9)
    return json.loads((folder / "log.jsonl").read_text().splitlines()[-1])
