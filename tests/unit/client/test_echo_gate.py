"""The model does not hear itself through the speaker, and whoever is louder than its echo is heard."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from microturn.client.echo_gate import EchoGate
from microturn.client.live_client import WIRE_HZ

BLOCK_MS = 40
BLOCK_SAMPLES = WIRE_HZ * BLOCK_MS // 1000
SECOND = 1000 // BLOCK_MS
ECHO_DB = -15.0
DELAY_BLOCKS = 3


def gain(level_db: float) -> float:
    return 10 ** (level_db / 20)


class Room:
    """A speaker and a microphone in a room: echo comes late and quieter, and there is always some noise."""

    def __init__(self) -> None:
        self.gate = EchoGate()
        self.echo_db = ECHO_DB
        self._random = np.random.default_rng(3)
        self._on_its_way: deque[NDArray[np.float32]] = deque([np.zeros(BLOCK_SAMPLES, np.float32)] * DELAY_BLOCKS)

    def voice(self) -> NDArray[np.float32]:
        """A block as loud as speech is, now more, now less, with pauses full of breath."""
        loudness = self._random.choice([0.003, 0.05, 0.1, 0.15])
        return (loudness * self._random.normal(0, 1, BLOCK_SAMPLES)).astype(np.float32)

    def pass_time(self, num_blocks: int, *, plays: bool = False, user: float = 0.0) -> list[bool]:
        """Whether each block of the microphone was sent; ``user`` is the loudness of somebody who speaks."""
        sent: list[bool] = []
        for _ in range(num_blocks):
            played = self.voice() if plays else np.zeros(BLOCK_SAMPLES, np.float32)
            self.gate.played(played)
            self._on_its_way.append(played)
            noise = 0.001 * self._random.normal(0, 1, BLOCK_SAMPLES)
            speech = user * self._random.normal(0, 1, BLOCK_SAMPLES)
            heard = (gain(self.echo_db) * self._on_its_way.popleft() + noise + speech).astype(np.float32)
            passed = self.gate.passed(heard)
            assert passed.shape == heard.shape  # Media time goes on in any case.
            assert np.array_equal(passed, heard) or not passed.any()
            sent.append(bool(passed.any()))
        return sent


def test_the_microphone_is_open_while_nothing_plays() -> None:
    assert all(Room().pass_time(2 * SECOND, user=0.05))


def test_no_echo_is_sent_from_its_first_block_to_its_last() -> None:
    room = Room()
    assert not any(room.pass_time(10 * SECOND, plays=True))
    after = room.pass_time(SECOND)
    assert not any(after[:DELAY_BLOCKS])
    assert all(after[SECOND // 2 :])


def test_who_is_louder_than_the_echo_is_heard_without_gaps() -> None:
    room = Room()
    room.pass_time(3 * SECOND, plays=True)
    heard = room.pass_time(SECOND, plays=True, user=0.2)
    assert all(heard[1:])
    assert any(room.pass_time(SECOND // 4, plays=True))  # a pause between two words
    assert not any(room.pass_time(SECOND, plays=True)[SECOND // 2 :])


def test_who_is_no_louder_than_the_echo_waits_until_it_is_over() -> None:
    room = Room()
    room.pass_time(3 * SECOND, plays=True)
    assert not any(room.pass_time(SECOND, plays=True, user=0.005))
    assert all(room.pass_time(SECOND, user=0.005)[SECOND // 2 :])


def test_nobody_is_heard_before_the_echo_is_known() -> None:
    assert not any(Room().pass_time(SECOND - 1, plays=True, user=0.3))


def test_an_echo_that_becomes_louder_is_shut_out_again() -> None:
    room = Room()
    room.pass_time(5 * SECOND, plays=True)
    room.echo_db += 24.0
    room.pass_time(4 * SECOND, plays=True)
    assert not any(room.pass_time(5 * SECOND, plays=True))
