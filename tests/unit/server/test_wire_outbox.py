"""What a client that reads slowly goes without."""

from typing import Any, cast

from microturn.clock import SystemClock
from microturn.protocol.extensions import JobEvent
from microturn.server.limits import Limits
from microturn.server.wire import LIVE, Wire


def job(state: Any, *, partial: str = "", text: str = "") -> JobEvent:
    return JobEvent(
        event_id="e",
        job=1,
        state=state,
        question="x",
        asks_for="",
        asks_with="",
        steps=[],
        text=text,
        partial=partial,
        cards=[],
        num_attempts=1,
        num_tokens=0,
        elapsed_ms=0,
    )


def test_unfinished_answers_are_dropped_first_and_nothing_else_of_a_job():
    wire = Wire(cast(Any, None), LIVE, Limits(max_outbox_events=10), SystemClock(), lambda: "event")
    for _ in range(20):
        wire.send(job("running", partial="It is"))
    assert (wire.num_waiting_events, wire.num_dropped_partial_answers) == (6, 14)
    for event in (job("running"), job("asking", partial="It is"), job("done", text="It is so.")):
        wire.send(event)
    assert wire.num_waiting_events == 9
