"""Causal depthwise short convolution with a residual: what a token adds to itself from the few before it.

Legend: B rows, T positions, S positions with those before them, C channels, L taps.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ShortConvolution(nn.Module):
    """``y[t] = x[t] + sum_j weight[j] x[t - (L-1) + j]`` in fp32, per channel. Starts as the identity."""

    def __init__(self, channels: int, taps: int) -> None:
        super().__init__()
        self.weight_CL = nn.Parameter(torch.zeros(channels, taps))

    def forward(self, x_BTC: Tensor) -> Tensor:
        """The convolution of a sequence from its start: (B, T, C), fp32."""
        return self.after(F.pad(x_BTC.float(), (0, 0, self.weight_CL.shape[1] - 1, 0)))

    def after(self, history_BSC: Tensor) -> Tensor:
        """The same for the last ``S - (L - 1)`` positions of a history that starts L - 1 positions before them."""
        taps = self.weight_CL.shape[1]
        weight_CL, x_BTC = self.weight_CL.float(), history_BSC[:, taps - 1 :]
        if x_BTC.shape[1] == 1:
            return x_BTC + (history_BSC * weight_CL.T).sum(1, keepdim=True)
        if torch.compiler.is_compiling():  # one loop, fused with what stands about it
            length = x_BTC.shape[1]
            return x_BTC + sum(history_BSC[:, tap : tap + length] * weight_CL[:, tap] for tap in range(taps))
        # As an image of height 1 whose channels lie innermost: the one layout with a fast depthwise kernel on CPU.
        image_BC1S = history_BSC.unsqueeze(1).permute(0, 3, 1, 2)
        with torch.autocast(history_BSC.device.type, enabled=False):
            mixed_BC1T = F.conv2d(image_BC1S, weight_CL[:, None, None], groups=weight_CL.shape[0])
        return x_BTC + mixed_BC1T.permute(0, 2, 3, 1).squeeze(1)
