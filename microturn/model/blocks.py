"""One decoder layer. Legend: B rows, T positions, D width."""

from torch import Tensor, nn

from microturn.model.attention import Attention
from microturn.model.config import BackboneConfig
from microturn.model.convolution import ShortConvolution
from microturn.model.moe import DenseMlp, MixtureOfExperts
from microturn.model.normalisation import RmsNorm
from microturn.model.passes import Pass, Place


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
        mixed = self.attention(self.attention_norm(x_BTD), history)
        x_BTD = x_BTD + history.convolve(self.attention_convolution, mixed, self.layer, Place.ATTENTION)
        mixed = self.mlp(self.mlp_norm(x_BTD))
        return x_BTD + history.convolve(self.mlp_convolution, mixed, self.layer, Place.MLP)
