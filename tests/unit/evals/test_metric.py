"""Figures and their intervals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microturn.evals import confidence, metric


def test_wilson_agrees_with_published_values() -> None:
    low, high = confidence.wilson(0.9, 10)  # Brown, Cai and DasGupta 2001
    assert (round(low, 3), round(high, 3)) == (0.596, 0.982)


def test_a_perfect_score_over_few_examples_is_not_certain() -> None:
    low, high = confidence.wilson(1.0, 20)
    assert 0.8 < low < 0.9
    assert high == 1.0


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_rate_lies_in_its_interval(counts: tuple[int, int]) -> None:
    right, total = counts
    low, high = confidence.wilson(right / total, total)
    assert 0 <= low <= right / total <= high <= 1


def test_no_examples_have_no_interval() -> None:
    with pytest.raises(ValueError, match="count >= 1"):
        confidence.wilson(0.5, 0)
    assert metric.rate([]).value is None


def test_a_ratio_is_of_sums_and_repeats_exactly() -> None:
    first, second = (metric.ratio([1, 0, 2], [10, 5, 5]) for _ in range(2))
    assert first == second
    assert (first.value, first.count) == (0.15, 20)
    assert first.ci95 is not None
    assert first.ci95[0] <= 0.15 <= first.ci95[1]


def test_macro_weighs_kinds_alike() -> None:
    found = metric.macro_rate({"many": [True] * 9 + [False], "few": [False, False], "none": []})
    assert found.value == pytest.approx(0.45)
    assert found.count == 12


def test_what_was_not_run_never_passes() -> None:
    figure = metric.not_run("no data").to_json()
    assert figure == {"value": None, "count": 0, "ci95": None, "unit": "fraction", "note": "not run: no data"}
