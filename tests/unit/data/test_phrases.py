"""Requests in other words, whose meaning stays and whose held-out wordings stay out of training."""

from types import ModuleType

import numpy as np
import pytest

from microturn.data import scenarios
from microturn.data.phrases import Phrases, Requests, frame, is_heldout, shape
from microturn.data.scenarios import count_aloud, every_seconds, in_seconds, repeat_after_me, short_requests

BANKS = (count_aloud.UP_TO, count_aloud.FROM_TO, every_seconds.REQUEST, in_seconds.REQUEST, repeat_after_me.REQUEST)


def _banks(module: ModuleType) -> list[Phrases]:
    return [value for value in vars(module).values() if isinstance(value, Phrases)]


@pytest.mark.parametrize("bank", BANKS)
def test_training_words_a_request_in_many_ways_and_never_as_it_is_held_out(bank: Requests) -> None:
    rng = np.random.default_rng(1)
    chosen = {bank.choose("train", rng) for _ in range(3000)}
    assert len(chosen) > 10 * len(bank.train)
    assert not chosen & set(bank.heldout)


def test_no_bank_words_a_request_as_another_one_holds_it_out() -> None:
    rng = np.random.default_rng(2)
    banks = [bank for module in vars(scenarios).values() if isinstance(module, ModuleType) for bank in _banks(module)]
    assert len(banks) > 60
    heldout = {shape(phrase) for bank in banks for phrase in bank.heldout}
    for bank in banks:
        chosen = {bank.choose("train", rng) for _ in range(400)}
        assert not {shape(phrase) for phrase in chosen - set(bank.train)} & heldout
    assert is_heldout("start counting from {first}")


def test_training_never_asks_in_words_that_evaluation_puts_together() -> None:
    rng = np.random.default_rng(3)
    chosen = {shape(count_aloud.FROM_TO.choose("train", rng)) for _ in range(30_000)}
    assert not chosen & {shape(f"{opening} to {{b}}") for opening in short_requests.COUNT.heldout}
    assert all(is_heldout(f"{opening} {{x}}") for opening in short_requests.REPEAT.heldout)


def test_evaluation_asks_in_the_words_of_the_bank_alone() -> None:
    rng = np.random.default_rng(1)
    assert {every_seconds.REQUEST.choose("heldout", rng) for _ in range(300)} == set(every_seconds.REQUEST.heldout)


def test_what_is_to_be_said_stays_last() -> None:
    rng = np.random.default_rng(1)
    assert all(frame("repeat after me {x}", rng).endswith("repeat after me {x}") for _ in range(300))


def test_a_courtesy_stands_before_a_verb_alone() -> None:
    rng = np.random.default_rng(1)
    framed = {frame("that is enough", rng) for _ in range(300)}
    assert not any("you" in phrase.split() for phrase in framed - {"hey you that is enough"})
