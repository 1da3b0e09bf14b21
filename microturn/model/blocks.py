"""One decoder layer. Legend: B rows, T positions, D width."""

from torch import Tensor, nn

from microturn.model.attention import Attention
from microturn.model.config import AttentionKind, BackboneConfig, MlpKind
from microturn.model.convolution import ShortConvolution
from microturn.model.mask import Eviction
from microturn.model.moe import DenseMlp, MixtureOfExperts
from microturn.model.normalisation import RmsNorm


class Block(nn.Module):
    """Attention and MLP, each normalised before, convolved after, and added to the residual stream."""

    def __init__(self, config: BackboneConfig, attention: AttentionKind, mlp: MlpKind) -> None:
        super().__init__()
        self.attention_norm = RmsNorm(config.width, config.norm_eps)
        self.attention = Attention(config, attention)
        self.attention_convolution = ShortConvolution(config.width, config.conv_taps)
        self.mlp_norm = RmsNorm(config.width, config.norm_eps)
        if mlp == "dense":
            self.mlp = DenseMlp(config.width, config.dense_width)
        else:
            assert config.moe is not None, "BackboneConfig checks this"
            self.mlp = MixtureOfExperts(config.moe, config.width)
        self.mlp_convolution = ShortConvolution(config.width, config.conv_taps)

    def forward(self, x_BTD: Tensor, tau_T: Tensor | None, eviction: Eviction | None) -> Tensor:
        """Over a whole sequence: (B, T, D) -> (B, T, D)."""
        tau_T = tau_T if self.attention.kind == "global" else None
        mixed = self.attention(self.attention_norm(x_BTD), tau_T, eviction)
        x_BTD = x_BTD + self.attention_convolution(mixed)
        return x_BTD + self.mlp_convolution(self.mlp(self.mlp_norm(x_BTD)))
