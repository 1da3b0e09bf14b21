"""Does a geometry fit the 200 ms of a micro-turn on a given device? Counted, not run.

A forward pass takes as long as the slower of its arithmetic and its memory traffic (the roofline of Williams et al.
2009), at the share of the peak that each device sustains, plus a fixed cost for each layer's kernels and, on several
devices, for two all-reduces a layer. What is counted: weights (an expert is read once if any position of the batch
chose it), keys and values seen with the windows full, the flow head's Euler steps, the unembedding of the positions
that choose a token. What is not: dMel, patching and the vocoder, which run beside on the host.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from rich.table import Table

from microturn.model.config import ModelConfig
from microturn.model.flow_head import guidance_by_step
from microturn.model.interaction_model import InteractionModel
from microturn.turns.timing import (
    AUDIO_TOKENS_PER_TURN,
    EVICTION_TURNS,
    MAX_KEPT_TEXT_TOKENS,
    PATCHES_PER_TURN,
    TURN_MS,
)

_GB = 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """What a device can do, by its maker's data sheet, and what is sustained of it."""

    name: str
    peak_tflops: float
    """Dense matrix products in the type that the weights have."""
    bandwidth_gb_s: float
    memory_gb: float
    weight_bytes: float
    """Bytes per weight, key and value: 2 for bf16, 4 for fp32."""
    link_gb_s: float = 0.0
    """To its neighbours; 0 if it has none."""
    sustained_share: float = 0.6
    """Of peak and bandwidth."""
    layer_overhead_us: float = 20.0
    """Launches and synchronisation of one layer, with graphs where there are any."""
    all_reduce_us: float = 10.0


