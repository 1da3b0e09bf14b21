"""The family's members, counted without memory for a single weight."""

import pytest

from microturn.recipes.geometries import count_backbone, count_parameters, nano, small


def test_small_counts_as_published() -> None:
    total, active = count_backbone(small())
    assert total == pytest.approx(263.7e9, rel=0.005)
    assert active == pytest.approx(11.9e9, rel=0.005)


def test_smalls_layers() -> None:
    backbone = small().backbone
    assert len(backbone.layers) == 42
    assert [i for i, kind in enumerate(backbone.layers) if kind == "global"] == [5, 11, 17, 23, 29, 35, 41]
    assert [i for i, kind in enumerate(backbone.mlps) if kind == "dense"] == [0, 1]


def test_nano_fits_two_cores() -> None:
    config = nano(vocab_size=4096, can_see=True)
    total, active = count_parameters(config)
    assert total <= 30e6
    assert active <= 12e6
    assert [i for i, kind in enumerate(config.backbone.layers) if kind == "global"] == [3, 7]
