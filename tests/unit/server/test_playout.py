"""When a micro-turn's sound leaves, and which words go with it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from microturn.server.playout import Playout
from microturn.testing.clock import ManualClock
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import OUT_SAMPLES_PER_TURN, TURN_MS

TONE = np.ones(OUT_SAMPLES_PER_TURN, dtype=np.float32)


def says(index: int, text: str = "", *, is_clear: bool = False) -> MicroTurnOutput:
    return MicroTurnOutput(index=index, say=text, audio=TONE, is_clear=is_clear)


def silence(index: int) -> MicroTurnOutput:
    return MicroTurnOutput(index=index)


def taken(playout: Playout, clock: ManualClock) -> list[int]:
    return [turn.index for turn in iter(lambda: playout.take(clock.now_ns()), None)]


def test_a_burst_leaves_at_most_one_turn_ahead_of_its_time() -> None:
    playout, clock = Playout(64), ManualClock(10**9)
    for index in range(5):
        playout.add(says(index))
    # One turn plays, one waits at the client; from then on one for each that has been played.
    assert taken(playout, clock) == [0, 1]
    clock.advance_ms(199)
    assert taken(playout, clock) == []
    clock.advance_ms(1)
    assert taken(playout, clock) == [2]
    clock.advance_ms(400)
    assert taken(playout, clock) == [3, 4]


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.lists(st.floats(0, 900), min_size=1, max_size=60))
def test_the_client_never_holds_more_than_two_turns(gaps_ms: list[float]) -> None:
    playout, clock, held_until_ms = Playout(1000), ManualClock(), 0.0
    for index, gap_ms in enumerate(gaps_ms):
        clock.advance_ms(gap_ms)
        now_ms = clock.now_ns() / 1e6
        playout.add(silence(index))
        for _ in taken(playout, clock):
            held_until_ms = max(held_until_ms, now_ms) + TURN_MS
            # Beside two turns, what a client is given for a clock that may run a tenth of a percent faster.
            assert held_until_ms - now_ms <= 2 * TURN_MS + 0.001 * TURN_MS * len(gaps_ms)


def test_turns_that_were_made_faster_than_they_play_leave_no_delay_behind() -> None:
    """A stall's sound trickles in at twice its pace: three seconds of it were late, and an answer comes at its end."""
    playout, clock = Playout(64), ManualClock(10**9)
    for index in range(30):
        clock.advance_ms(TURN_MS / 2)
        playout.add(silence(index))
        taken(playout, clock)
    playout.add(says(30, " yes"))
    waited_ms = 0
    while 30 not in taken(playout, clock):
        clock.advance_ms(10)
        waited_ms += 10
    assert waited_ms <= 2 * TURN_MS
    assert playout.num_skipped_turns >= 10


def test_in_real_time_nothing_waits() -> None:
    playout, clock = Playout(64), ManualClock()
    for index in range(200):
        clock.advance_ms(200 + (-40 if index % 2 else 40))
        playout.add(says(index, " word"))
        assert taken(playout, clock) == [index]


def test_a_word_is_shown_with_its_sound() -> None:
    playout, clock = Playout(64), ManualClock()
    shown = []
    for output in [silence(0), says(1, " one"), says(2, " two"), says(3), silence(4)]:
        clock.advance_ms(200)
        playout.add(output)
        turn = playout.take(clock.now_ns())
        assert turn is not None
        shown.append(turn.caption)
    # Text runs a turn ahead of its sound; at the start of an utterance the two begin together.
    assert shown == ["", " one", "", " two", ""]


def test_the_last_word_is_shown_even_when_its_sound_ends_the_utterance() -> None:
    playout, clock = Playout(64), ManualClock()
    for output in [says(0, " one"), says(1, " two"), silence(2)]:
        playout.add(output)
    clock.advance_ms(10_000)
    turns = [playout.take(clock.advance_ms(200)) for _ in range(3)]
    assert [turn.caption for turn in turns if turn] == [" one", "", " two"]


def test_clear_drops_what_has_not_left_with_its_words() -> None:
    playout, clock = Playout(64), ManualClock()
    for index, word in enumerate([" one", " two", " three", " four"]):
        playout.add(says(index, word))
    assert taken(playout, clock) == [0, 1]
    playout.add(says(4, " yes", is_clear=True))
    clock.advance_ms(200)
    turn = playout.take(clock.now_ns())
    assert turn is not None
    assert (turn.index, turn.caption) == (4, " yes")
    assert playout.num_cleared_turns == 2
    assert playout.due_ns() is None


def test_silence_of_turns_that_came_too_late_is_skipped() -> None:
    playout, clock = Playout(64), ManualClock()
    for index in range(15):
        playout.add(silence(index), is_forced=True)
    playout.add(says(15, " here"))
    assert taken(playout, clock) == [15]
    assert playout.num_skipped_turns == 15


def test_the_queue_is_bounded() -> None:
    playout, clock = Playout(4), ManualClock()
    for index in range(10):
        playout.add(silence(index))
    assert playout.num_overflowed_turns == 6
    assert taken(playout, clock) == [6, 7]


def test_a_track_catches_up_in_silences_when_the_clients_clock_runs_fast() -> None:
    now_ns = held_until_ns = 0
    playout = Playout(64, lambda: max(0, held_until_ns - now_ns) / 1e6)
    for index in range(1_000):  # Each turn comes 1 % early: two seconds in all.
        playout.add(MicroTurnOutput(index=index))
        for _ in range(99):
            if playout.take(now_ns):
                held_until_ns = max(held_until_ns, now_ns) + 200_000_000
            now_ns += 2_000_000
    # At least the ten turns that were too many; at most one whenever the track holds a moment too much.
    assert 10 <= playout.num_skipped_turns <= 40
    due_ns = playout.due_ns()
    assert due_ns is None or due_ns - now_ns < 30_000_000
