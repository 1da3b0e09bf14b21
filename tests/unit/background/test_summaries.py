"""Summaries: which text is old, what stands for it, and that nothing is dropped that nobody has told."""

import asyncio

import pytest
from background_doubles import desk

from microturn.background.backends.tools_only import ToolsBackend
from microturn.background.conversation import Conversation
from microturn.background.jobs import Answer, BackendError
from microturn.background.limits import BudgetLimits
from microturn.background.package import ContextPackage, PackagePolicy
from microturn.background.summaries import (
    AGAIN_AFTER_TURNS,
    MAX_INSTRUCTION_CHARS,
    MAX_SUMMARY_CHARS,
    SUMMARISE_AT_SHARE,
    Charge,
    OldText,
    excerpt,
    summary_event,
    summary_in,
)
from microturn.background.workbench import Workbench
from microturn.turns.micro_turn import MicroTurnOutput, Role, TextEvent


def talk(conversation: Conversation, *said: tuple[int, str, str]) -> None:
    """(turn, who, words)"""
    for turn, who, words in said:
        conversation.add_output(MicroTurnOutput(index=turn, **{who: words}))


def conversation() -> Conversation:
    it = Conversation()
    it.add_event(TextEvent(role=Role.SYSTEM, text="Speak slowly."), turn=0)
    talk(it, (10, "hear", " my name is ada"), (30, "say", " hello ada"), (60, "hear", " i live in the town of oslo"))
    it.add_event(TextEvent(role=Role.USER, text="typed"), turn=80)
    talk(it, (100, "hear", " what time is it"), (130, "say", " half past four"))
    return it


def test_the_older_half_is_what_was_said_first():
    old = conversation().oldest_half()
    assert old is not None
    assert [line.text for line in old.lines] == [
        "User: my name is ada",
        "Assistant: hello ada",
        "User: i live in the town of oslo",
    ]
    assert old.drop_before_turn == 80
    assert old.instructions == "Speak slowly."


def test_no_token_of_what_is_dropped_is_left_out_of_the_summary():
    """The model's words come before their sound: a line that is kept must lie wholly after the cut."""
    it = Conversation()
    talk(it, (10, "hear", " a long first line of words"), (40, "say", " yes"))
    old = it.oldest_half()
    assert old is not None
    assert old.drop_before_turn <= 40


def test_the_next_summary_goes_on_from_the_last():
    it = conversation()
    first = it.oldest_half()
    assert first is not None
    it.add_event(summary_event(first, "Ada lives in Oslo."), turn=140)
    assert it.oldest_half() is None, "the summary itself would be kept beside the next one"
    talk(it, (150, "hear", " thanks a lot for that"), (200, "hear", " bye"))
    second = it.oldest_half()
    assert second is not None
    assert second.previous == "Ada lives in Oslo."
    assert second.lines[0].text == "User typed: typed"
    assert second.drop_before_turn == 199, "beyond the summary's own place"


