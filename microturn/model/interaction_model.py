"""The interaction model: one decoder over a flat sequence of what is heard, seen, read, said and thought.

Legend: B rows, T positions, D width, V vocabulary.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from microturn.model.blocked_attention import attend_whole
from microturn.model.blocks import Block
from microturn.model.compiled import CompiledBlock, compile_flow
from microturn.model.config import ModelConfig
from microturn.model.cpu_attention import attention_for_training
from microturn.model.embeddings import AudioEmbedding, ImageEmbedding, SpeechEmbedding, TextEmbedding
from microturn.model.flow_head import FlowHead, FlowSchedule
from microturn.model.fused import FusedBlock
from microturn.model.initialisation import initialise
from microturn.model.native_pass import NativeFlowHead, NativeLayers, is_native
from microturn.model.normalisation import RmsNorm
from microturn.model.passes import Pass, WholePass
from microturn.model.phone_head import PhoneHead
from microturn.model.segment import Kind, Segment
from microturn.model.stream_pass import StreamPass
from microturn.model.stream_state import StreamState

Layer = Callable[[Tensor, Pass], Tensor]


class InteractionModel(nn.Module):
    """Inkling's backbone and inputs, with speech out and back in."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        backbone = config.backbone
        self.config = config
        self.text_in = TextEmbedding(backbone.vocab_size, backbone.width, backbone.norm_eps)
        self.audio_in = AudioEmbedding(config.audio_in, backbone.width)
        if config.video_in is not None:
            self.image_in = ImageEmbedding(config.video_in)
        self.blocks = nn.ModuleList(Block(backbone, layer) for layer in range(len(backbone.layers)))
        self.norm = RmsNorm(backbone.width, backbone.norm_eps)
        self.unembedding = nn.Linear(backbone.width, backbone.vocab_size, bias=False)
        if config.speech is not None:
            self.speech_in = SpeechEmbedding(config.speech, backbone.width, backbone.norm_eps)
            self.flow_head = FlowHead(config.speech, backbone.width)
            if config.speech.num_phones:
                self.phone_head = PhoneHead(config.speech.num_phones, backbone.width)
        self._compiled: list[CompiledBlock] = []
        self._attention: Callable[..., Tensor] = attend_whole
        self._drop_copies()
        initialise(self, len(backbone.layers))

    def fuse(self) -> Self:
        """Make streaming faster, at the price of copies of the layers' weights.

        On a CPU the layers of a dense model are compiled as well, for a few positions at a time. Call it last: the
        copies are dropped when the model is set to train or loads weights, but do not follow other changes to them.
        """
        blocks = [cast(Block, block) for block in self.blocks]
        self._fused = [FusedBlock(self.config.backbone, block) for block in blocks]
        if self.norm.weight.device.type == "cpu" and is_native(self.config):
            self._native = NativeLayers(self.config, blocks)
            self._compile()
        return self

    def compile_training(self) -> Self:
        """Make whole sequences faster by ``torch.compile``, and attention on a CPU: takes a minute at first use."""
        self._compiled = [CompiledBlock(cast(Block, block)) for block in self.blocks]
        if self.config.speech is not None:
            compile_flow(self.flow_head)
        if self.norm.weight.device.type == "cpu":
            self._attention = attention_for_training()
        return self

    def _compile(self) -> None:
        """Have everything compiled that streaming calls, or read from the cache: not in somebody's first micro-turn."""
        state = StreamState.new(self.config, 1)
        hidden_11D = self(Segment.of_tokens(torch.zeros(1, 1, dtype=torch.int64)), state)
        if self.config.speech is not None:
            phone_1 = torch.zeros(1, dtype=torch.int64)
            self.make_patches(hidden_11D[0], phone_1, torch.zeros(1, self.config.speech.patch_width), num_steps=1)

    def _drop_copies(self) -> None:
        self._fused: list[FusedBlock] = []
        self._native: NativeLayers | None = None
        self._flows: dict[tuple[int, bool], FlowSchedule | NativeFlowHead] = {}

    def train(self, mode: bool = True) -> Self:
        """See ``nn.Module``."""
        if mode:
            self._drop_copies()
        return super().train(mode)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """See ``nn.Module``."""
        self._drop_copies()
        return super().load_state_dict(state_dict, strict, assign)

    def embed(self, segment: Segment) -> Tensor:
        """Each position's embedding by its kind: (B, T, D). Padding gets some token's."""
        x_BTD = self.text_in(segment.token_BT)
        parts = (
            (Kind.AUDIO, segment.dmel_NM, "audio_in"),
            (Kind.IMAGE, segment.image_NP, "image_in"),
            (Kind.SPEECH, segment.speech_NP, "speech_in"),
        )
        for kind, values, name in parts:
            if values.shape[0]:
                where = (segment.kind_BT == kind).flatten().nonzero().squeeze(1)
                if len(where) != len(values):
                    raise ValueError(f"{len(values)} {kind.name} values for {len(where)} positions: give one for each")
                told = (segment.token_BT.flatten()[where],) if kind == Kind.SPEECH else ()
                embedded = getattr(self, name)(values, *told).to(x_BTD.dtype)
                x_BTD = x_BTD.flatten(0, 1).index_copy(0, where, embedded).view(x_BTD.shape)
        num_given = sum(values.shape[0] for _, values, _ in parts)
        num_due = int(((segment.kind_BT != Kind.TEXT) & (segment.kind_BT != Kind.PAD)).sum())
        if num_given != num_due:
            raise ValueError(f"{num_given} values for {num_due} positions that are not text: give one for each")
        return x_BTD

    def forward(self, segment: Segment, state: StreamState | None = None) -> Tensor:
        """Normalised hidden states: (B, T, D).

        Without a state, over whole sequences from their start, with gradients. With one, row by row after what the
        state holds, which advances by the row's positions that are not padding; a row of padding alone stays as it is.
        Hidden states at padding mean nothing.
        """
        if state is None:
            return self.read_in_halves(self.embed(segment), segment)[1]
        with torch.no_grad():
            if self._native is not None and self._native.can_run(segment, state):
                return self.norm(self._native(self.embed(segment), segment, state))
            history = StreamPass(self.config, segment, state)
            hidden_BTD = self._run(self._fused or self.blocks, self.embed(segment), history)
            history.finish()
        return hidden_BTD

    def read_in_halves(self, x_BTD: Tensor, segment: Segment) -> tuple[Tensor, Tensor]:
        """Whole sequences whose embeddings are there already, with gradients: what the lower half of the layers makes
        of them, as it is, and normalised hidden states at the end. (B, T, D) to two of the same."""
        history = WholePass(self.config, segment, self._attention)
        lower, upper = self._halves()
        x_BTD = _through(lower, x_BTD, history)
        return x_BTD, self._run(upper, x_BTD, history)

    def read_halfway(self, segment: Segment) -> Tensor:
        """What the lower half of the layers makes of whole sequences, with gradients: (B, T, D), as it is."""
        history = WholePass(self.config, segment, self._attention)
        return _through(self._halves()[0], self.embed(segment), history)

    def _halves(self) -> tuple[list[Layer], list[Layer]]:
        """The layers, as they are run: the lower half of them and the upper."""
        blocks = list(self._compiled or self.blocks)
        return blocks[: len(blocks) // 2], blocks[len(blocks) // 2 :]

    def _run(self, blocks: Iterable[Layer], x_BTD: Tensor, history: Pass) -> Tensor:
        return self.norm(_through(blocks, x_BTD, history))

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden states (..., D) to logits (..., V)."""
        backbone = self.config.backbone
        return self.unembedding(hidden / backbone.logits_divisor)[..., : backbone.num_logits]

    @property
    def chooses_phones(self) -> bool:
        """Whether a phone is chosen before each patch of speech."""
        return self.config.speech is not None and self.config.speech.num_phones > 0

    def flow_condition(self, hidden_ND: Tensor, phone_N: Tensor) -> Tensor:
        """What the flow head is told of patches: (N, D), (N,) -> (N, D)."""
        return self.phone_head.condition(hidden_ND, phone_N) if self.chooses_phones else hidden_ND

    @torch.no_grad()
    def make_patches(
        self, hidden_ND: Tensor, phone_N: Tensor, noise_NP: Tensor, num_steps: int, *, is_guided: bool = True
    ) -> Tensor:
        """The patches of speech that hidden states and chosen phones ask for, from noise in so many steps.

        (N, D), (N,), (N, P) -> (N, P). A model that chooses no phones ignores them.

        Unless ``is_guided``, without the guidance that the configuration may ask for: plainer, and cheaper.
        """
        kind = num_steps, is_guided
        if kind not in self._flows:
            guidance = self.config.speech.guidance if self.config.speech and is_guided else 1.0
            schedule = self.flow_head.schedule(num_steps, guidance)
            self._flows[kind] = schedule if self._native is None else NativeFlowHead(self.flow_head, schedule)
        flow = self._flows[kind]
        cond_ND = self.flow_condition(hidden_ND, phone_N)
        if isinstance(flow, NativeFlowHead):
            return flow.sample(cond_ND, noise_NP)
        return self.flow_head.sample(cond_ND, noise_NP, schedule=flow)


def _through(blocks: Iterable[Layer], x_BTD: Tensor, history: Pass) -> Tensor:
    for block in blocks:
        x_BTD = block(x_BTD, history)
    return x_BTD
