"""``bench reference``: a micro-turn of ours against ``transformers``' own Inkling with its cache.

Both have nano's backbone with the same random weights, in fp32, and read the same tokens in the same steps: a prefill
and, in a speaking micro-turn, single positions after it. Inputs other than text, the flow head and the vocoder are left
out, since Inkling has no speech. Both first read until every window is full; then they take turns, so that what else
runs on the machine hits both.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from rich.progress import track
from torch import Tensor

from microturn.errors import MissingDependencyError
from microturn.evals import metric
from microturn.evals.metric import Metric
from microturn.evals.report import SuiteReport
from microturn.model.checkpoint import from_inkling
from microturn.model.config import BackboneConfig, FoldConfig, VideoInConfig
from microturn.model.inkling_config import from_inkling_config
from microturn.model.interaction_model import InteractionModel
from microturn.model.segment import Segment
from microturn.model.stream_state import StreamState

PREFILL_POSITIONS = 6
"""Of a micro-turn: the end of the last output, four audio tokens, and now and then an event."""
STEPS = {"listening": 0, "speaking": 9}
"""Single positions after the prefill: a few tokens, and the patches but the last."""

EYE_PIXELS = 20
"""Of a patch: eyes are not used here, and those of Inkling's size would hold most of the weights."""

Reader = Callable[[Tensor], None]
"""Reads the next positions, (1, T) tokens."""


def reference_reports(backbone: BackboneConfig, num_turns: int = 20) -> dict[str, SuiteReport]:
    """Milliseconds a micro-turn of either side, and their ratio.

    Raises:
        MissingDependencyError: ``transformers`` is not installed.
    """
    reference = _reference(backbone)
    values = reference.config.to_dict()
    values["vision_config"]["patch_size"] = 40  # what it knows; both have the smaller eyes below
    folds = ((1, 5, 128), (1, 2, 320), (1, 2, 1216), (2, 1, backbone.width))
    eyes = VideoInConfig(
        folds=tuple(FoldConfig(time=time, space=space, out_width=width) for time, space, width in folds),
        patch_pixels=EYE_PIXELS,
    )
    config = replace(from_inkling_config(values), video_in=eyes)
    ours = InteractionModel(config).eval()
    ours.load_state_dict(from_inkling(reference.state_dict(), config))
    readers = {"ours": _our_reader(ours.fuse()), "transformers": _their_reader(reference)}
    generator = torch.Generator().manual_seed(0)

    def tokens(length: int) -> Tensor:
        return torch.randint(1, backbone.vocab_size, (1, length), generator=generator)

    fill = max(backbone.sliding_window, backbone.relative_extent) // PREFILL_POSITIONS + 1
    for _ in track(range(fill), description="filling the windows"):
        for read in readers.values():
            read(tokens(PREFILL_POSITIONS))
    reports: dict[str, SuiteReport] = {}
    for name, num_steps in STEPS.items():
        chunks = [tokens(PREFILL_POSITIONS), *(tokens(1) for _ in range(num_steps))]
        times: dict[str, list[float]] = {side: [] for side in readers}
        for _ in track(range(num_turns), description=name):
            for side, read in readers.items():
                start_s = time.perf_counter()
                for chunk in chunks:
                    read(chunk)
                times[side].append((time.perf_counter() - start_s) * 1000)
        metrics = {f"{side}_ms_p50": metric.median(values) for side, values in times.items()}
        mine, theirs = metrics["ours_ms_p50"].value, metrics["transformers_ms_p50"].value
        ratio = None if not mine or theirs is None else theirs / mine
        metrics["times_faster"] = Metric(value=ratio, count=num_turns, unit="x", note="ratio of the medians")
        reports[name] = SuiteReport(metrics=metrics)
    return reports


def _our_reader(model: InteractionModel) -> Reader:
    state = StreamState.new(model.config, 1)

    def read(token_1T: Tensor) -> None:
        with torch.inference_mode():
            model.logits(model(Segment.of_tokens(token_1T), state)[:, -1])

    return read


def _their_reader(model: Any) -> Reader:
    cache = None

    def read(token_1T: Tensor) -> None:
        nonlocal cache
        with torch.inference_mode():
            done = model(input_ids=token_1T, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache = done.past_key_values

    return read


def _reference(backbone: BackboneConfig) -> Any:
    try:
        from transformers.models import inkling
    except ImportError as error:
        raise MissingDependencyError(f"the reference is not installed ({error}): pip install transformers") from error
    sliding, whole = backbone.sliding_heads, backbone.global_heads
    kinds = {"sliding": "hybrid_sliding", "global": "hybrid"}
    text = {
        "vocab_size": backbone.vocab_size,
        "unpadded_vocab_size": backbone.vocab_size,
        "hidden_size": backbone.width,
        "num_hidden_layers": len(backbone.layers),
        "layer_types": [kinds[kind] for kind in backbone.layers],
        "mlp_layer_types": list(backbone.mlps),
        "num_attention_heads": whole.num_heads,
        "num_key_value_heads": whole.num_kv_heads,
        "head_dim": whole.head_width,
        "swa_num_attention_heads": sliding.num_heads,
        "swa_num_key_value_heads": sliding.num_kv_heads,
        "swa_head_dim": sliding.head_width,
        "sliding_window_size": backbone.sliding_window,
        "d_rel": backbone.relative_width,
        "rel_extent": backbone.relative_extent,
        "intermediate_size": backbone.dense_width,
        "conv_kernel_size": backbone.conv_taps,
        "logits_mup_width_multiplier": backbone.logits_divisor,
        "pad_token_id": 0,
    }
    config = inkling.InklingConfig(
        text_config=text,
        vision_config={"num_hidden_layers": 4, "patch_size": EYE_PIXELS},
        image_token_id=backbone.vocab_size,
        audio_token_id=backbone.vocab_size,
    )
    torch.manual_seed(0)
    return inkling.InklingForConditionalGeneration(config).eval().float()
