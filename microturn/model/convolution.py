"""Causal depthwise short convolution with a residual: what a token adds to itself from the few before it.

Legend: B rows, T positions, C channels, L taps.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ShortConvolution(nn.Module):
    """``y[t] = x[t] + sum_j weight[j] x[t - (L-1) + j]`` in fp32, per channel. Starts as the identity."""

    def __init__(self, channels: int, taps: int) -> None:
        super().__init__()
        self.weight_CL = nn.Parameter(torch.zeros(channels, taps))

    def forward(self, x_BTC: Tensor, tail_BLC: Tensor | None = None) -> Tensor:
        """The convolution of ``x``, after the ``L - 1`` positions of ``tail`` (zeros if None), as fp32."""
        with torch.autocast(x_BTC.device.type, enabled=False):
            x_BTC, weight_CL = x_BTC.float(), self.weight_CL.float()
            if tail_BLC is None:
                history = F.pad(x_BTC, (0, 0, weight_CL.shape[1] - 1, 0))
            else:
                history = torch.cat([tail_BLC, x_BTC], dim=1)
            if x_BTC.shape[1] == 1:
                return x_BTC + (history * weight_CL.T).sum(1, keepdim=True)
            # As an image of height 1 whose channels lie innermost: the one layout with a fast depthwise kernel on CPU.
            image_BC1T = history.unsqueeze(1).permute(0, 3, 1, 2)
            mixed_BC1T = F.conv2d(image_BC1T, weight_CL[:, None, None], groups=weight_CL.shape[0])
            return x_BTC + mixed_BC1T.permute(0, 2, 3, 1).squeeze(1)
