"""All counts that follow from the micro-turn. The only place where units of time are converted."""

TURN_MS = 200
"""Micro-turn k covers media time [200k, 200(k+1)) ms."""

IN_HZ = 16_000
"""User audio, mono."""
IN_SAMPLES_PER_TURN = IN_HZ * TURN_MS // 1000

OUT_HZ = 24_000
"""The model's speech, mono."""
OUT_SAMPLES_PER_TURN = OUT_HZ * TURN_MS // 1000

AUDIO_TOKEN_MS = 50
"""One dMel token."""
AUDIO_TOKENS_PER_TURN = TURN_MS // AUDIO_TOKEN_MS

MEL_HOP_SAMPLES = 300
"""Hop of the mel of our own speech, at ``OUT_HZ``."""
MEL_FRAMES_PER_TURN = OUT_SAMPLES_PER_TURN // MEL_HOP_SAMPLES
MEL_FRAMES_PER_PATCH = 4
PATCHES_PER_TURN = MEL_FRAMES_PER_TURN // MEL_FRAMES_PER_PATCH
PATCH_MS = TURN_MS // PATCHES_PER_TURN

MAX_FPS = 10
FRAMES_PER_TURN = MAX_FPS * TURN_MS // 1000
"""Two frames: one temporal patch pair."""

TEXT_LEAD_MS = 200
"""A spoken word's text comes this long before its sound (never before the utterance's first turn)."""
HEAR_LAG_MS = 200
"""A heard word's text comes this long after its end."""

TIME_EVERY_TURNS = 25
"""How often the input carries a time token."""
TIME_WRAP_S = 60
"""The time token counts seconds within this period; longer spans are counted in time tokens."""

MAX_TEXT_TOKENS_PER_TURN = 12
"""Sampled text tokens in one output; past it, the turn is closed and counted."""
MAX_EVENT_TOKENS_PER_TURN = 32
"""Text-event tokens that may enter one input; the rest wait."""

EVICTION_TURNS = 256
"""Global layers see audio, video and speech of fewer turns ago than this."""
MAX_KEPT_TEXT_TOKENS = 2048
"""Text tokens that global layers keep; then a summary event takes their place."""

PLAYOUT_OFFSET_MS = 100
"""Playout of turn k's output starts this long after the end of turn k's input."""


def turn_of_ms(time_ms: float) -> int:
    """The micro-turn that holds a media time."""
    return int(time_ms // TURN_MS)


def turn_start_ms(turn: int) -> int:
    """The media time at which a micro-turn starts."""
    return turn * TURN_MS


def in_samples(time_ms: float) -> int:
    """Input samples in a span of media time."""
    return round(time_ms * IN_HZ / 1000)


def out_samples(time_ms: float) -> int:
    """Output samples in a span of media time."""
    return round(time_ms * OUT_HZ / 1000)


def ns_of_ms(time_ms: float) -> int:
    """Nanoseconds of clock time in a span of milliseconds."""
    return round(time_ms * 1_000_000)


def ms_of_ns(time_ns: int) -> float:
    """Milliseconds in a span of clock nanoseconds."""
    return time_ns / 1_000_000
