"""The comparison with `transformers` runs on whatever backbone it is given, and both sides read the same."""

import dataclasses

import pytest
import torch

from microturn.recipes.geometries import layer_pattern, mlp_pattern, nano

pytest.importorskip("transformers.models.inkling")

from microturn.evals import bench_reference


def test_it_reports_both_sides_and_their_ratio() -> None:
    backbone = dataclasses.replace(
        nano(60).backbone,
        width=32,
        layers=layer_pattern(2, global_every=2),
        mlps=mlp_pattern(2, num_dense=2),
        dense_width=40,
        sliding_window=16,
        relative_extent=16,
    )
    torch.manual_seed(0)
    reports = bench_reference.reference_reports(backbone, num_turns=2)
    assert set(reports) == {"listening", "speaking"}
    for report in reports.values():
        metrics = report.metrics
        ours, theirs = metrics["ours_ms_p50"].value, metrics["transformers_ms_p50"].value
        assert ours is not None
        assert theirs is not None
        assert metrics["times_faster"].value == pytest.approx(theirs / ours)