DEVICES: dict[str, Device] = {
    device.name: device
    for device in (
        Device(
            name="cpu-2-cores", peak_tflops=0.2, bandwidth_gb_s=25, memory_gb=16, weight_bytes=4,
            sustained_share=0.4, layer_overhead_us=150,
        ),
        Device(name="rtx-4090", peak_tflops=165, bandwidth_gb_s=1_008, memory_gb=24, weight_bytes=2, link_gb_s=32),
        Device(name="a100", peak_tflops=312, bandwidth_gb_s=2_039, memory_gb=80, weight_bytes=2, link_gb_s=300),
        Device(name="h100", peak_tflops=989, bandwidth_gb_s=3_350, memory_gb=80, weight_bytes=2, link_gb_s=450),
        Device(name="h200", peak_tflops=989, bandwidth_gb_s=4_800, memory_gb=141, weight_bytes=2, link_gb_s=450),
        Device(name="b200", peak_tflops=2_250, bandwidth_gb_s=8_000, memory_gb=180, weight_bytes=2, link_gb_s=900),
    )
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What every session of a batch does in a micro-turn."""

    num_text_tokens: int = 0
    """Sampled before the speech."""
    is_speaking: bool = False
    num_image_tokens: int = 0
    num_flow_steps: int = 4

    @property
    def num_input_positions(self) -> int:
        """The last turn's end (its last patch too, if it spoke), what is heard and what is seen."""
        return (
            1 + self.is_speaking + AUDIO_TOKENS_PER_TURN + (self.num_image_tokens + 1 if self.num_image_tokens else 0)
        )

    @property
    def num_steps(self) -> int:
        """Forwards of one position after the first: tokens, what opens the speech, and all patches but the last."""
        return self.num_text_tokens + (PATCHES_PER_TURN if self.is_speaking else 0)

    @property
    def num_positions(self) -> int:
        """What the turn adds to the sequence."""
        return self.num_input_positions + self.num_steps


LISTENING = Load()
SPEAKING = Load(num_text_tokens=4, is_speaking=True)
WATCHING = Load(num_text_tokens=4, is_speaking=True, num_image_tokens=15)
"""Speaking while the camera is on, at nano's size of picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """One micro-turn of a batch on a device."""

    tera_operations: float
    traffic_gb: float
    time_ms: float

    @property
    def share_of_turn(self) -> float:
        """Of the 200 ms."""
        return self.time_ms / TURN_MS


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The answer for one geometry on some devices."""

    geometry: str
    device: Device
    num_devices: int
    num_sessions: int
    num_parameters: int
    weights_gb: float
    session_mb: float
    """Keys and values of one session with the windows full."""
    listening: Cost
    speaking: Cost
    watching: Cost | None
    """Speaking with the camera on; None for a geometry that cannot see."""
    max_sessions: int
    """All speaking (and watching, if they can) at once, within memory and a micro-turn; 0 if not even one fits."""

    @property
    def memory_gb(self) -> float:
        """Weights and sessions, over all devices."""
        return self.weights_gb + self.num_sessions * self.session_mb / 1000

    @property
    def fits(self) -> bool:
        """Whether this many sessions run in time and in memory."""
        return self.num_sessions <= self.max_sessions


@dataclass(frozen=True, slots=True)
class _Geometry:
    """A configuration with its weights counted."""

    config: ModelConfig
    total: int
    always_read: int
    """Weights that every forward reads: the backbone but for experts and text tables."""
    per_expert: int
    inputs: int
    unembedding: int
    flow_head: int

    @classmethod
    @cache
    def count(cls, config: ModelConfig) -> "_Geometry":
        with torch.device("meta"):
            model = InteractionModel(config)
        sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}

        def size(*prefixes: str) -> int:
            return sum(n for name, n in sizes.items() if name.startswith(prefixes))

        moe, num_sparse = config.backbone.moe, config.backbone.mlps.count("sparse")
        per_expert = 3 * moe.expert_width * config.backbone.width if moe else 0
        num_experts = moe.num_experts * num_sparse if moe else 0
        return cls(
            config=config,
            total=sum(sizes.values()),
            always_read=size("blocks.", "norm.") - num_experts * per_expert,
            per_expert=per_expert,
            inputs=size("image_in."),
            unembedding=size("unembedding."),
            flow_head=size("flow_head."),
        )

    def forward(self, num_sessions: int, num_positions: int) -> tuple[float, float]:
        """Operations, and weights read, of one forward of so many positions a session."""
        moe, num_sparse = self.config.backbone.moe, self.config.backbone.mlps.count("sparse")
        positions = num_sessions * num_positions
        operations = 2.0 * positions * self.always_read
        weights = float(self.always_read)
        if moe is not None:
            operations += 2.0 * positions * num_sparse * moe.num_chosen * self.per_expert
            missed = (1 - moe.num_chosen / moe.num_experts) ** positions
            weights += num_sparse * moe.num_experts * (1 - missed) * self.per_expert
        return operations, weights

    def keys_seen(self, positions_per_turn: int) -> list[int]:
        """Keys that a query sees in each layer, with the windows full."""
        backbone = self.config.backbone
        far = (self.config.eviction_turns or EVICTION_TURNS) * positions_per_turn + MAX_KEPT_TEXT_TOKENS
        return [far if kind == "global" else backbone.sliding_window for kind in backbone.layers]

    def attention(self, positions_per_turn: int) -> tuple[float, float]:
        """Operations of one query, and keys and values (in numbers) that it reads, over all layers."""
        backbone = self.config.backbone
        operations = values = 0.0
        for kind, keys in zip(backbone.layers, self.keys_seen(positions_per_turn), strict=True):
            heads = backbone.heads(kind)
            operations += 4.0 * heads.num_heads * heads.head_width * keys
            values += 2.0 * heads.num_kv_heads * heads.head_width * keys
        return operations, values


def plan(geometry: str, config: ModelConfig, device: Device, *, num_devices: int = 1, num_sessions: int = 1) -> Plan:
    """Counts what a micro-turn of ``num_sessions`` sessions costs on ``num_devices`` devices.

    Raises:
        ValueError: several devices of a kind that has no links.
    """
    if num_devices < 1 or (num_devices > 1 and not device.link_gb_s):
        raise ValueError(f"{num_devices} x {device.name} cannot share a model: plan one, or a device with links")
    counted = _Geometry.count(config)
    fullest = WATCHING if config.video_in else SPEAKING
    _, values = counted.attention(fullest.num_positions)
    session_gb = values * device.weight_bytes / _GB
    weights_gb = counted.total * device.weight_bytes / _GB
    room_gb = 0.9 * device.memory_gb * num_devices - weights_gb

    def is_in_time(num: int) -> bool:
        return num * session_gb <= room_gb and _cost(counted, fullest, device, num_devices, num).time_ms <= TURN_MS

    return Plan(
        geometry=geometry,
        device=device,
        num_devices=num_devices,
        num_sessions=num_sessions,
        num_parameters=counted.total,
        weights_gb=weights_gb,
        session_mb=session_gb * 1000,
        listening=_cost(counted, LISTENING, device, num_devices, num_sessions),
        speaking=_cost(counted, SPEAKING, device, num_devices, num_sessions),
        watching=_cost(counted, WATCHING, device, num_devices, num_sessions) if config.video_in else None,
        max_sessions=_largest(is_in_time),
    )


