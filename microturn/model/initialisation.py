"""Weights to start training from."""

import torch
from torch import nn

PROFILE_STD = 0.02
RESIDUAL_OUTPUTS = ("attention.output.weight", "mlp.down.weight", "mlp.down_EDF", "mlp.shared_down_SDF")
"""What writes to the residual stream: smaller, so that the stream's variance does not grow with depth (GPT-2)."""


@torch.no_grad()
def initialise(model: nn.Module, num_layers: int) -> None:
    """Normal matrices of unit gain; residual outputs scaled down by depth. The rest keeps what its class set.

    Norms and scales are one, convolutions and the flow head's modulations and output zero: see there.
    """
    for name, parameter in model.named_parameters():
        if parameter.is_meta:
            continue
        if name.startswith(("flow_head", "speech_in", "phone_head")):
            continue  # torch's own default suits these plain networks
        if name.endswith("profile_RE"):
            parameter.normal_(std=PROFILE_STD)
        elif name.endswith("unembedding.weight"):
            parameter.normal_(std=0.5 * parameter.shape[-1] ** -0.5)
        elif name.endswith(RESIDUAL_OUTPUTS):
            parameter.normal_(std=(2 * num_layers * parameter.shape[-1]) ** -0.5)
        elif parameter.ndim >= 2 and "convolution" not in name and "table" not in name:
            parameter.normal_(std=parameter.shape[-1] ** -0.5)
