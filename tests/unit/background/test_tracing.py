"""One trace per job: micro-turn, job, backend, tools, each within the other; and nothing that was said is in any."""

import asyncio

import numpy as np
import pytest
from background_doubles import desk

from microturn.background.coordinator import Coordinator
from microturn.background.jobs import Answer, BackendError
from microturn.background.limits import JobLimits
from microturn.background.package import ContextPackage, PackagePolicy
from microturn.background.tools.tool import Arguments, Tool, ToolError, ToolScope
from microturn.background.tracing import Tracing
from microturn.background.workbench import Workbench
from microturn.server.background_engine import BackgroundEngine
from microturn.testing.scripted_engine import ScriptedEngine, script
from microturn.turns.background import ReportKind
from microturn.turns.micro_turn import MicroTurnOutput, Piece, PieceKind
from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import IN_SAMPLES_PER_TURN

pytest.importorskip("opentelemetry.sdk", reason="the extra 'serve' is not installed")
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

SECRET_WORDS = "the colour of the moon"


class Nothing(Arguments):
    """No arguments."""


async def _look(arguments: Nothing, scope: ToolScope) -> str:
    return "grey"


async def _break(arguments: Nothing, scope: ToolScope) -> str:
    raise ToolError(f"cannot see {SECRET_WORDS}")


LOOK = Tool(name="look", description="Look.", ability="look", arguments=Nothing, run=_look)
BREAK = Tool(name="break", description="Break.", ability="break", arguments=Nothing, run=_break)


class Painter:
    """Looks twice at once, meets a broken tool, and fails for a moment the first time."""

    name = "painter"
    package_policy = PackagePolicy()

    def __init__(self) -> None:
        self.num_asked = 0

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        self.num_asked += 1
        if self.num_asked == 1:
            raise BackendError("The line is bad.", is_transient=True)
        await asyncio.gather(bench.call("look", {}), bench.call("look", {}))
        with pytest.raises(ToolError):
            await bench.call("break", {})
        return Answer(text="Grey.", num_tokens=7)

    async def close(self) -> None:
        pass


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> TracerProvider:
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(exporter))
    return made


def children(spans: tuple[ReadableSpan, ...], parent: ReadableSpan) -> list[ReadableSpan]:
    return [each for each in spans if each.parent and each.parent.span_id == parent.context.span_id]


def named(spans: tuple[ReadableSpan, ...], name: str) -> list[ReadableSpan]:
    return [each for each in spans if each.name == f"microturn.{name}"]


async def test_a_job_is_a_trace_of_attempts_and_tools(exporter: InMemorySpanExporter, provider: TracerProvider):
    limits = JobLimits(first_backoff_ms=1)
    tracing = Tracing(provider.get_tracer("test"))
    async with desk(Painter(), LOOK, BREAK, limits=limits, tracing=tracing) as it:
        it.act(f"ask 1: {SECRET_WORDS}")
        await it.result()
        await it.coordinator.wait_until_idle()
    spans = exporter.get_finished_spans()
    (job,) = named(spans, "job")
    assert job.parent is None
    assert len({each.context.trace_id for each in spans}) == 1
    assert dict(job.attributes or {}) == {
        "job.number": 1, "job.num_amendments": 0, "job.state": "done", "job.num_attempts": 2, "job.num_tokens": 7,
    }  # fmt: skip
    first, second = sorted(children(spans, job), key=lambda span: span.start_time or 0)
    assert (first.name, first.status.status_code) == ("microturn.backend", StatusCode.ERROR)
    assert (first.attributes or {})["error.type"] == "BackendError"
    assert children(spans, first) == []
    tools = children(spans, second)
    assert sorted((each.attributes or {})["tool.name"] for each in tools) == ["break", "look", "look"]
    (broken,) = [each for each in tools if each.status.status_code is StatusCode.ERROR]
    assert (broken.attributes or {})["tool.name"] == "break"
    assert "moon" not in "".join(each.to_json() for each in spans)


async def test_two_jobs_have_two_traces(exporter: InMemorySpanExporter, provider: TracerProvider):
    tracing = Tracing(provider.get_tracer("test"))
    # Whatever span the caller is in is no parent: jobs belong to the micro-turn that asked, or to nobody.
    with provider.get_tracer("test").start_as_current_span("somebody else's"):
        async with desk(Painter(), LOOK, BREAK, limits=JobLimits(first_backoff_ms=1), tracing=tracing) as it:
            it.act("ask 1: x")
            it.act("ask 2: y")
            for _ in range(2):
                await it.report(ReportKind.DONE)
            await it.coordinator.wait_until_idle()
    jobs = named(exporter.get_finished_spans(), "job")
    assert len({each.context.trace_id for each in jobs}) == 2
    assert all(each.parent is None for each in jobs)


async def test_what_is_cancelled_ends_as_such(exporter: InMemorySpanExporter, provider: TracerProvider):
    class Slow(Painter):
        async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
            began.set()
            await asyncio.Event().wait()
            raise AssertionError

    began = asyncio.Event()
    async with desk(Slow(), tracing=Tracing(provider.get_tracer("test"))) as it:
        it.act("ask 1: x")
        await began.wait()
        it.act("cancel 1")
    (job,) = named(exporter.get_finished_spans(), "job")
    assert (job.attributes or {})["job.state"] == "cancelled"
    assert job.status.status_code is StatusCode.UNSET


async def test_a_job_lies_within_the_micro_turn_that_asked(exporter: InMemorySpanExporter, provider: TracerProvider):
    pytest.importorskip("prometheus_client")
    from microturn.server.telemetry import Metrics, ObservedEngine

    tracer = provider.get_tracer("test")
    asks = MicroTurnOutput(index=1, pieces=(Piece(kind=PieceKind.ACT, text=f"ask 1: {SECRET_WORDS}"),))
    async with Coordinator(
        Painter(), (LOOK, BREAK), limits=JobLimits(first_backoff_ms=1), tracing=Tracing(tracer)
    ) as coordinator:
        engine = ObservedEngine(ScriptedEngine(script([asks])), Metrics(), tracer)
        session = await BackgroundEngine(engine, coordinator).open()
        outputs = session.outputs()
        for index in range(3):
            silence = np.zeros(IN_SAMPLES_PER_TURN, np.float32)
            session.push_audio(PcmChunk(start_sample=index * IN_SAMPLES_PER_TURN, samples=silence))
            await anext(outputs)
        await coordinator.wait_until_idle()
        await session.close()
    spans = exporter.get_finished_spans()
    (whole,) = named(spans, "session")
    turns = {(each.attributes or {})["turn.index"]: each for each in named(spans, "turn")}
    (job,) = named(spans, "job")
    assert children(spans, turns[1]) == [job]
    assert all(children(spans, turns[index]) == [] for index in (0, 2))
    assert {each.context.trace_id for each in spans} == {whole.context.trace_id}
    assert "moon" not in "".join(each.to_json() for each in spans)


async def test_without_a_provider_nothing_is_traced_and_everything_works():
    async with desk(Painter(), LOOK, BREAK, limits=JobLimits(first_backoff_ms=1)) as it:
        it.act("ask 1: x")
        assert (await it.result()).text == "Grey."