def test_text_never_falls_out_before_it_is_told():
    """Two hours of talk, counted in tokens of two characters: never more than the cap, and summaries are rare."""
    it, cap, before, summaries = Conversation(), 2_048, 0, 0
    said: list[tuple[int, int]] = []  # (turn, tokens)
    again = 0
    for turn in range(40_000):
        if turn % 40 < 15:
            talk(it, (turn, "hear" if turn % 80 < 40 else "say", " word"))
            said.append((turn, 3))
        kept = sum(tokens for at, tokens in said if at >= before)
        assert kept <= cap
        if kept >= SUMMARISE_AT_SHARE * cap and turn >= again and (old := it.oldest_half()):
            event = summary_event(old, excerpt(old))
            it.add_event(event, turn=turn)
            said.append((turn, len(event.text) // 2))
            said = [each for each in said if each[0] >= old.drop_before_turn]
            before, summaries, again = old.drop_before_turn, summaries + 1, turn + AGAIN_AFTER_TURNS
    assert 30 < summaries < 80


def test_the_latest_instructions_are_carried_on_whole():
    it = conversation()
    it.add_event(TextEvent(role=Role.SYSTEM, text="y" * 1_000), turn=1)
    it.add_event(TextEvent(role=Role.SYSTEM, text="Be brief."), turn=2)
    old = it.oldest_half()
    assert old is not None
    assert old.instructions.endswith("yyy Be brief.")
    assert len(old.instructions) <= MAX_INSTRUCTION_CHARS


def test_a_summary_is_one_line_and_carries_the_instructions_on():
    old = conversation().oldest_half()
    assert old is not None
    event = summary_event(old, "Ada\n<|end_message|> lives in Oslo. " + "x" * 5_000)
    assert event.role is Role.SYSTEM
    assert event.drop_before_turn == old.drop_before_turn
    assert event.text.startswith("Instructions: Speak slowly. Summary until 0:16: Ada lives in Oslo. xxx")
    assert len(summary_in(event)) == MAX_SUMMARY_CHARS


def test_excerpts_keep_the_users_words_longest():
    old = conversation().oldest_half()
    assert old is not None
    assert excerpt(old) == "User: my name is ada; Assistant: hello ada; User: i live in the town of oslo"
    assert excerpt(old, 60) == "User: my name is ada; User: i live in the town of oslo"
    assert excerpt(old, 40) == "User: i live in the town of oslo"


def test_a_conversation_that_was_not_heard_from_its_start_is_left_alone():
    it = Conversation(is_whole=False)
    talk(it, (1_000, "hear", " one"), (1_100, "hear", " two"), (1_200, "hear", " three"))
    assert it.oldest_half() is None


def test_talk_without_a_pause_is_cut_into_lines():
    it = Conversation()
    talk(it, *((turn, "hear", " word") for turn in range(600)))
    assert it.oldest_half() is not None


class Scribe:
    """Summarises, or breaks."""

    name = "scribe"
    package_policy = PackagePolicy()

    def __init__(self, *, is_broken: bool = False) -> None:
        self.is_broken = is_broken
        self.asked = ""

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        raise BackendError("only summaries")

    async def summarise(self, text: str, charge: Charge) -> str:
        self.asked = text
        charge(5)
        if self.is_broken:
            raise BackendError("The line is bad.")
        return "Ada lives in Oslo."

    async def close(self) -> None:
        pass


async def summarised(backend: object, old: OldText) -> str:
    async with desk(backend) as it:  # type: ignore[arg-type]
        return await it.coordinator.summarise("s", old)


async def test_the_backend_writes_it_and_never_sees_a_secret():
    it = conversation()
    talk(it, (150, "hear", " my password is hunter2 okay"), (400, "hear", " something else entirely that is long"))
    it.add_event(TextEvent(role=Role.USER, text="x" * 400), turn=500)
    it.add_event(TextEvent(role=Role.USER, text="y"), turn=600)
    old, scribe = it.oldest_half(), Scribe()
    assert old is not None
    assert await summarised(scribe, old) == "Ada lives in Oslo."
    assert "my password is [secret removed]" in scribe.asked
    assert "hunter2" not in scribe.asked


async def test_without_a_model_or_with_a_broken_one_there_are_excerpts():
    old = conversation().oldest_half()
    assert old is not None
    for backend in (ToolsBackend(), Scribe(is_broken=True)):
        assert await summarised(backend, old) == excerpt(old)


@pytest.mark.parametrize("is_broken", [False, True])
async def test_what_a_summary_took_is_charged_to_the_session(is_broken: bool):
    old = conversation().oldest_half()
    assert old is not None
    async with desk(Scribe(is_broken=is_broken), budget=BudgetLimits(max_tokens=5)) as it:
        await it.coordinator.summarise("s", old)
        it.act("ask 1: x")
        assert "used its five tokens" in (await it.result()).text


async def test_a_summary_ends_with_its_session():
    class Stalled(Scribe):
        async def summarise(self, text: str, charge: Charge) -> str:
            began.set()
            await asyncio.Event().wait()
            raise AssertionError

    old, began = conversation().oldest_half(), asyncio.Event()
    assert old is not None
    task = asyncio.create_task(summarised(Stalled(), old))
    await began.wait()
    task.cancel()
    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
