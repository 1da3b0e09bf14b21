"""Spans of jobs: job, attempt, tool, each within the other, under the micro-turn that asked.

Nothing that was said is in them. OpenTelemetry's API is optional: without it, or where no provider is set up, nothing
is traced and nothing is paid.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from microturn.background.jobs import Job, JobState

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer


class Tracing:
    """Draws spans.

    Args:
        tracer: That of the program's own provider unless given.
    """

    def __init__(self, tracer: "Tracer | None" = None) -> None:
        self._tracer = tracer or _program_tracer()

    @contextmanager
    def job(self, job: Job) -> Generator[None, None, None]:
        """A job from its claim to its end: a trace of its own, or part of that of the micro-turn that asked."""
        if self._tracer is None:
            yield
            return
        from opentelemetry.context import Context
        from opentelemetry.trace import StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        parent = job.request.traceparent
        with self._tracer.start_as_current_span(
            "microturn.job",
            # An empty context rather than none: whatever else this task was started from is no parent of a job.
            context=TraceContextTextMapPropagator().extract({"traceparent": parent} if parent else {}, Context()),
            attributes={"job.number": job.number, "job.num_amendments": len(job.amendments)},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            finally:
                span.set_attributes(
                    {"job.state": job.state, "job.num_attempts": job.num_attempts, "job.num_tokens": job.num_tokens}
                )
                if job.state is JobState.FAILED:
                    span.set_status(StatusCode.ERROR)

    @contextmanager
    def attempt(self, backend: str, number: int) -> Generator[None, None, None]:
        """One question to a backend."""
        with self._span("microturn.backend", {"backend.name": backend, "attempt.number": number}):
            yield

    @contextmanager
    def tool(self, name: str, *, is_acting: bool) -> Generator[None, None, None]:
        """One use of a tool, the user's decision included."""
        with self._span("microturn.tool", {"tool.name": name, "tool.is_acting": is_acting}):
            yield

    @contextmanager
    def _span(self, name: str, attributes: dict[str, str | int | bool]) -> Generator[None, None, None]:
        if self._tracer is None:
            yield
            return
        from opentelemetry.trace import StatusCode

        with self._tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except BaseException as error:
                # The kind alone: messages may hold what was asked.
                span.set_attribute("error.type", type(error).__name__)
                if isinstance(error, Exception):
                    span.set_status(StatusCode.ERROR)
                raise


def _program_tracer() -> "Tracer | None":
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    return trace.get_tracer("microturn.background")
