"""A stretch of the flat sequence, for some rows at once: what the model reads in one forward pass.

Legend: B rows, T positions (right-padded), N audio tokens, P image tokens, S speech tokens, all three in row-major
order of their positions; M mel bands; W values of a speech patch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from microturn.turns.vocabulary import Kind


@dataclass(slots=True)
class Segment:
    """Rows of the flat sequence, each padded on the right."""

    kind_BT: Tensor
    """uint8, a ``Kind`` each."""
    token_BT: Tensor
    """int64: the token where the kind is TEXT, the phone where it is SPEECH, 0 elsewhere."""
    dmel_NM: Tensor
    """uint8: levels of the audio tokens."""
    image_NP: Tensor
    """float: the image tokens' patch pairs (P, 2, 40, 40, 3), rescaled and normalised."""
    speech_NP: Tensor
    """float (S, W): the speech tokens' normalised log-mel patches."""
    turn_BT: Tensor
    """int32: the micro-turn of each position, not falling along a row."""
    is_text_BT: Tensor
    """bool: global layers keep this position however old it is."""
    drop_BT: Tensor | None = None
    """int32: the first turn whose text a summary has not replaced by the turn of each position. None where no session
    has a summary, and in a stream, whose state knows."""

    @property
    def num_rows(self) -> int:
        """B."""
        return self.kind_BT.shape[0]

    def lengths(self) -> list[int]:
        """Positions of each row that are not padding."""
        return (self.kind_BT != Kind.PAD).sum(1).tolist()

    def to(self, device: torch.device | str) -> "Segment":
        """The same on another device."""
        moved = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}
        return Segment(**{name: value.to(device, non_blocking=True) for name, value in moved.items()})

    @staticmethod
    def of_tokens(token_BT: Tensor, *, turn: int | Tensor = 0, is_text: bool | Tensor = True) -> "Segment":
        """Text alone: every position a token. ``turn`` and ``is_text`` hold for all, or are (B, 1) or (B, T)."""
        like = torch.zeros_like(token_BT)
        return Segment(
            kind_BT=like.to(torch.uint8),
            token_BT=token_BT,
            dmel_NM=torch.empty(0, 0, dtype=torch.uint8, device=token_BT.device),
            image_NP=torch.empty(0, device=token_BT.device),
            speech_NP=torch.empty(0, 0, device=token_BT.device),
            turn_BT=(like + turn).to(torch.int32),
            is_text_BT=like.bool() | is_text,
        )

    @staticmethod
    def batch(rows: Sequence["Segment"]) -> "Segment":
        """Join segments, row after row, padding the shorter ones on the right."""
        longest = max(row.kind_BT.shape[1] for row in rows)

        def padded(name: str, value: int) -> Tensor:
            parts = [getattr(row, name) for row in rows]
            parts = [torch.zeros_like(row.turn_BT) if p is None else p for p, row in zip(parts, rows, strict=True)]
            return torch.cat([torch.nn.functional.pad(p, (0, longest - p.shape[1]), value=value) for p in parts])

        def joined(name: str) -> Tensor:
            parts = [getattr(row, name) for row in rows]
            return torch.cat([part for part in parts if part.shape[0]] or parts[:1])

        return Segment(
            kind_BT=padded("kind_BT", Kind.PAD),
            token_BT=padded("token_BT", 0),
            dmel_NM=joined("dmel_NM"),
            image_NP=joined("image_NP"),
            speech_NP=joined("speech_NP"),
            turn_BT=padded("turn_BT", 0),
            is_text_BT=padded("is_text_BT", 0),
            drop_BT=None if all(row.drop_BT is None for row in rows) else padded("drop_BT", 0),
        )
