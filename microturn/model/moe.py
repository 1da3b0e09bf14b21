"""The two kinds of MLP: dense, and a mixture of experts.

Legend: N tokens, D width, F hidden width, E routed experts, S shared experts, K chosen experts.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from microturn.model.config import MoeConfig


class DenseMlp(nn.Module):
    """SwiGLU (Shazeer 2020) with one learned scale on its output."""

    def __init__(self, width: int, hidden_width: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, hidden_width, bias=False)
        self.up = nn.Linear(width, hidden_width, bias=False)
        self.down = nn.Linear(hidden_width, width, bias=False)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)."""
        return self.down(F.silu(self.gate(x)) * self.up(x)) * self.scale


class Router(nn.Module):
    """Chooses routed experts for each token and weighs them jointly with the shared ones.

    Choice is by sigmoid score plus a correction bias, which balances the load without a loss (Wang et al. 2024); the
    weights know nothing of it. Shared experts take part in the normalisation: they are the sink for tokens that need
    no routed expert.
    """

    correction_E: Tensor

    def __init__(self, config: MoeConfig, width: int) -> None:
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.randn(config.num_experts + config.num_shared, width) * 0.02)
        self.scale = nn.Parameter(torch.ones(1))
        self.register_buffer("correction_E", torch.zeros(config.num_experts))

    def forward(self, x_ND: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, D) -> chosen experts (N, K), their weights (N, K), the shared experts' weights (N, S); fp32."""
        with torch.autocast(x_ND.device.type, enabled=False):
            logits = F.linear(x_ND.float(), self.weight.float())
            routed_NE, shared_NS = logits.split([self.config.num_experts, self.config.num_shared], dim=1)
            score_NE = routed_NE.sigmoid() + self.correction_E.float()
            chosen_NK = score_NE.topk(self.config.num_chosen, dim=1).indices
            log_weight = F.logsigmoid(torch.cat([routed_NE.gather(1, chosen_NK), shared_NS], dim=1))
            weight = log_weight.softmax(1) * (self.config.route_scale * self.scale.float())
            weight_NK, weight_NS = weight.split([self.config.num_chosen, self.config.num_shared], dim=1)
        return chosen_NK, weight_NK, weight_NS


class MixtureOfExperts(nn.Module):
    """A few of many SwiGLU experts for each token, and the shared ones."""

    def __init__(self, config: MoeConfig, width: int) -> None:
        super().__init__()
        self.router = Router(config, width)
        hidden, num_experts, num_shared = config.expert_width, config.num_experts, config.num_shared
        self.gate_up_EFD = nn.Parameter(torch.randn(num_experts, 2 * hidden, width) * 0.02)
        self.down_EDF = nn.Parameter(torch.randn(num_experts, width, hidden) * 0.02)
        self.shared_gate_SFD = nn.Parameter(torch.randn(num_shared, hidden, width) * 0.02)
        self.shared_up_SFD = nn.Parameter(torch.randn(num_shared, hidden, width) * 0.02)
        self.shared_down_SDF = nn.Parameter(torch.randn(num_shared, width, hidden) * 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)."""
        x_ND = x.flatten(0, -2)
        chosen_NK, weight_NK, weight_NS = self.router(x_ND)
        y_ND = self._routed(x_ND, chosen_NK, weight_NK) + self._shared(x_ND, weight_NS)
        return y_ND.view(x.shape)

    def _routed(self, x_ND: Tensor, chosen_NK: Tensor, weight_NK: Tensor) -> Tensor:
        """Experts in turn, each over the tokens that chose it: sorted by expert, these are contiguous."""
        num_chosen = chosen_NK.shape[1]
        order = chosen_NK.flatten().argsort(stable=True)
        token = order // num_chosen
        counts = chosen_NK.flatten().bincount(minlength=len(self.gate_up_EFD)).tolist()
        outputs = []
        for expert, x in enumerate(x_ND[token].split(counts)):
            if len(x):
                gate, up = F.linear(x, self.gate_up_EFD[expert]).chunk(2, dim=-1)
                outputs.append(F.linear(F.silu(gate) * up, self.down_EDF[expert]))
        weighted = torch.cat(outputs) * weight_NK.flatten()[order, None].to(x_ND.dtype)
        return torch.zeros_like(x_ND).index_add(0, token, weighted.to(x_ND.dtype))

    def _shared(self, x_ND: Tensor, weight_NS: Tensor) -> Tensor:
        gate_SNF = torch.einsum("nd,sfd->snf", x_ND, self.shared_gate_SFD)
        up_SNF = torch.einsum("nd,sfd->snf", x_ND, self.shared_up_SFD)
        hidden_SNF = F.silu(gate_SNF) * up_SNF * weight_NS.T[:, :, None].to(gate_SNF.dtype)
        return torch.einsum("snf,sdf->snd", hidden_SNF, self.shared_down_SDF).float().sum(0).to(x_ND.dtype)
