"""What enters the backbone: text, what is heard (dMel), what is seen (patches), what was said (mel patches).

Legend: N tokens of one kind, D width, M mel bands, W values of a speech patch.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from microturn.model.config import AudioInConfig, FoldConfig, SpeechConfig, VideoInConfig
from microturn.model.normalisation import RmsNorm


class TextEmbedding(nn.Module):
    """A token's row of a table, normalised."""

    def __init__(self, vocab_size: int, width: int, eps: float) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(vocab_size, width) * 0.02)
        self.norm = RmsNorm(width, eps)

    def forward(self, token: Tensor) -> Tensor:
        """(...) int64 -> (..., D)."""
        return self.norm(F.embedding(token, self.table))


class AudioEmbedding(nn.Module):
    """Bag of embeddings: every band's level has a row of one table; an audio token is their sum, normalised."""

    first_row_M: Tensor

    def __init__(self, config: AudioInConfig, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(config.num_bands * config.num_levels, width) * 0.02)
        self.norm = RmsNorm(width, eps=1e-6)
        self.register_buffer("first_row_M", torch.arange(config.num_bands) * config.num_levels, persistent=False)

    def forward(self, dmel_NM: Tensor) -> Tensor:
        """(N, M) levels -> (N, D)."""
        return self.norm(F.embedding_bag(dmel_NM + self.first_row_M, self.table, mode="sum"))


class Fold(nn.Module):
    """One layer of the hMLP."""

    def __init__(self, config: FoldConfig, in_width: int, *, is_last: bool) -> None:
        super().__init__()
        self.time, self.space = config.time, config.space
        self.linear = nn.Linear(in_width * config.time * config.space**2, config.out_width, bias=False)
        self.norm = None if is_last else RmsNorm(config.out_width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """(N, frames, height, width, channels) -> the same with fewer of the middle three."""
        x = x.unflatten(1, (-1, self.time)).unflatten(3, (-1, self.space)).unflatten(5, (-1, self.space))
        x = self.linear(x.permute(0, 1, 3, 5, 2, 4, 6, 7).flatten(4))
        return x if self.norm is None else F.gelu(self.norm(x))


class ImageEmbedding(nn.Module):
    """Hierarchical MLP (Touvron et al. 2022): pixels are folded into depth until one token is left of a patch pair."""

    def __init__(self, config: VideoInConfig) -> None:
        super().__init__()
        in_widths = (config.num_channels, *(fold.out_width for fold in config.folds[:-1]))
        self.folds = nn.ModuleList(
            Fold(fold, in_width, is_last=fold is config.folds[-1])
            for fold, in_width in zip(config.folds, in_widths, strict=True)
        )
        self.norm = RmsNorm(config.folds[-1].out_width, eps=1e-6)

    def forward(self, image: Tensor) -> Tensor:
        """(N, frames, pixels, pixels, channels) -> (N, D)."""
        x = image.to(self.norm.weight.dtype)
        for fold in self.folds:
            x = fold(x)
        return self.norm(x).flatten(1)


class SpeechEmbedding(nn.Module):
    """A patch of the model's own speech, back in, with its phone. Ours; Inkling has no speech."""

    def __init__(self, config: SpeechConfig, width: int, eps: float) -> None:
        super().__init__()
        self.enter = nn.Linear(config.patch_width, config.in_width)
        self.leave = nn.Linear(config.in_width, width)
        self.phones = nn.Parameter(torch.zeros(config.num_phones, width)) if config.num_phones else None
        self.norm = RmsNorm(width, eps)

    def forward(self, speech_NW: Tensor, phone_N: Tensor) -> Tensor:
        """(N, W) normalised log mel, (N,) the phones that they were made for -> (N, D)."""
        x_ND = self.leave(F.gelu(self.enter(speech_NW.to(self.enter.weight.dtype))))
        return self.norm(x_ND if self.phones is None else x_ND + F.embedding(phone_N, self.phones))
