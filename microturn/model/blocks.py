"""One decoder layer. Legend: B rows, T positions, D width."""

from functools import partial

from torch import Tensor, nn

from microturn.model.attention import Attention
from microturn.model.config import BackboneConfig
from microturn.model.convolution import ShortConvolution
from microturn.model.moe import DenseMlp, MixtureOfExperts
from microturn.model.normalisation import RmsNorm
from microturn.model.passes import Convolve, Pass, Place, States


class Block(nn.Module):
    """Attention and MLP, each normalised before, convolved after, and added to the residual stream."""

    def __init__(self, config: BackboneConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.attention_norm = RmsNorm(config.width, config.norm_eps)
        self.attention = Attention(config, layer)
        self.attention_convolution = ShortConvolution(config.width, config.conv_taps)
        self.mlp_norm = RmsNorm(config.width, config.norm_eps)
        if config.mlps[layer] == "dense":
            self.mlp = DenseMlp(config.width, config.dense_width)
        else:
            assert config.moe is not None, "BackboneConfig checks this"
            self.mlp = MixtureOfExperts(config.moe, config.width)
        self.mlp_convolution = ShortConvolution(config.width, config.conv_taps)

    def forward(self, x_BTD: Tensor, history: Pass) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        convolve = partial(history.convolve, layer=self.layer)
        states = self.before(x_BTD, convolve, history.logit_scale(self.attention.kind))
        return self.after(x_BTD, history.attend(*states, self.attention.profile_RE, self.layer), convolve)

    def before(self, x_BTD: Tensor, convolve: Convolve, tau_B1T1: Tensor | None) -> States:
        """What ``Pass.attend`` takes."""
        return self.attention.project(self.attention_norm(x_BTD), convolve, tau_B1T1)

    def after(self, x_BTD: Tensor, mixed_BHTX: Tensor, convolve: Convolve) -> Tensor:
        """Everything behind ``Pass.attend``: (B, T, D), (B, H, T, X) -> (B, T, D)."""
        mixed = self.attention.leave(mixed_BHTX)
        x_BTD = x_BTD + convolve(self.attention_convolution, mixed, place=Place.ATTENTION)
        mixed = self.mlp(self.mlp_norm(x_BTD))
        return x_BTD + convolve(self.mlp_convolution, mixed, place=Place.MLP)