def _cost(counted: _Geometry, load: Load, device: Device, num_devices: int, num_sessions: int) -> Cost:
    """All forwards of one micro-turn."""
    backbone = counted.config.backbone
    tera_operations = traffic_gb = time_ms = 0.0

    def add(operations: float, numbers_read: float, overhead_us: float) -> None:
        nonlocal tera_operations, traffic_gb, time_ms
        read_gb = numbers_read * device.weight_bytes / _GB
        share = device.sustained_share * num_devices
        arithmetic_ms = operations / 1e12 / (device.peak_tflops * share) * 1000
        memory_ms = read_gb / (device.bandwidth_gb_s * share) * 1000
        tera_operations += operations / 1e12
        traffic_gb += read_gb
        time_ms += max(arithmetic_ms, memory_ms) + overhead_us / 1000

    attention_operations, values_seen = counted.attention(load.num_positions)
    for positions in (load.num_input_positions, *[1] * load.num_steps):
        operations, weights = counted.forward(num_sessions, positions)
        operations += num_sessions * (positions * attention_operations + 2.0 * counted.unembedding)
        weights += num_sessions * values_seen + counted.unembedding
        overhead_us = device.layer_overhead_us * len(backbone.layers)
        if num_devices > 1:
            sent_gb = num_sessions * positions * backbone.width * device.weight_bytes / _GB
            overhead_us += 2 * len(backbone.layers) * (device.all_reduce_us + sent_gb / device.link_gb_s * 1e6)
        add(operations, weights, overhead_us)
    if load.num_image_tokens:
        add(2.0 * num_sessions * load.num_image_tokens * counted.inputs, counted.inputs, device.layer_overhead_us)
    if load.is_speaking:
        speech = counted.config.speech
        guidance = 1.0 if speech is None else speech.guidance
        for step_guidance in guidance_by_step(load.num_flow_steps, guidance) * PATCHES_PER_TURN:
            num_ways = 1 if step_guidance == 1 else 2
            add(2.0 * num_ways * num_sessions * counted.flow_head, counted.flow_head, device.layer_overhead_us)
    return Cost(tera_operations=tera_operations, traffic_gb=traffic_gb, time_ms=time_ms)


def _largest(is_possible: Callable[[int], bool]) -> int:
    """The largest number that passes a test which fails from some number on."""
    if not is_possible(1):
        return 0
    low = 1
    while is_possible(2 * low) and low < 1 << 20:
        low *= 2
    high = 2 * low
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_possible(middle) else (low, middle)
    return low


def table(result: Plan) -> Table:
    """The plan for people to read."""
    devices = f"{result.num_devices} x {result.device.name}"
    shown = Table(title=f"{result.geometry} on {devices}, {result.num_sessions} session(s): {_verdict(result)}")
    for title in ("a micro-turn", "operations", "traffic", "time", "of 200 ms"):
        shown.add_column(title, justify="left" if title == "a micro-turn" else "right")
    rows = {"listening": result.listening, "speaking": result.speaking, "speaking, camera on": result.watching}
    for name, cost in rows.items():
        if cost is None:
            continue
        shown.add_row(
            name,
            f"{cost.tera_operations * 1000:,.1f} G",
            f"{cost.traffic_gb * 1000:,.1f} MB",
            f"{cost.time_ms:,.1f} ms",
            f"{cost.share_of_turn:.0%}",
        )
    shown.add_section()
    shown.add_row("parameters", f"{result.num_parameters / 1e6:,.1f} M")
    shown.add_row("weights", f"{result.weights_gb:,.2f} GB")
    shown.add_row("state of a session", f"{result.session_mb:,.1f} MB")
    shown.add_row("memory in all", f"{result.memory_gb:,.2f} of {result.device.memory_gb * result.num_devices:,.0f} GB")
    shown.add_row("sessions that fit", f"{result.max_sessions:,}")
    return shown


def _verdict(result: Plan) -> str:
    if result.fits:
        return "fits"
    if result.weights_gb > 0.9 * result.device.memory_gb * result.num_devices:
        return "does not fit: too little memory for the weights"
    return "does not fit: too many sessions" if result.max_sessions else "does not fit: too slow"
