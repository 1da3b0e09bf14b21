"""``bench train`` times the recipe that it names, on batches as long as the recipe's."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_runs import tiny

from microturn import recipes
from microturn.engine.loading import nano_folder
from microturn.features.tokenizer import Tokenizer
from microturn.recipes import train_bench
from microturn.recipes.train_bench import bench_training, made_up_batch
from microturn.turns.vocabulary import Kind

NANO_TOKENIZER = Tokenizer.load(nano_folder() / "tokenizer.json")


def test_made_up_batches_fill_what_the_recipe_asks_for() -> None:
    config = recipes.RECIPES["nano"](NANO_TOKENIZER.vocabulary.size)
    for seed in range(3):
        segment = made_up_batch(config, NANO_TOKENIZER, np.random.default_rng(seed)).segment
        assert 0.75 * config.positions_per_batch < segment.kind_BT.numel() <= config.positions_per_batch
        for kind in (Kind.TEXT, Kind.AUDIO, Kind.SPEECH):
            assert (segment.kind_BT == kind).any()


def test_it_times_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(tiny(), positions_per_batch=1_500)

    def recipe(vocab_size: int):
        return replace(
            config, model=replace(config.model, backbone=replace(config.model.backbone, vocab_size=vocab_size))
        )

    monkeypatch.setitem(recipes.RECIPES, "tiny", recipe)
    monkeypatch.setattr(train_bench, "can_compile", lambda device: False)  # compiling is test_compiled_training's
    metrics = bench_training("tiny", num_steps=2)["train"].metrics
    plain, speedup = metrics["plain_positions_per_s"], metrics["speedup"]
    assert plain.value is not None
    assert plain.value > 0
    assert plain.count == 2
    assert speedup.value is None
    assert "compiler" in speedup.note


def test_wrong_questions_are_refused() -> None:
    with pytest.raises(ValueError, match="no recipe 'huge'"):
        bench_training("huge")
    with pytest.raises(ValueError, match="--steps 0"):
        bench_training("nano", num_steps=0)
