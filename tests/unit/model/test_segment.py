"""Segments are joined row by row, and what does not add up is refused."""

import pytest
import torch
from model_examples import random_model, random_segment, row_slice

from microturn.model.segment import Kind, Segment


def test_rows_are_padded_on_the_right_and_contents_follow_their_rows() -> None:
    model = random_model(seed=0)
    segment = random_segment(model.config, 3, 20, seed=0)
    parts = [row_slice(segment, 0, 0, 20), row_slice(segment, 1, 0, 7), row_slice(segment, 2, 0, 0)]
    batch = Segment.batch(parts)
    assert batch.lengths() == [20, 7, 0]
    assert (batch.kind_BT[1, 7:] == Kind.PAD).all()
    with torch.no_grad():
        embedded = model.embed(batch)
        torch.testing.assert_close(embedded[0], model.embed(parts[0])[0])
        torch.testing.assert_close(embedded[1, :7], model.embed(parts[1])[0])


def test_contents_that_do_not_match_positions_are_refused() -> None:
    model = random_model(seed=0)
    segment = random_segment(model.config, 1, 60, seed=1)
    for kept in (1, 0):
        segment.dmel_NM = segment.dmel_NM[:kept]
        with pytest.raises(ValueError, match="give one for each"):
            model.embed(segment)
