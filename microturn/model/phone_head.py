"""Which sound comes next: the phone of a patch of speech, chosen before the patch is made.

Speech in patches alone drifts from its text: a patch that is a little of two sounds is read back as either, and the
model loses its place in the word. A phone is discrete. Whatever was chosen, the next patch goes on from it, as from a
token: it conditions the patch's flow and is read back with the patch (``SpeechEmbedding``). Choosing a coarse token
before its sound is AudioLM's hierarchy (Borsos et al. 2022); phones among acoustic tokens keep a codec language model
to its text (ELLA-V, Song et al. 2024).

Legend: N patches, D width, Q phones.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PhoneHead(nn.Module):
    """Logits of the next patch's phone, and the condition of its flow once one is chosen."""

    def __init__(self, num_phones: int, width: int) -> None:
        super().__init__()
        self.leave = nn.Linear(width, num_phones)
        self.table = nn.Parameter(torch.zeros(num_phones, width))

    def forward(self, hidden_ND: Tensor) -> Tensor:
        """(N, D) -> (N, Q)."""
        return self.leave(hidden_ND)

    def condition(self, hidden_ND: Tensor, phone_N: Tensor) -> Tensor:
        """What the flow head is told: (N, D), (N,) int64 -> (N, D)."""
        return hidden_ND + F.embedding(phone_N, self.table)
