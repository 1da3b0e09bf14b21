"""Which positions a query sees. One definition for training, whole sequences and streaming.

Legend: B rows, Q queries, K keys, T positions of a whole sequence.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

HIDDEN = -1.0e4
"""Added to the logit of what is not seen: its weight underflows to zero, in bf16 too."""


def is_kept(
    query_turn: Tensor, query_rank: Tensor, key_turn: Tensor, key_rank: Tensor, key_is_text: Tensor,
    *, eviction_turns: int, max_kept_text: int, query_drop: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Whether a global layer's query still sees an earlier key: recent keys, and the latest text however old.

    ``rank`` counts the text positions up to and including a position; ``query_drop`` is the first turn whose text no
    summary has replaced; ``key_*`` are (..., K), ``query_*`` (..., Q); returns (..., Q, K) bool. Causality is not
    decided here.
    """
    is_recent = query_turn[..., :, None] - key_turn[..., None, :] < eviction_turns
    is_late = query_rank[..., :, None] - key_rank[..., None, :] < max_kept_text
    is_remembered = key_is_text[..., None, :] & is_late
    if query_drop is not None:
        is_remembered = is_remembered & (key_turn[..., None, :] >= query_drop[..., :, None])
    return is_recent | is_remembered


@dataclass(frozen=True, slots=True)
class Eviction:
    """The rule of ``is_kept`` over a whole sequence. Built block by block: a (T, T) mask would outgrow the scores."""

    turn_BT: Tensor
    is_text_BT: Tensor
    rank_BT: Tensor
    eviction_turns: int
    max_kept_text: int
    drop_BT: Tensor | None = None

    @classmethod
    def of(
        cls,
        turn_BT: Tensor,
        is_text_BT: Tensor,
        eviction_turns: int | None,
        max_kept_text: int,
        drop_BT: Tensor | None = None,
    ) -> "Eviction | None":
        """The rule for these rows, or None where it hides nothing."""
        if eviction_turns is None:
            return None
        # Padding carries turn 0, so a short row counts from its first turn: too many, never too few.
        if int((turn_BT.amax(1) - turn_BT[:, 0]).max()) < eviction_turns:
            return None
        rank_BT = is_text_BT.cumsum(1)
        return cls(turn_BT, is_text_BT, rank_BT, eviction_turns, max_kept_text, drop_BT)

    def bias(self, queries: slice, keys: slice, dtype: torch.dtype, *, num_heads: int) -> Tensor:
        """What to add to the logits of a block: (B x heads, Q, K), 0 or HIDDEN."""
        kept = is_kept(
            self.turn_BT[:, queries], self.rank_BT[:, queries],
            self.turn_BT[:, keys], self.rank_BT[:, keys], self.is_text_BT[:, keys],
            eviction_turns=self.eviction_turns, max_kept_text=self.max_kept_text,
            query_drop=None if self.drop_BT is None else self.drop_BT[:, queries],
        )  # fmt: skip
        hidden = torch.zeros(kept.shape, dtype=dtype, device=kept.device).masked_fill_(~kept, HIDDEN)
        return hidden.repeat_interleave(num_heads, dim=0)
