"""Root-mean-square normalisation (Zhang & Sennrich 2019)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class RmsNorm(nn.Module):
    """Scales the last dimension to unit mean square, in fp32, then by a learned weight."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width), in the dtype of ``x``; cast once for all its readers under autocast."""
        device = x.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
        return F.rms_norm(x.float(), self.weight.shape, self.weight.float(), self.eps).to(dtype)
