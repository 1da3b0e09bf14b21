"""What a server sends is heard as a client's speaker would play it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import numpy as np

from microturn.evals.live_subject import Heard, listen
from microturn.evals.spoken import sounds, spoken_words
from microturn.protocol.codec import AudioCodec, to_base64
from microturn.testing.clock import ManualClock
from microturn.turns.timing import OUT_HZ, OUT_SAMPLES_PER_TURN, TURN_MS

TURN = to_base64(
    AudioCodec(encoding="audio/pcm", rate_hz=OUT_HZ).encode(np.full(OUT_SAMPLES_PER_TURN, 0.1, np.float32))
)


def sound(caption: str) -> list[dict[str, Any]]:
    """One micro-turn of speech."""
    return [
        {"type": "session.output_audio.delta", "delta": TURN},
        {"type": "session.output_transcript.delta", "delta": caption},
    ]


def turn(index: int, *, clear: bool) -> dict[str, Any]:
    return {"type": "microturn.turn", "index": index, "hear": "", "pieces": [], "clear": clear}


async def test_a_clear_drops_what_is_not_yet_played() -> None:
    clock = ManualClock()
    heard = Heard(num_turns=12, clock=clock)

    async def messages() -> AsyncIterator[str]:
        clock.advance_ms(2 * TURN_MS)
        for event in (*sound(" one"), *sound(" two"), *sound(" three")):
            yield json.dumps(event)
        clock.advance_ms(TURN_MS)
        yield json.dumps(turn(3, clear=True))
        clock.advance_ms(3 * TURN_MS)
        for event in sound(" four"):
            yield json.dumps(event)

    await listen(messages(), heard)
    outputs = heard.outputs()
    assert [(s.playback_start_ms, s.playback_end_ms) for s in sounds(outputs)] == [(400, 600), (1200, 1400)]
    assert [word.text for word in spoken_words(outputs)] == ["one", "four"]
    assert [k for k, output in enumerate(outputs) if output.is_clear] == [3]


async def test_without_a_clear_all_of_it_is_played() -> None:
    heard = Heard(num_turns=12, clock=ManualClock())

    async def messages() -> AsyncIterator[str]:
        for event in (turn(0, clear=False), *sound(" one"), *sound(" two")):
            yield json.dumps(event)

    await listen(messages(), heard)
    assert [(s.playback_start_ms, s.playback_end_ms) for s in sounds(heard.outputs())] == [(200, 400)]
