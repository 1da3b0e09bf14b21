"""Watching an engine from outside: Prometheus metrics, and OpenTelemetry spans where a tracer is set up.

An ``ObservedEngine`` stands in front of the real one and looks at every micro-turn that passes. Nothing that was said
gets into a metric or a span.
"""

import os
import time
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from dataclasses import replace

from opentelemetry import trace
from opentelemetry.trace import Span, Tracer
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from microturn.errors import CapacityError
from microturn.server.engine_port import Engine, EngineSession
from microturn.server.passing import PassingSession
from microturn.server.readings import Readings
from microturn.turns.micro_turn import MicroTurnOutput
from microturn.turns.timing import TURN_MS
from microturn.turns.trace import TurnTrace

_BUCKETS_S = tuple(ms / 1000 for ms in (5, 10, 20, 30, 50, 80, 100, 150, TURN_MS, 300, 500, 1_000))


class Metrics:
    """The figures of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self.sessions = Gauge("microturn_sessions", "Sessions that run now.", registry=registry)
        self.started = Counter("microturn_sessions_started_total", "Sessions begun or resumed.", registry=registry)
        self.refused = Counter(
            "microturn_refused_connections_total", "Connections and sessions refused.", ["code"], registry=registry
        )
        self.latency = Histogram(
            "microturn_turn_latency_seconds",
            "From the moment a micro-turn could run until its output was released.",
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self.phases = Histogram(
            "microturn_turn_phase_seconds",
            "Compute of a micro-turn by phase.",
            ["phase"],
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self.turns = Counter("microturn_turns_total", "Micro-turns answered.", registry=registry)
        self.speaking = Counter(
            "microturn_speaking_turns_total", "Micro-turns answered with speech.", registry=registry
        )
        self.late = Counter("microturn_missed_deadlines_total", "Micro-turns that were too late.", registry=registry)
        self.forced = Counter(
            "microturn_forced_turns_total", "Micro-turns that came too late to be answered.", registry=registry
        )
        self.cut_short = Counter(
            "microturn_cut_short_turns_total", "Outputs closed at the text cap.", registry=registry
        )
        self.waiting = Histogram(
            "microturn_waiting_event_tokens",
            "Tokens of text events that wait for later turns.",
            buckets=(0, 32, 64, 128, 256, 512, 1024, 2048, 4096),
            registry=registry,
        )
        self.readings = Readings()
        registry.register(self.readings)

    def observe(self, output: MicroTurnOutput, turn: TurnTrace) -> None:
        """Take one micro-turn in."""
        self.turns.inc()
        self.speaking.inc(output.is_speaking)
        self.late.inc(turn.is_late)
        self.forced.inc(turn.is_forced)
        self.cut_short.inc(turn.is_cut_short)
        self.waiting.observe(turn.num_waiting_event_tokens)
        self.latency.observe(turn.latency_ms / 1000)
        for phase, time_ms in turn.phases_ms.items():
            self.phases.labels(phase).observe(time_ms / 1000)

    async def report(self) -> bytes:
        """All figures of now in Prometheus' text format."""
        await self.readings.refresh()
        return self.exposition()

    def exposition(self) -> bytes:
        """All figures in Prometheus' text format, the engine's as they were last read."""
        return generate_latest(self.registry)


class ObservedEngine:
    """An engine whose sessions are counted and timed."""

    def __init__(self, engine: Engine, metrics: Metrics, tracer: Tracer | None = None) -> None:
        self._engine = engine
        self._metrics = metrics
        self._tracer = tracer or trace.get_tracer("microturn.server")

    async def open(self, instructions: str | None = None, seed: int | None = None) -> EngineSession:
        with self._counting_refusals():
            return self._observed(await self._engine.open(instructions, seed))

    async def resume(self, resume_token: str) -> EngineSession:
        with self._counting_refusals():
            return self._observed(await self._engine.resume(resume_token))

    async def fork(self, resume_token: str) -> EngineSession:
        with self._counting_refusals():
            return self._observed(await self._engine.fork(resume_token))

    @contextmanager
    def _counting_refusals(self) -> Generator[None, None, None]:
        try:
            yield
        except CapacityError:
            self._metrics.refused.labels("capacity_exceeded").inc()
            raise

    def _observed(self, session: EngineSession) -> EngineSession:
        return _ObservedSession(session, self._metrics, self._tracer)


class _ObservedSession(PassingSession):
    """Hands everything on, and looks at the outputs."""

    def __init__(self, session: EngineSession, metrics: Metrics, tracer: Tracer) -> None:
        super().__init__(session)
        self._metrics = metrics
        self._tracer = tracer
        self._span: Span | None = tracer.start_span("microturn.session")
        metrics.started.inc()
        metrics.sessions.inc()

    async def outputs(self) -> AsyncIterator[tuple[MicroTurnOutput, TurnTrace]]:
        async for output, turn in super().outputs():
            self._metrics.observe(output, turn)
            yield output, replace(turn, traceparent=self._trace(turn))

    async def park(self) -> None:
        self._leave()
        await super().park()

    async def close(self) -> None:
        self._leave()
        await super().close()

    def _leave(self) -> None:
        if self._span is not None:
            self._span.end()
            self._span = None
            self._metrics.sessions.dec()

    def _trace(self, turn: TurnTrace) -> str:
        """Draw a turn; returns its context, under which jobs that it asks for are drawn."""
        if self._span is None or not self._span.is_recording():
            return ""
        end_ns = time.time_ns()
        span = self._tracer.start_span(
            "microturn.turn",
            context=trace.set_span_in_context(self._span),
            start_time=end_ns - round(turn.latency_ms * 1e6),
            attributes={
                "turn.index": turn.index,
                "turn.batch_size": turn.batch_size,
                "turn.is_late": turn.is_late,
                "turn.is_forced": turn.is_forced,
                "turn.overload_rung": turn.overload_rung,
                "turn.num_waiting_event_tokens": turn.num_waiting_event_tokens,
                **{f"turn.{phase}_ms": time_ms for phase, time_ms in turn.phases_ms.items()},
            },
        )
        span.end(end_ns)
        context = span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def trace_to_collector() -> bool:
    """Send spans where ``OTEL_EXPORTER_OTLP_ENDPOINT`` says; False when it says nothing. For programs."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return False
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "microturn"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return True
