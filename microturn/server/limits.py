"""Every bound that the server keeps, in one place, and the gauge of the message rate."""

from dataclasses import dataclass, field

from microturn.turns.timing import ms_of_ns


@dataclass(frozen=True, kw_only=True)
class SharedLimits:
    """What all connections of one key, or of one address, may use together."""

    max_requests_per_s: float
    """HTTP requests, and connections begun."""
    max_messages_per_s: float
    """Messages over all connections."""
    max_chars_per_s: float
    """What those messages hold."""
    max_media_bytes_per_s: float
    """Sound and pictures over WebRTC."""
    burst_s: float = 10.0
    """What comes in so long may also come at once."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one client may ask of the server."""

    max_connections: int = 64
    """WebSockets at once; more are refused with 503 before they are accepted."""
    max_connections_per_address: int = 16
    """Connections at once from one address other than this machine's. Behind a proxy that is the proxy's."""
    max_connections_per_key: int = 32
    """Connections at once with one key, its client secrets included."""
    per_key: SharedLimits = field(
        default_factory=lambda: SharedLimits(
            max_requests_per_s=20.0,
            max_messages_per_s=4_000.0,
            max_chars_per_s=8_000_000.0,
            max_media_bytes_per_s=12_000_000.0,
        )
    )
    """What a key's connections may use together, its client secrets included. A server without keys has none."""
    per_address: SharedLimits = field(
        default_factory=lambda: SharedLimits(
            max_requests_per_s=10.0,
            max_messages_per_s=2_000.0,
            max_chars_per_s=4_000_000.0,
            max_media_bytes_per_s=6_000_000.0,
        )
    )
    """What the connections from one address may use together. Behind a proxy that is the proxy's: raise it there."""
    max_wrong_keys_per_minute: int = 20
    """Wrong keys from one address before it is told to wait."""
    max_message_chars: int = 1_000_000
    """A longer message is answered with an error. Four times as much closes the connection (status 1009)."""
    max_messages_per_s: float = 400.0
    """Sustained rate of messages; above it the connection is closed."""
    max_message_burst: int = 800
    """Messages that may come at once."""
    max_chars_per_s: float = 2_000_000.0
    """Sustained rate of what the messages hold: sound takes 64,000 a second, ten pictures a few hundred thousand."""
    max_char_burst: int = 16_000_000
    """Characters that may come at once."""
    max_tool_updates_per_s: float = 5.0
    """Sustained rate of changes to the permissions of tools: each is answered with the whole list of them."""
    max_tool_update_burst: int = 20
    """Of those, what may come at once."""
    max_bad_messages: int = 32
    """Messages refused in a row before the connection is closed."""
    max_audio_lead_ms: int = 10_000
    """How far the sound received may run ahead of real time."""
    start_within_ms: int = 10_000
    """Time for ``session.start`` after connecting."""
    max_session_ms: int = 24 * 3_600_000
    """Length of a session by the clock."""
    max_context_chars: int = 4_000
    """Length of appended instructions, thinking or commentary."""
    max_instructions_chars: int = 16_000
    """Length of the initial instructions: one text event."""
    max_history_items: int = 60
    """Messages of history in ``session.start``; with instructions and a disclosure the engine holds them all."""
    max_history_chars: int = 40_000
    """Length of the whole history."""
    max_outbox_events: int = 256
    """Events waiting for a slow client; when full, the client is taken as gone."""
    max_waiting_turns: int = 64
    """Micro-turns waiting for their time to be played; when full, the oldest goes unplayed."""
    decode_within_ms: int = 2_000
    """Time for one picture, or one message's sound; more of its kind is refused until it is done."""
    max_image_pixels: int = 1_920 * 1_200
    """Area of a camera frame, in a message or on a track."""
    max_media_bytes_per_s: float = 1_000_000.0
    """Sound and pictures of one WebRTC connection: browsers send a third of it. More ends the camera's track, and
    sound beyond it is dropped."""
    max_media_burst_bytes: int = 4_000_000
    """Of those, what may come at once."""
    max_video_fps: float = 60.0
    """Pictures a second on a track: each is decoded, however few the model looks at."""


class MessageRate:
    """A token bucket over messages, or over what they hold.

    Args:
        per_s: Tokens that come back in a second.
        burst: Tokens in a full bucket.
    """

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._tokens = float(burst)
        self._seen_ns: int | None = None

    def admits(self, now_ns: int, cost: int = 1, at_least: int = 0) -> bool:
        """Take tokens for a message that came now; False when there are too few, or fewer than ``at_least``."""
        if self._seen_ns is not None:
            refill = ms_of_ns(now_ns - self._seen_ns) / 1000 * self._per_s
            self._tokens = min(float(self._burst), self._tokens + refill)
        self._seen_ns = now_ns
        if self._tokens < max(cost, at_least):
            return False
        self._tokens -= cost
        return True
