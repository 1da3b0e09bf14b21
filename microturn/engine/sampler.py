"""What is random in a session, and the choice of a token.

Every random number is a function of (session seed, purpose, turn, place): a counter-based generator (Philox, Salmon
et al. 2011) is keyed by them anew each time. So it does not matter who else is in the batch, what ran before, or
whether the session was resumed from a snapshot. No global generator is ever touched.

Dimensions: B rows, V tokens of the vocabulary (or phones), P values of a patch.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Purpose(IntEnum):
    """Keeps the random numbers of different uses apart."""

    FLOW = 0
    TOKEN = 1
    PHONE = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingSettings:
    """How a token is chosen among those that the grammar allows."""

    temperature: float = 0.0
    """0 takes the likeliest."""
    top_p: float = 1.0
    """Only the likeliest tokens that together reach this probability are drawn from."""

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            raise ValueError(
                f"temperature {self.temperature} must be 0 or more and top_p {self.top_p} in (0, 1]: "
                "temperature 0 takes the likeliest token"
            )


def generator(seed: int, purpose: Purpose, turn: int, place: int) -> np.random.Generator:
    """A fresh generator for one use. ``seed`` is taken modulo 2**64."""
    key = np.array([seed % 2**64, purpose], np.uint64)
    counter = np.array([0, 0, turn, place], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def flow_noise(seed: int, turn: int, patch: int, num_values: int) -> NDArray[np.float32]:
    """Where the flow of one speech patch starts: (P,) standard normal."""
    return generator(seed, Purpose.FLOW, turn, patch).standard_normal(num_values, np.float32)


def choose(
    logits_BV: Tensor,
    is_allowed_BV: Tensor,
    settings: SamplingSettings,
    keys: list[tuple[int, int, int]],
    purpose: Purpose = Purpose.TOKEN,
) -> list[int]:
    """One allowed token, or phone, for each row.

    Args:
        logits_BV: (B, V).
        is_allowed_BV: (B, V) bool, or (V,) for all rows; at least one a row.
        settings: how to choose.
        keys: (session seed, turn, number of the token within its turn) for each row.
        purpose: what is chosen.
    """
    masked_BV = logits_BV.float().masked_fill(~is_allowed_BV, -torch.inf)
    if settings.temperature == 0:
        return masked_BV.argmax(1).tolist()
    rows: list[NDArray[np.float64]] = list(masked_BV.double().cpu().numpy())
    return [_draw(row, settings, purpose, *key) for row, key in zip(rows, keys, strict=True)]


def _draw(
    logits_V: NDArray[np.float64], settings: SamplingSettings, purpose: Purpose, seed: int, turn: int, place: int
) -> int:
    order = np.argsort(-logits_V, kind="stable")
    weight = np.exp((logits_V[order] - logits_V[order[0]]) / settings.temperature)
    total = np.cumsum(weight)
    # The token that crosses top_p still counts, so that one is always left.
    num_kept = int(np.searchsorted(total, settings.top_p * total[-1])) + 1
    total = total[:num_kept]
    drawn = generator(seed, purpose, turn, place).random() * total[-1]
    return int(order[min(int(np.searchsorted(total, drawn, side="right")), num_kept - 1)])
