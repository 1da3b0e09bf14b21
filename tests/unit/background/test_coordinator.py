"""Jobs beside the conversation: cancelled, amended, replaced, interrupted, allowed, denied; never run twice."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from background_doubles import WITHIN_S, Desk, desk

from microturn.background import weaving
from microturn.background.backend import Backend
from microturn.background.backends.tools_only import ToolsBackend
from microturn.background.coordinator import Coordinator
from microturn.background.jobs import Answer, BackendError, DropReason, JobState
from microturn.background.ledger import Ledger
from microturn.background.limits import BudgetLimits, JobLimits
from microturn.background.package import ContextPackage, PackagePolicy
from microturn.background.permissions import Permission, PermissionPolicy, is_taken_back, spoken_decision
from microturn.background.places import Places, Priority
from microturn.background.questions import MAX_QUESTIONS, Questions
from microturn.background.repeats import asks_again
from microturn.background.summaries import Charge, OldText
from microturn.background.tools.arithmetic import CALCULATE
from microturn.background.tools.tool import Arguments, Tool, ToolError, ToolScope
from microturn.background.workbench import MAX_ASKED_CHARS, Workbench
from microturn.errors import CapacityError
from microturn.turns.background import BackgroundRequest, Report, ReportKind, parse_act
from microturn.turns.video import VideoFrame


class HeldBackend:
    """Answers with the question, once it is let go; remembers what it was asked."""

    name = "held"
    package_policy = PackagePolicy()

    def __init__(self, *, is_stubborn: bool = False) -> None:
        self.asked: list[str] = []
        self.questions: asyncio.Queue[str] = asyncio.Queue()
        self.began = asyncio.Event()
        self.let_go = asyncio.Event()
        self.num_cancelled = 0
        self.is_stubborn = is_stubborn
        self.is_closed = False

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        self.asked.append(package.question)
        self.questions.put_nowait(package.question)
        self.began.set()
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.num_cancelled += 1
            if not self.is_stubborn:
                raise
        return Answer(text=f"about {package.question}", num_tokens=3)

    async def close(self) -> None:
        self.is_closed = True


class ToolUser:
    """Uses one tool for every question, and fails for a moment afterwards as often as it is told."""

    name = "tool user"
    package_policy = PackagePolicy()

    def __init__(self, num_failures: int = 0) -> None:
        self.num_failures = num_failures

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        try:
            text = await bench.call("paint", {})
        except ToolError as error:
            text = str(error)
        if self.num_failures:
            self.num_failures -= 1
            raise BackendError("The line is bad.", is_transient=True)
        return Answer(text=text)

    async def close(self) -> None:
        pass


def paint_tool(runs: list[int], *, is_acting: bool = True) -> Tool[Arguments]:
    async def run(arguments: Arguments, scope: ToolScope) -> str:
        runs.append(scope.job)
        return "painted"

    return Tool(name="paint", description="", ability="paint", arguments=Arguments, run=run, is_acting=is_acting)


async def test_submit_returns_at_once_and_several_run_together():
    backend = HeldBackend()
    async with desk(backend) as it:
        it.act("ask 1: one")
        it.act("ask 2: two")
        assert backend.asked == []
        backend.let_go.set()
        assert {str(await it.result()), str(await it.result())} == {"1 done: about one", "2 done: about two"}
    assert backend.is_closed


async def test_what_is_cancelled_is_not_told():
    backend = HeldBackend()
    async with desk(backend) as it:
        it.act("ask 1: one")
        await backend.began.wait()
        it.act("cancel 1")
        backend.let_go.set()
        it.act("ask 2: two")
        assert (await it.result()).job == 2
        assert it.coordinator.dropped == {DropReason.CANCELLED: 1}
        assert it.coordinator.jobs("s")[0].state is JobState.CANCELLED
    assert backend.num_cancelled == 1


async def test_a_backend_that_does_not_let_itself_be_cancelled_is_not_heard():
    backend = HeldBackend(is_stubborn=True)
    async with desk(backend) as it:
        it.act("ask 1: one")
        await backend.began.wait()
        it.act("cancel 1")
        backend.let_go.set()
        it.act("ask 2: two")
        assert str(await it.result()) == "2 done: about two"
        assert it.coordinator.describe()["ended_done"] == 1


async def test_nineteen_not_ninety():
    backend = HeldBackend()
    async with desk(backend) as it:
        it.act("ask 1: ninety minus one")
        await backend.began.wait()
        it.act("amend 1: nineteen not ninety")
        backend.let_go.set()
        report = await it.result()
        assert report.text == "about ninety minus one; correction: nineteen not ninety"
        assert it.coordinator.dropped == {DropReason.AMENDED: 1}
        # Also when the answer was there already.
        it.act("amend 1: no twenty")
        assert (await it.result()).text.endswith("nineteen not ninety; correction: no twenty")


async def test_a_number_given_anew_belongs_to_the_new_question():
    backend = HeldBackend()
    async with desk(backend) as it:
        it.act("ask 1: one")
        await backend.began.wait()
        it.act("ask 1: other")
        backend.let_go.set()
        assert str(await it.result()) == "1 done: about other"
        assert it.coordinator.dropped == {DropReason.REPLACED: 1}


async def test_amending_what_is_not_known_is_said():
    async with desk(HeldBackend()) as it:
        it.act("amend 7: x")
        assert (await it.result()).kind is ReportKind.ERROR
        it.act("cancel 7")  # nothing to do, nothing to say
        assert it.reports.empty()


async def test_too_many_questions_are_refused_aloud_and_none_is_lost():
    backend = HeldBackend()
    limits = JobLimits(max_running_per_session=1, max_waiting_per_session=1)
    async with desk(backend, limits=limits) as it:
        for number in (1, 2, 3):
            it.act(f"ask {number}: x")
        report = await it.result()
        assert (report.job, report.kind) == (3, ReportKind.ERROR)
        await backend.began.wait()
        assert len(backend.asked) == 1
        backend.let_go.set()
        assert [(await it.result()).job, (await it.result()).job] == [1, 2]


async def test_what_takes_too_long_is_given_up_and_told():
    async with desk(HeldBackend(), limits=JobLimits(attempt_within_ms=10)) as it:
        it.act("ask 1: x")
        assert str(await it.result()) == "1 error: That took too long, so I gave up."


async def test_a_crash_of_the_backend_is_told_without_its_details():
    class Broken(HeldBackend):
        async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
            raise RuntimeError("at 10.0.0.1 with key abc")

    async with desk(Broken()) as it:
        it.act("ask 1: x")
        assert str(await it.result()) == "1 error: Something went wrong on my side."


async def test_the_same_act_twice_is_one_job():
    backend = HeldBackend()
    async with desk(backend) as it:
        it.act("ask 1: x")
        it.time_ms -= 200
        it.act("ask 1: x")
        backend.let_go.set()
        await it.result()
        assert backend.asked == ["x"]
        assert it.coordinator.dropped == {DropReason.REPEATED: 1}


async def test_a_job_that_the_process_died_in_is_told_of_and_not_run_again(tmp_path: Path):
    path = tmp_path / "ledger.sqlite"
    backend = HeldBackend()
    async with desk(backend, ledger=Ledger(path)) as it:
        it.act("ask 4: x")
        await backend.began.wait()
    after = HeldBackend()
    after.let_go.set()
    async with desk(after, ledger=Ledger(path)) as it:
        report = await it.result()
        assert (report.job, report.kind) == (4, ReportKind.ERROR)
        assert "interrupted" in report.text
        it.act("ask 4: x")  # the engine hands over an act that the dead process had taken up
        it.act("ask 5: y")
        assert str(await it.result()) == "5 done: about y"
    assert after.asked == ["y"]


@asynccontextmanager
async def interrupted_desk(path: Path, *acts: str) -> AsyncGenerator[tuple[Desk, HeldBackend]]:
    """A desk after a restart, whose process before it died over these acts; the acts are known from elsewhere."""
    questions = Questions()
    before = HeldBackend()
    async with desk(before, ledger=Ledger(path)) as it:
        for act in acts:
            it.act(act)
            questions.take_in(parse_act(act))
        while await before.questions.get() != question_of(questions):
            pass  # one that was corrected at once may never be asked
    after = HeldBackend()
    after.let_go.set()
    async with asyncio.timeout(WITHIN_S), Coordinator(after, ledger=Ledger(path)) as coordinator:
        it = Desk(coordinator, time_ms=10_000)
        coordinator.attach("s", it.reports.put_nowait, questions=questions)
        assert str(await it.result()) == "4 error: I was interrupted before I had the answer. Shall I try again?"
        yield it, after


def question_of(questions: Questions) -> str:
    question = questions.get(4)
    assert question is not None
    return "; ".join([question.act.text, *(f"correction: {text}" for text in question.amendments)])


async def test_a_yes_to_shall_i_try_again_tries_the_whole_question_again_once(tmp_path: Path):
    async with interrupted_desk(tmp_path / "l", "ask 4: flights", "amend 4: to oslo") as (it, backend):
        assert backend.asked == []
        it.act("amend 4: yes please")
        assert (await it.result()).text == "about flights; correction: to oslo"
        it.act("amend 4: yes")
        assert str(await it.report()) == "4 note: nothing waits for a yes or no"
        assert backend.asked == ["flights; correction: to oslo"]


async def test_what_is_tried_again_knows_that_part_of_it_may_have_been_done(tmp_path: Path):
    async with interrupted_desk(tmp_path / "l", "ask 4: paint it") as (it, backend):
        packages: list[str] = []
        answer = backend.answer

        async def answer_and_keep(package: ContextPackage, bench: Workbench) -> Answer:
            packages.append(package.text)
            return await answer(package, bench)

        backend.answer = answer_and_keep
        it.act("amend 4: yes")
        await it.result()
        assert "An earlier attempt was interrupted" in packages[0]


@pytest.mark.parametrize("words", ["no", "no thanks", "never mind", "forget it"])
async def test_a_no_to_shall_i_try_again_leaves_it(words: str, tmp_path: Path):
    async with interrupted_desk(tmp_path / "l", "ask 4: flights") as (it, backend):
        it.act(f"amend 4: {words}")
        assert str(await it.report()) == "4 note: not tried again"
        it.act("amend 4: yes")  # too late
        assert str(await it.report()) == "4 note: nothing waits for a yes or no"
        assert backend.asked == []


async def test_a_correction_of_what_was_interrupted_asks_it_as_corrected(tmp_path: Path):
    async with interrupted_desk(tmp_path / "l", "ask 4: flights") as (it, backend):
        it.act("amend 4: trains rather")
        await it.result()
        assert backend.asked == ["flights; correction: trains rather"]


async def test_where_the_question_is_not_known_any_more_the_user_is_asked_for_it(tmp_path: Path):
    before = HeldBackend()
    async with desk(before, ledger=Ledger(tmp_path / "l")) as it:
        it.act("ask 4: flights")
        await before.began.wait()
    async with desk(HeldBackend(), ledger=Ledger(tmp_path / "l")) as it:
        assert "Ask me again" in (await it.result()).text
        it.act("amend 4: yes")
        assert "Ask it again" in (await it.result()).text


def test_questions_are_read_from_acts_and_bounded():
    questions = Questions()
    for line in ("ask 1: x", "amend 1: y", "amend 1: yes", "amend 1: never mind", "ask 2: z", "cancel 2", "amend 2: a"):
        questions.take_in(parse_act(line))
    known = questions.get(1)
    assert known is not None
    assert (str(known.act), known.amendments) == ("ask 1: x", ("y",))
    assert questions.get(2) is None
    for number in range(MAX_QUESTIONS):
        questions.take_in(parse_act(f"ask {100 + number}: x"))
    assert questions.get(1) is None


async def test_results_wait_for_a_client_that_is_away():
    backend = HeldBackend()
    async with desk(backend) as it:
        it.act("ask 1: x")
        it.coordinator.park("s")
        backend.let_go.set()
        await it.coordinator.wait_until_idle()
        assert it.reports.empty()
        it.coordinator.attach("s", it.reports.put_nowait)
        assert str(await it.result()) == "1 done: about x"


async def test_an_answer_that_nobody_heard_is_told_of_after_a_restart_and_one_that_was_heard_is_not(tmp_path: Path):
    backend = HeldBackend()
    backend.let_go.set()
    async with desk(backend, ledger=Ledger(tmp_path / "l")) as it:
        it.act("ask 1: heard")
        await it.result()
        it.act("ask 2: heard later")
        it.act("ask 3: not heard")
        it.coordinator.park("s")
        await it.coordinator.wait_until_idle()
    async with desk(backend, ledger=Ledger(tmp_path / "l")) as it:
        assert [(await it.result()).job, (await it.result()).job] == [2, 3]
        assert it.reports.empty()


async def test_an_answer_that_is_heard_on_return_is_not_told_of_again(tmp_path: Path):
    backend = HeldBackend()
    backend.let_go.set()
    async with desk(backend, ledger=Ledger(tmp_path / "l")) as it:
        it.act("ask 1: x")
        it.coordinator.park("s")
        await it.coordinator.wait_until_idle()
        it.coordinator.attach("s", it.reports.put_nowait)
        await it.result()
    ledger = Ledger(tmp_path / "l")
    assert ledger.take_interrupted("s") == []
    ledger.close()


async def test_an_answer_that_there_was_no_room_for_counts_as_told_only_once_it_was_taken(tmp_path: Path):
    def full(report: Report) -> None:
        raise CapacityError("full")

    backend = HeldBackend()
    backend.let_go.set()
    async with desk(backend, ledger=Ledger(tmp_path / "l")) as it:
        it.coordinator.attach("s", full)
        it.act("ask 1: never taken")
        await it.coordinator.wait_until_idle()
    async with desk(backend, ledger=Ledger(tmp_path / "l")) as it:
        assert (await it.result()).job == 1
        it.coordinator.attach("s", full)
        it.act("ask 2: x")
        it.act("ask 3: y")
        await it.coordinator.wait_until_idle()
        assert it.reports.empty()
        it.coordinator.attach("s", it.reports.put_nowait)
        assert {(await it.result()).job, (await it.result()).job} == {2, 3}
    ledger = Ledger(tmp_path / "l")
    assert ledger.take_interrupted("s") == []
    ledger.close()


async def test_an_answer_that_was_held_too_long_is_told_of_on_return():
    backend = HeldBackend()
    backend.let_go.set()
    async with desk(backend) as it:
        it.act("ask 1: x")
        it.coordinator.park("s")
        await it.coordinator.wait_until_idle()
        it.coordinator.detach("s")
        it.coordinator.attach("s", it.reports.put_nowait)
        assert "interrupted" in (await it.result()).text


async def test_the_end_of_a_session_ends_its_jobs():
    backend = HeldBackend()
    async with desk(backend) as it:
        it.act("ask 1: x")
        await backend.began.wait()
        it.coordinator.detach("s")
        assert it.coordinator.dropped == {DropReason.SESSION_ENDED: 1}
        assert it.coordinator.jobs("s") == []


async def test_a_session_with_many_questions_does_not_keep_others_waiting():
    places, order = Places(total=2, per_session=2), []
    let_go = asyncio.Event()

    async def work(session_id: str) -> None:
        async with places.place(session_id):
            order.append(session_id)
            await let_go.wait()

    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
        for session_id in "sssst":
            tasks.create_task(work(session_id))
        given_up = tasks.create_task(work("t"))
        for _ in range(3):
            await asyncio.sleep(0)
        assert order == ["s", "s"]
        given_up.cancel()
        let_go.set()
    assert order == ["s", "s", "t", "s", "s"]


async def order_of(wanted: str) -> str:
    """In which order those that wait get the one place: each a session's letter and a priority's digit."""
    places, order = Places(total=1, per_session=1), []
    let_go = asyncio.Event()

    async def work(session_id: str, priority: Priority) -> None:
        async with places.place(session_id, priority):
            order.append(f"{session_id}{priority:d}")
            await let_go.wait()

    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
        for each in wanted.split():
            tasks.create_task(work(each[0], Priority(int(each[1]))))
        await asyncio.sleep(0)
        let_go.set()
    return " ".join(order)


async def test_a_correction_goes_before_a_question_and_a_summary_comes_last():
    assert await order_of("a1 a2 a1 a0 b2 b1") == "a1 a0 a1 b1 a2 b2"


async def test_priority_takes_nothing_from_another_sessions_share():
    places, order = Places(total=2, per_session=2), []
    let_go = asyncio.Event()

    async def work(name: str, priority: Priority) -> None:
        async with places.place(name[0], priority):
            order.append(name)
            await (first if name == "a-first" else let_go).wait()

    first = asyncio.Event()
    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
        for name in ("a-first", "a-second"):
            tasks.create_task(work(name, Priority.ASK))
        await asyncio.sleep(0)
        tasks.create_task(work("a-correction", Priority.CORRECTION))
        tasks.create_task(work("b-summary", Priority.SUMMARY))
        await asyncio.sleep(0)
        first.set()  # a still holds one place, b none
        let_go.set()
    assert order == ["a-first", "a-second", "b-summary", "a-correction"]


async def num_waiting(it: Desk, count: int) -> None:
    """So many wait for a place, each of whose acts has been written down before."""
    while it.coordinator._places.num_waiting != count:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.001)


async def test_what_is_corrected_goes_before_what_is_asked():
    backend = HeldBackend()
    async with desk(backend, limits=JobLimits(max_running_per_session=1)) as it:
        it.act("ask 1: one")
        await backend.began.wait()
        it.act("ask 2: two")
        it.act("ask 3: three")
        it.act("amend 3: four")
        await num_waiting(it, 2)
        backend.let_go.set()
        assert [(await it.result()).job for _ in range(3)] == [1, 3, 2]


async def test_a_summary_waits_until_the_questions_have_their_places():
    class Summarising(HeldBackend):
        async def summarise(self, text: str, charge: Charge) -> str:
            self.asked.append("summary")
            return "all of it"

    backend = Summarising()
    async with desk(backend, limits=JobLimits(max_running_per_session=1)) as it:
        it.act("ask 1: one")
        await backend.began.wait()
        old = OldText(lines=(), drop_before_turn=9, previous="", instructions="")
        summing = asyncio.create_task(it.coordinator.summarise("s", old))
        await num_waiting(it, 1)
        it.act("ask 2: two")
        await num_waiting(it, 2)
        backend.let_go.set()
        assert await summing == "all of it"
        await it.coordinator.wait_until_idle()
    assert backend.asked == ["one", "two", "summary"]


async def ask_with(it: Desk, answer: str) -> Report:
    it.act("ask 1: paint it")
    assert (await it.report(ReportKind.SAY)).text == "May I use paint?"
    it.act(f"amend 1: {answer}")
    return await it.result()


async def test_an_acting_tool_asks_first_and_a_spoken_yes_lets_it():
    runs: list[int] = []
    async with desk(ToolUser(), paint_tool(runs)) as it:
        assert (await ask_with(it, "yes please")).text == "painted"
        it.act("ask 2: again")  # what is allowed stays allowed for the session
        assert (await it.result()).text == "painted"
    assert runs == [1, 2]


async def test_a_spoken_no_keeps_it_from_running():
    runs: list[int] = []
    async with desk(ToolUser(), paint_tool(runs)) as it:
        assert "does not allow" in (await ask_with(it, "no don't")).text
        assert it.coordinator.jobs("s")[0].steps[0].outcome == "denied"
    assert runs == []


async def test_silence_is_no_permission():
    runs: list[int] = []
    limits = JobLimits(permission_within_ms=10)
    async with desk(ToolUser(), paint_tool(runs), limits=limits) as it:
        it.act("ask 1: paint it")
        assert "does not allow" in (await it.result()).text
    assert runs == []


async def test_two_tools_at_once_ask_one_after_the_other_and_the_same_one_only_once():
    class Hasty(ToolUser):
        async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
            texts = await asyncio.gather(*(bench.call("paint", {}) for _ in range(3)))
            return Answer(text=" ".join(texts))

    runs: list[int] = []
    async with desk(Hasty(), paint_tool(runs)) as it:
        assert (await ask_with(it, "yes")).text == "painted painted painted"
        assert it.reports.empty()
    assert runs == [1, 1, 1]


async def test_what_was_cancelled_or_replaced_is_not_told_of_after_a_restart(tmp_path: Path):
    async with desk(HeldBackend(), ledger=Ledger(tmp_path / "l")) as it:
        it.act("ask 1: x")
        await asyncio.sleep(0)  # its claim is under way
        it.act("ask 1: y")
        it.act("ask 2: z")
        await asyncio.sleep(0)
        it.act("cancel 2")
        await it.coordinator.backend.began.wait()
    ledger = Ledger(tmp_path / "l")
    assert ledger.take_interrupted("s") == [1]
    assert ledger.take_interrupted("s") == []
    ledger.close()


async def test_the_user_sees_what_a_tool_would_be_given_but_no_secret():
    class Letter(Arguments):
        """What to send."""

        text: str

    async def send(arguments: Letter, scope: ToolScope) -> str:
        raise AssertionError("not allowed")

    class Sender(ToolUser):
        async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
            text = "my password is hunter2, do not tell " + "x" * 1_000
            try:
                return Answer(text=await bench.call("send", {"text": text}))
            except ToolError as error:
                return Answer(text=str(error))

    tool = Tool(name="send", description="Send.", ability="send", arguments=Letter, run=send, is_acting=True)
    async with desk(Sender(), tool) as it:
        it.act("ask 1: send it")
        await it.report(ReportKind.SAY)
        (job,) = it.coordinator.jobs("s")
        assert job.asks_with.startswith('{"text": "my password is [secret removed], do not tell xxx')
        assert len(job.asks_with) == MAX_ASKED_CHARS
        it.act("amend 1: no")
        assert "does not allow" in (await it.result()).text
        assert (job.asks_for, job.asks_with) == ("", "")


async def test_rules_allow_and_deny_without_asking():
    for permission, expected in ((Permission.ALLOW, [1]), (Permission.DENY, [])):
        runs: list[int] = []
        policy = PermissionPolicy(rules={"pa*": permission})
        async with desk(ToolUser(), paint_tool(runs), permissions=policy) as it:
            it.act("ask 1: paint it")
            await it.result()
        assert runs == expected


async def test_a_job_that_has_acted_is_not_tried_again():
    policy = PermissionPolicy(rules={"*": Permission.ALLOW})
    for is_acting, num_runs in ((True, 1), (False, 2)):
        runs: list[int] = []
        limits = JobLimits(first_backoff_ms=1)
        tool = paint_tool(runs, is_acting=is_acting)
        async with desk(ToolUser(num_failures=1), tool, permissions=policy, limits=limits) as it:
            it.act("ask 1: paint it")
            assert (await it.result()).kind is (ReportKind.ERROR if is_acting else ReportKind.DONE)
        assert len(runs) == num_runs


async def test_pauses_between_attempts_grow():
    class Moody(ToolUser):
        async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
            raise BackendError("The line is bad.", is_transient=True)

    pauses_s: list[float] = []

    async def pause(seconds: float) -> None:
        pauses_s.append(seconds)

    async with desk(Moody(), limits=JobLimits(max_attempts=5, first_backoff_ms=500), pause=pause) as it:
        it.act("ask 1: x")
        assert str(await it.result()) == "1 error: The line is bad."
        assert it.coordinator.jobs("s")[0].num_attempts == 5
    assert pauses_s == [0.5, 1.0, 2.0, 4.0]


class Repeater(ToolUser):
    """Remembers its packages; paints for each, and answers what it is told."""

    def __init__(self, answer: str = "painted") -> None:
        super().__init__()
        self.packages: list[str] = []
        self._answer = answer

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        self.packages.append(package.text)
        if len(self.packages) == 1:
            await bench.call("paint", {})
        return Answer(text=self._answer)


async def test_what_changes_something_without_asking_is_not_tried_again_either():
    runs: list[int] = []
    tool = dataclasses.replace(paint_tool(runs, is_acting=False), changes_something=True)
    async with desk(ToolUser(num_failures=1), tool, limits=JobLimits(first_backoff_ms=1)) as it:
        it.act("ask 1: paint it")
        assert (await it.result()).kind is ReportKind.ERROR
    assert runs == [1]


async def test_a_corrected_question_knows_what_was_done_and_answered():
    backend = Repeater()
    tool = dataclasses.replace(paint_tool([], is_acting=False), changes_something=True)
    async with desk(backend, tool) as it:
        it.act("ask 1: paint it")
        await it.result()
        it.act("amend 1: in red")
        await it.result()
        it.act("amend 1: and blue")
        await it.result()
    assert "Already" not in backend.packages[0]
    for package in backend.packages[1:]:
        assert "do not do it again unless the correction asks for it:\n- paint: painted\n" in package
        assert "Already answered before the correction: painted" in package


async def test_a_question_that_is_corrected_while_its_tool_runs_knows_that_it_was_broken_off():
    began = asyncio.Event()

    async def run(arguments: Arguments, scope: ToolScope) -> str:
        began.set()
        await asyncio.Event().wait()
        return "never"

    backend = Repeater()
    tool = dataclasses.replace(paint_tool([]), run=run, is_acting=False, changes_something=True)
    async with desk(backend, tool) as it:
        it.act("ask 1: paint it")
        await began.wait()
        it.act("amend 1: in red")
        await it.result()
    assert "- paint: broken off, perhaps done" in backend.packages[1]


async def test_what_another_servers_tool_did_is_known_to_the_correction_and_what_it_was_not_let_do_is_not():
    class Sender(Repeater):
        async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
            self.packages.append(package.text)
            name = "home_send" if len(self.packages) == 1 else "home_door"
            return Answer(text=await bench.guard(name, {"to": "all"}, done, is_acting=True))

    async def done() -> str:
        return "fine"

    backend = Sender()
    async with desk(backend, permissions=PermissionPolicy(rules={"home_send": Permission.ALLOW})) as it:
        it.act("ask 1: send it")
        await it.result()
        it.act("amend 1: to Ada")
        await it.report(ReportKind.SAY)
        it.act("amend 1: to Bob")
        await it.report(ReportKind.SAY)
    for package in backend.packages[1:]:
        assert '- home_send {"to": "all"}: fine' in package
        assert "home_door" not in package


async def test_what_another_servers_tool_failed_at_is_known_to_the_correction():
    async def failed() -> str:
        raise ToolError("the door is jammed")

    async def crashed() -> str:
        raise OSError

    class Sender(Repeater):
        async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
            self.packages.append(package.text)
            for use in (failed, crashed) if len(self.packages) == 1 else ():
                with contextlib.suppress(ToolError):
                    await bench.guard("home_send", {"text": "x" * 1_000}, use, is_acting=True)
            return Answer(text="sorry")

    backend = Sender()
    async with desk(backend, permissions=PermissionPolicy(rules={"*": Permission.ALLOW})) as it:
        it.act("ask 1: send it")
        await it.result()
        it.act("amend 1: to Ada")
        await it.result()
    done = [line for line in backend.packages[1].splitlines() if line.startswith("- home_send")]
    assert [line.partition("…: ")[2] for line in done] == ["failed: the door is jammed", "broken off, perhaps done"]


async def test_what_a_tool_with_long_arguments_did_is_known_to_the_correction():
    class Note(Arguments):
        """What to write."""

        text: str

    async def write(arguments: Note, scope: ToolScope) -> str:
        return "written down"

    class Writer(Repeater):
        async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
            self.packages.append(package.text)
            return Answer(text=await bench.call("write", {"text": "x" * 300}))

    tool = Tool(name="write", description="", ability="", arguments=Note, run=write, changes_something=True)
    backend = Writer()
    async with desk(backend, tool) as it:
        it.act("ask 1: write it")
        await it.result()
        it.act("amend 1: again")
        await it.result()
    assert "xxx…: written down\n" in backend.packages[1]


async def test_a_yes_that_nothing_waits_for_changes_nothing():
    backend = HeldBackend()
    backend.let_go.set()
    async with desk(backend) as it:
        it.act("ask 1: x")
        await it.result()
        it.act("amend 1: yes please")
        assert str(await it.report()) == "1 note: nothing waits for a yes or no"
        assert it.coordinator.jobs("s")[0].state is JobState.DONE
    assert backend.asked == ["x"]


@pytest.mark.parametrize("backend", [ToolsBackend(), HeldBackend()], ids=["tools", "another"])
async def test_the_last_result_is_said_again_without_being_thought_of_again(backend: Backend):
    if isinstance(backend, HeldBackend):
        backend.let_go.set()
    async with desk(backend, CALCULATE) as it:
        it.act("ask 1: what is two plus two")
        first = await it.result()
        it.act("ask 2: what was that?")
        assert (await it.result()).text == first.text
        it.act("ask 3: sorry, can you say that again please")
        assert (await it.result()).text == first.text
        it.act("amend 1: what was that")
        assert await it.result() == first
        assert [job.num_attempts for job in it.coordinator.jobs("s")] == [1, 0, 0]


async def test_what_was_that_goes_to_the_backend_where_there_is_no_result_or_something_may_be_seen():
    frame = VideoFrame(time_ms=100, pixels=np.zeros((8, 8, 3), np.uint8))
    backend = HeldBackend()
    backend.let_go.set()
    async with desk(backend) as it:
        for number, words in enumerate(("what was that", "what was that", "what was that again"), start=1):
            it.act(f"ask {number}: {words}", key_frames=(frame,))
            await it.result()
    assert backend.asked == ["what was that", "what was that"]


async def test_why_there_was_no_answer_is_said_again_too():
    async with desk(ToolsBackend(), CALCULATE) as it:
        it.act("ask 1: who is the king of norway")
        why = (await it.result()).text
        it.act("amend 1: come again?")
        assert str(await it.result()) == f"1 error: {why}"
        it.act("ask 2: what did you say")
        assert (await it.result()).text == why


async def test_a_tool_question_is_asked_again_and_what_runs_goes_on():
    held = HeldBackend()
    async with desk(held) as it:
        it.act("ask 1: x")
        await held.began.wait()
        it.act("amend 1: what was that")
        assert str(await it.report()) == "1 note: there is no answer yet"
    async with desk(ToolUser(), paint_tool([])) as it:
        it.act("ask 1: paint it")
        question = await it.report(ReportKind.SAY)
        it.act("amend 1: pardon?")
        assert await it.report() == question
        it.act("amend 1: no")
        await it.result()


@pytest.mark.parametrize(
    ("words", "is_so"),
    [
        ("What was that?", True),
        ("sorry, what was that again", True),
        ("could you please repeat that", True),
        ("what's the answer again", True),
        ("what did you find out", True),
        ("pardon?", True),
        ("I didn\u2019t catch that", True),
        ("what is that", False),
        ("what was that song", False),
        ("say hello again", False),
        ("tell me that tomorrow", False),
        ("what was it like", False),
        ("read it", False),
        ("", False),
        ("what was that " * 50, False),
    ],
)
def test_only_words_that_ask_for_nothing_else_ask_again(words: str, is_so: bool):
    assert asks_again(words) is is_so


@pytest.mark.parametrize("words", ["stop", "Never mind.", "forget it", "no, cancel that please", "okay leave it"])
async def test_what_is_taken_back_in_words_is_not_told(words: str):
    backend = HeldBackend()
    async with desk(backend) as it:
        it.act("ask 1: one")
        await backend.began.wait()
        it.act(f"amend 1: {words}")
        assert str(await it.report()) == "1 note: stopped"
        assert it.coordinator.dropped == {DropReason.CANCELLED: 1}
        assert it.coordinator.jobs("s")[0].state is JobState.CANCELLED
    assert backend.asked == ["one"]


async def test_what_takes_nothing_back_leaves_the_job_to_go_on():
    backend = HeldBackend()
    async with desk(backend) as it:
        it.act("ask 1: one")
        await backend.began.wait()
        it.act("amend 1: no")
        assert str(await it.report()) == "1 note: nothing waits for a yes or no"
        it.act("amend 1: don't stop")
        assert it.coordinator.jobs("s")[0].state is JobState.RUNNING


async def test_a_tool_question_that_is_answered_with_forget_it_ends_the_job():
    runs: list[int] = []
    async with desk(ToolUser(), paint_tool(runs)) as it:
        it.act("ask 1: paint it")
        await it.report(ReportKind.SAY)
        it.act("amend 1: forget it")
        assert str(await it.report()) == "1 note: stopped"
        await it.coordinator.wait_until_idle()
    assert runs == []


async def test_a_yes_to_a_question_that_was_the_answer_goes_on():
    backend = Repeater("Do you mean the blue one?")
    async with desk(backend, paint_tool([]), permissions=PermissionPolicy(rules={"*": Permission.ALLOW})) as it:
        it.act("ask 1: paint it")
        await it.result()
        it.act("amend 1: yes")
        await it.result()
    assert "correction: yes" in backend.packages[1]


async def test_a_yes_with_more_to_it_is_a_correction_and_allows_nothing():
    runs: list[int] = []
    async with desk(ToolUser(), paint_tool(runs)) as it:
        it.act("ask 1: paint it")
        await it.report(ReportKind.SAY)
        it.act("amend 1: yes but only in the kitchen")
        await it.report(ReportKind.SAY)  # it asks again, for the corrected question
        (job,) = it.coordinator.jobs("s")
        assert job.question == "paint it; correction: yes but only in the kitchen"
        assert runs == []
        it.act("amend 1: okay never mind")
        assert "does not allow" in (await it.result()).text
    assert runs == []


@pytest.mark.parametrize(
    ("words", "decision"),
    [
        ("yes", True),
        ("Yes, please.", True),
        ("okay", True),
        ("sure, go ahead", True),
        ("yes do it thank you", True),
        ("that's fine", True),
        ("please do", True),
        ("no", False),
        ("no thanks", False),
        ("no, that's fine", False),
        ("don't", False),
        ("please don\u2019t do it", False),
        ("okay never mind", False),
        ("sure, no wait, don't", False),
        ("of course not", False),
        ("yes but only in the kitchen", None),
        ("do it tomorrow instead", None),
        ("no problem, do it", None),
        ("nineteen not ninety", None),
        ("please", None),
        ("", None),
        ("do it " * 500, None),
    ],
)
def test_only_a_bare_yes_or_no_decides(words: str, decision: bool | None):
    assert spoken_decision(words) is decision


@pytest.mark.parametrize(
    ("words", "is_so"),
    [
        ("never mind", True),
        ("nevermind", True),
        ("oh okay, never mind, thanks", True),
        ("actually, forget that", True),
        ("no no stop", True),
        ("cancel it", True),
        ("no", False),
        ("okay thanks", False),
        ("don't stop", False),
        ("never stop", False),
        ("stop at noon", False),
        ("cancel the meeting", False),
        ("forget it, make it ten", False),
        ("", False),
        ("stop " * 500, False),
    ],
)
def test_only_words_that_say_nothing_else_take_a_question_back(words: str, is_so: bool):
    assert is_taken_back(words) is is_so


async def test_a_report_that_cannot_be_put_into_words_is_an_error_of_its_job(monkeypatch: pytest.MonkeyPatch):
    def broken(job: int, text: str) -> Report:
        raise OverflowError

    monkeypatch.setattr(weaving, "result", broken)
    backend = HeldBackend()
    backend.let_go.set()
    async with desk(backend) as it:
        it.act("ask 1: x")
        assert str(await it.result()) == "1 error: Something went wrong on my side."
        (job,) = it.coordinator.jobs("s")
        assert (job.state, job.text) == (JobState.FAILED, "Something went wrong on my side.")


async def test_what_a_session_has_spent_outlasts_its_being_let_go():
    backend = HeldBackend()
    backend.let_go.set()
    async with desk(backend, budget=BudgetLimits(max_jobs=1)) as it:
        it.act("ask 1: x")
        await it.result()
        it.coordinator.detach("s")
        it.coordinator.attach("s", it.reports.put_nowait)
        it.act("ask 2: x")
        assert "used its one questions" in (await it.result()).text
        it.coordinator.detach("s", is_over=True)
        it.coordinator.attach("s", it.reports.put_nowait)
        it.act("ask 3: y")
        assert (await it.result()).kind is ReportKind.DONE


async def test_a_spent_budget_is_told():
    backend = HeldBackend()
    backend.let_go.set()
    async with desk(backend, budget=BudgetLimits(max_jobs=1)) as it:
        it.act("ask 1: x")
        await it.result()
        it.act("ask 2: x")
        assert (await it.result()).kind is ReportKind.ERROR
    assert backend.asked == ["x"]


async def test_closing_waits_for_nothing_that_hangs():
    async with asyncio.timeout(WITHIN_S):
        coordinator = Coordinator(HeldBackend())
        coordinator.attach("s", lambda report: None)
        coordinator.submit(BackgroundRequest(session_id="s", act=parse_act("ask 1: x"), time_ms=0))
        await coordinator.close()
