"""Eyes that learn alone, and a model that takes them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from test_sight_training import STATISTICS, TOKENIZER, episode, tiny

from microturn.data.shards import write_shard
from microturn.data.visual.moments import moments
from microturn.data.visual.patch_labels import UNKNOWN, WHAT
from microturn.errors import CheckpointError
from microturn.train.eyes import EYES_FILE, Eyes, EyesTraining, Moments, known_patches, mirrored, read_eyes, train
from microturn.train.trainer import TrainConfig, Trainer


def test_moments_differ_and_the_same_seed_gives_the_same() -> None:
    first, again, other = (moments(np.random.default_rng(seed), "train") for seed in (1, 1, 2))
    seen: set[str] = set()
    for _ in range(80):
        frames, labels = next(first)
        assert frames.shape == (2, 120, 160, 3)
        assert labels.shape == (15, 3)
        np.testing.assert_array_equal(next(again)[0], frames)
        assert not np.array_equal(next(other)[0], frames)
        seen |= {WHAT[what] for what in labels[:, 0] if what != UNKNOWN}
    assert {"nothing", "darkness", "a person"} < seen
    assert len(seen) > 10


def test_patches_stay_with_their_labels() -> None:
    frames, labels = next(iter(Moments("train", 3, seed=0)))
    image_N, label_N3 = known_patches(frames, labels)
    assert image_N.shape == (36, 2, 40, 40, 3)  # the empty column is not asked about
    assert label_N3.tolist() == [row for moment in labels for row in moment.tolist() if row[0] != UNKNOWN]


def test_a_mirrored_moment_has_its_labels_where_its_pictures_are() -> None:
    frames, labels = next(moments(np.random.default_rng(4), "train"))
    other_frames, other_labels = mirrored((frames, labels))
    np.testing.assert_array_equal(other_frames, frames[:, :, ::-1])
    grid, other_grid = (them.reshape(3, 5, 3) for them in (labels, other_labels))
    np.testing.assert_array_equal(other_grid[:, :4], grid[:, 3::-1])
    np.testing.assert_array_equal(other_grid[:, 4], grid[:, 4])
    for once, twice in zip((frames, labels), mirrored((other_frames, other_labels)), strict=True):
        np.testing.assert_array_equal(once, twice)


def test_moments_come_again_among_new_ones() -> None:
    batches = iter(Moments("train", 8, seed=0))
    seen: list[bytes] = []
    num_again = 0
    for _ in range(6):
        frames, _ = next(batches)
        again = [min(it.tobytes(), it[:, :, ::-1].tobytes()) for it in frames]
        num_again += sum(it in seen for it in again)
        seen += again
    assert 6 <= num_again <= 5 * 4


def test_eyes_that_cannot_be_written_leave_those_that_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(_: object, path: Path) -> None:
        Path(path).write_bytes(b"cut")
        raise OSError("the disk is full")

    config = tiny(can_see=True).video_in
    assert config is not None
    Eyes(config).save(tmp_path / EYES_FILE)
    saved = (tmp_path / EYES_FILE).read_bytes()
    monkeypatch.setattr("microturn.train.eyes.save_file", cut_off)
    with pytest.raises(OSError, match="disk"):
        Eyes(config).save(tmp_path / EYES_FILE)
    assert (tmp_path / EYES_FILE).read_bytes() == saved


def test_eyes_learn_and_a_model_takes_them(tmp_path: Path) -> None:
    config = tiny(can_see=True)
    assert config.video_in is not None
    training = EyesTraining(max_minutes=0.02, moments_per_batch=8, num_workers=0, report_every=1)
    eyes = train(tmp_path / "eyes", training, config.video_in)
    records = [json.loads(line) for line in (tmp_path / "eyes/log.jsonl").read_text().splitlines()]
    assert min(record["heldout_loss"] for record in records) < records[0]["heldout_loss"]
    weights = load_file(tmp_path / "eyes" / EYES_FILE)
    more = train(tmp_path / "more", training, config.video_in, init_from=tmp_path / "eyes" / EYES_FILE)
    first = json.loads((tmp_path / "more/log.jsonl").read_text().splitlines()[0])
    assert first["heldout_loss"] < records[0]["heldout_loss"]
    assert not torch.equal(more.image_in.folds[0].linear.weight, eyes.image_in.folds[0].linear.weight)
    for name, content in (("absent", None), ("damaged", b"cut")):
        path = tmp_path / f"{name}.safetensors"
        if content:
            path.write_bytes(content)
        with pytest.raises(CheckpointError, match="is not there" if name == "absent" else "damaged"):
            read_eyes(path)
    save_file({"image_in.norm.weight": torch.ones(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="geometry"):
        train(tmp_path / "none", training, config.video_in, init_from=tmp_path / "other.safetensors")
    (tmp_path / "shards").mkdir()
    write_shard(tmp_path / "shards/00000.tar", [("0", "x", episode(0))])

    def trainer(can_see: bool, taken: dict[str, torch.Tensor]) -> Trainer:
        model = TrainConfig(model=tiny(can_see=can_see))
        return Trainer(model, tmp_path / "run", tmp_path / "shards", TOKENIZER.vocabulary, STATISTICS, eyes_from=taken)

    run = trainer(True, weights)
    for name, value in eyes.image_in.state_dict().items():
        assert torch.equal(run.model.image_in.state_dict()[name], value)
    assert torch.equal(run.auxiliaries.glimpsed.weight, eyes.auxiliary["glimpsed"].weight)
    with pytest.raises(CheckpointError, match="can see"):
        trainer(False, weights)
    with pytest.raises(CheckpointError, match="another geometry"):
        trainer(True, {name: value[:1] for name, value in weights.items()})
