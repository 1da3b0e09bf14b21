"""Jobs of the background model on the wire: their state to the page, the user's decisions from it."""

import contextlib
import zoneinfo

from microturn.background.cards import take_cards, without_cards
from microturn.background.jobs import Job, JobState
from microturn.clock import Clock
from microturn.errors import ProtocolError
from microturn.protocol.extensions import ExtensionsEnableEvent, JobCard, JobDecideEvent, JobEvent, JobStep
from microturn.server.background_engine import BackgroundEngineSession
from microturn.server.engine_port import EngineSession
from microturn.server.wire import ClientGoneError, Wire
from microturn.turns.timing import ms_of_ns


def show_jobs(wire: Wire, session: EngineSession, clock: Clock) -> None:
    """Send every job of a session, now and whenever it changes. Without a background there is none."""
    if not isinstance(session, BackgroundEngineSession):
        return

    def show(job: Job) -> None:
        with contextlib.suppress(ClientGoneError):  # its own tasks notice
            wire.send(_event_of(job, wire.new_event_id(), clock.now_ns()))

    session.observe(show, is_page=True)


def locate(session: EngineSession, event: ExtensionsEnableEvent) -> tuple[str | None, str | None]:
    """Tell the background where the user is; returns the locale and the time zone that count from now on.

    A zone that this machine does not know is left out: browsers may know newer ones.
    """
    if not isinstance(session, BackgroundEngineSession):
        return None, None
    locale, zone = session.locate(event.locale, _zone(event.time_zone))
    return locale, getattr(zone, "key", None)


def _zone(name: str | None) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def decide(session: EngineSession, event: JobDecideEvent) -> None:
    """Carry the user's decision to the job.

    Raises:
        ProtocolError: no job of that number asks for anything.
    """
    if isinstance(session, BackgroundEngineSession) and session.decide(event.job, is_allowed=event.allow):
        return
    raise ProtocolError(
        f"job {event.job} asks for no permission: decide while its state is 'asking'",
        code="not_asking",
        param="job",
    )


def _event_of(job: Job, event_id: str, now_ns: int) -> JobEvent:
    text, cards = take_cards(job.text)
    if job.state is JobState.DONE:
        text = "\n\n".join([text, *(picture.to_markdown() for picture in job.pictures)]).strip()
    answered_ms = round(ms_of_ns(now_ns - job.ended_ns)) if job.ended_ns else 0
    return JobEvent(
        event_id=event_id,
        job=job.number,
        state=job.state.value,
        question=job.question,
        asks_for=job.asks_for,
        asks_with=job.asks_with,
        steps=[JobStep(tool=step.tool, outcome=step.outcome, duration_ms=step.duration_ms) for step in job.steps],
        text=text,
        partial=without_cards(job.partial),
        cards=[
            *(JobCard(age_ms=round(ms_of_ns(now_ns - each.began_ns)), body=each.card) for each in job.timers),
            *(JobCard(age_ms=answered_ms, body=card) for card in cards),
        ],
        num_attempts=job.num_attempts,
        num_tokens=job.num_tokens,
        cost_usd=job.cost_usd,
        elapsed_ms=round(ms_of_ns((job.ended_ns or now_ns) - job.began_ns)),
    )
