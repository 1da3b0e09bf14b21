"""Sessions on a manual clock: who runs when, what is late, and who never waits for whom."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microturn.engine.ladder import Budget, Ladder, LadderSettings, Rung
from microturn.engine.scheduler import Scheduler, SchedulerSettings
from microturn.errors import CapacityError
from microturn.testing.clock import ManualClock
from microturn.turns.timing import ns_of_ms


def ids(batch) -> list[str]:
    return [row.session_id for row in batch.rows]


def at(time_ms: float) -> int:
    return ns_of_ms(time_ms)


@pytest.mark.parametrize(("complete_ms", "group"), [(0, 0), (1, 1), (50, 1), (51, 2), (149, 3), (151, 0), (199, 0)])
def test_a_session_joins_the_group_that_ticks_soonest_after_its_turns(complete_ms, group):
    assert Scheduler().add("a", at(10_000 + complete_ms)) == group


def test_full_groups_send_newcomers_to_the_next():
    scheduler = Scheduler(SchedulerSettings(max_sessions=8))
    assert [scheduler.add(str(i), 0) for i in range(8)] == [0, 0, 1, 1, 2, 2, 3, 3]
    with pytest.raises(CapacityError, match="8 of 8 sessions"):
        scheduler.add("one too many", 0)
    assert scheduler.counts.num_refused_sessions == 1


def test_a_batch_is_the_present_members_of_one_group():
    scheduler = Scheduler()
    for name, complete_ms in (("a", 0), ("b", 0), ("c", 0), ("d", 50)):
        scheduler.add(name, at(complete_ms))
    for name in "abd":
        scheduler.offer(name, 1, at(0))
    batch = scheduler.schedule(at(50))
    assert ids(batch) == ["a", "b"]
    assert scheduler.absent(at(50)) == ["c"]
    assert ids(scheduler.schedule(at(50))) == ["d"]
    assert scheduler.schedule(at(50)) is None


def test_a_turn_that_comes_early_waits_for_its_tick():
    scheduler = Scheduler()
    scheduler.add("a", at(0))
    scheduler.offer("a", 1, at(0))
    assert scheduler.schedule(at(0)) is not None
    scheduler.offer("a", 1, at(120))
    assert scheduler.schedule(at(199)) is None
    assert scheduler.next_wake_ns(at(199)) == at(200)
    batch = scheduler.schedule(at(200))
    assert batch.rows[0].deadline_ns == at(300)


def test_a_turn_that_comes_after_its_tick_runs_at_once():
    scheduler = Scheduler()
    scheduler.add("a", at(0))
    assert scheduler.schedule(at(0)) is None
    scheduler.offer("a", 1, at(30))
    assert scheduler.schedule(at(30)).rows[0].deadline_ns == at(130)


def test_two_turns_in_one_packet_leave_no_delay_behind():
    scheduler = Scheduler()
    scheduler.add("a", at(0))
    scheduler.offer("a", 2, at(0))
    assert not scheduler.schedule(at(0)).rows[0].is_forced
    assert not scheduler.schedule(at(0)).rows[0].is_forced
    scheduler.offer("a", 2, at(100))
    assert scheduler.schedule(at(100)) is not None
    assert scheduler.schedule(at(100)) is None  # the one after waits for its tick
    scheduler.offer("a", 2, at(200))
    assert scheduler.schedule(at(200)) is not None
    assert scheduler.schedule(at(200)) is not None  # and is not waiting any more when the next one comes


def test_a_burst_after_a_stall_is_forced_but_for_its_last_turns():
    scheduler = Scheduler()
    scheduler.add("a", at(0))
    scheduler.offer("a", 15, at(3_000))
    forced = []
    while (batch := scheduler.schedule(at(3_000))) is not None:
        forced.append(batch.rows[0].is_forced)
        scheduler.finish(batch, at(3_000))
    assert forced == [True] * 13 + [False] * 2
    assert scheduler.counts.num_forced_turns == 13


def test_a_stalled_sessions_burst_never_delays_the_others():
    clock = ManualClock()
    scheduler = Scheduler()
    scheduler.add("stalled", at(0))
    for i in range(4):
        scheduler.add(f"live {i}", at(50 * i))
    scheduler.offer("stalled", 25, 0)
    turn_ms, num_live = 20, 0
    next_offer_ms = [50 * i for i in range(4)]
    while clock.now_ns() < at(2_000):
        now_ns = clock.now_ns()
        for i in range(4):
            if now_ns >= at(next_offer_ms[i]):
                scheduler.offer(f"live {i}", 1, at(next_offer_ms[i]))
                next_offer_ms[i] += 200
        batch = scheduler.schedule(now_ns)
        if batch is None:
            clock.advance_ms(1)
            continue
        scheduler.finish(batch, clock.advance_ms(turn_ms))
        num_live += sum(name.startswith("live") for name in ids(batch))
    assert scheduler.counts.num_missed_deadlines == 0
    assert num_live == 40
    assert scheduler.counts.num_forced_turns == 23


def test_the_earliest_deadline_goes_first():
    scheduler = Scheduler()
    scheduler.add("late", at(0))
    scheduler.add("early", at(50))
    scheduler.offer("late", 1, at(70))
    scheduler.offer("early", 1, at(40))
    assert ids(scheduler.schedule(at(80))) == ["early"]


def test_missed_deadlines_are_counted_for_their_session():
    scheduler = Scheduler()
    scheduler.add("a", at(0))
    scheduler.offer("a", 1, at(0))
    assert scheduler.finish(scheduler.schedule(at(0)), at(101)) == 1
    assert scheduler.counts.num_missed_deadlines == scheduler.num_missed_deadlines("a") == 1


def test_a_session_that_left_during_its_batch_is_no_error():
    scheduler = Scheduler()
    scheduler.add("a", at(0))
    scheduler.offer("a", 1, at(0))
    batch = scheduler.schedule(at(0))
    scheduler.remove("a")
    scheduler.remove("a")
    assert scheduler.finish(batch, at(500)) == 1
    assert len(scheduler) == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 4), st.integers(0, 150)), max_size=60))
def test_every_offered_turn_runs_exactly_once(arrivals):
    clock, scheduler, waiting, ran = ManualClock(), Scheduler(), dict.fromkeys(map(str, range(8)), 0), 0
    for name in waiting:
        scheduler.add(name, int(name) * 37_000_000)

    def drain() -> int:
        num_ran = 0
        while (batch := scheduler.schedule(clock.now_ns())) is not None:
            assert len(set(ids(batch))) == len(batch.rows)
            for name in ids(batch):
                waiting[name] -= 1
                assert waiting[name] >= 0
            num_ran += len(batch.rows)
        return num_ran

    for who, num_turns, wait_ms in arrivals:
        waiting[str(who)] += num_turns
        scheduler.offer(str(who), waiting[str(who)], clock.now_ns())
        clock.advance_ms(wait_ms)
        ran += drain()
    for _ in range(3):
        clock.advance_to_ns(scheduler.next_wake_ns(clock.now_ns()) + at(200))
        ran += drain()
    assert ran == sum(num for _, num, _ in arrivals)
    assert not any(waiting.values())


def climb(ladder: Ladder, start_ms: int, end_ms: int, busy: float) -> list[Rung]:
    """Rungs seen while each 100 ms are busy for a share."""
    return [ladder.record(at(t), at(t + 100 * busy), 0) for t in range(start_ms, end_ms, 100)]


def test_overload_climbs_one_rung_at_a_time_in_the_declared_order_and_comes_back():
    ladder = Ladder()
    up = climb(ladder, 0, 6_000, busy=1.0)
    assert sorted(set(up)) == list(Rung)
    assert up == sorted(up)
    assert ladder.num_climbs == dict.fromkeys(list(Rung)[1:], 1)
    down = climb(ladder, 6_000, 40_000, busy=0.3)
    assert down == sorted(down, reverse=True)
    assert down[-1] is Rung.EVERYTHING


def test_middling_load_holds_the_rung():
    ladder = Ladder()
    climb(ladder, 0, 1_500, busy=1.0)
    held = ladder.rung
    assert held > Rung.EVERYTHING
    assert set(climb(ladder, 2_500, 30_000, busy=0.75)) == {held}


def test_an_idle_engine_comes_down():
    ladder = Ladder()
    climb(ladder, 0, 6_000, busy=1.0)
    for second in range(7, 60):
        ladder.update(at(second * 1_000))
    assert ladder.rung is Rung.EVERYTHING


def test_misses_alone_climb():
    ladder = Ladder()
    assert ladder.record(at(0), at(10), num_missed=3) is Rung.FEWER_FRAMES


def test_each_rung_gives_up_one_more_thing():
    ladder, budgets = Ladder(Budget(max_text_tokens=12, num_flow_steps=6)), []
    for rung in Rung:
        ladder.rung = rung
        budgets.append((ladder.budget.video_every_turns, ladder.budget.max_text_tokens, ladder.budget.num_flow_steps))
    assert budgets == [(1, 12, 6), (2, 12, 6), (2, 6, 6), (2, 6, 3), (2, 6, 3)]
    assert not ladder.is_admitting


def test_an_overloaded_engine_refuses_newcomers_and_keeps_its_sessions():
    scheduler = Scheduler()
    scheduler.add("a", 0)
    scheduler.ladder.rung = Rung.NO_NEW_SESSIONS
    with pytest.raises(CapacityError, match="overload step 4"):
        scheduler.add("b", 0)
    scheduler.offer("a", 1, 0)
    assert scheduler.schedule(0) is not None


def test_settings_that_would_swing_are_refused():
    with pytest.raises(ValueError, match="swings"):
        LadderSettings(busy_share=0.5, calm_share=0.6)


def test_the_scheduler_runs_without_torch():
    code = "import sys, microturn.engine.scheduler; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
