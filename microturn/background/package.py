"""The context package: all that a backend is given for one job, as text and pictures, cut to fit its window.

**Trimming policy**, in this order, until the text fits: (1) the oldest earlier results go, (2) the oldest texts that
were typed or given go, (3) the oldest utterances go, down to the last few, (4) what is left of utterances is shortened,
each at its end. The ask with its corrections and what was done for it, the time and the place always stay. Whatever
goes is counted in a line that stands in its place, so that a backend knows what it does not see.
"""

import datetime
import math
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass

from microturn.background.secrets import Redactor
from microturn.turns.background import BackgroundRequest, Speaker, Utterance, parse_report
from microturn.turns.micro_turn import Role, TextEvent
from microturn.turns.video import VideoFrame

CHARS_PER_TOKEN = 3
"""Low for English, where a token holds four: an estimate that errs towards fitting."""
MIN_KEPT_UTTERANCES = 4
MAX_DEEDS = 16
"""Of what was done for a question before it was corrected, the latest are told."""
MAX_DEED_CHARS = 200
_SHORTENED_CHARS = 160
_NAMES = {Speaker.USER: "User", Speaker.MODEL: "Assistant"}
_EVENT_NAMES = {Role.USER: "User typed", Role.SYSTEM: "Note", Role.TOOL: "Tool reported"}


@dataclass(frozen=True, kw_only=True, slots=True)
class PackagePolicy:
    """How large a context package may be."""

    max_tokens: int = 6_000
    """Of its text, estimated."""
    max_images: int = 4
    """The latest are kept. 0 for a backend that cannot see."""
    max_result_chars: int = 1_500
    """Of one earlier result; the rest of it is cut off."""
    takes_instructions: bool = False
    """Whether what the client's application instructs is followed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierResult:
    """What an earlier job of the session found out."""

    job: int
    question: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """Where and when the user is."""

    now: datetime.datetime
    """With its time zone."""
    locale: str = "en"


@dataclass(frozen=True, kw_only=True, slots=True)
class ContextPackage:
    """What a backend is given."""

    question: str
    """What is asked, with its corrections."""
    text: str
    """The whole package as text: the question, then the circumstances."""
    images: tuple[VideoFrame, ...]
    """Recent pictures, oldest first."""
    instructions: str = ""
    """Of the client's application, for whoever answers."""
    num_left_out: int
    """Utterances, texts and results that did not fit."""

    @property
    def num_tokens(self) -> int:
        """The estimated size of the text."""
        return estimated_tokens(self.text)


def estimated_tokens(text: str) -> int:
    """About how many tokens a text takes, rather too many than too few."""
    return math.ceil(len(text) / CHARS_PER_TOKEN)


def build_package(
    request: BackgroundRequest,
    *,
    question: str,
    deeds: Sequence[str] = (),
    earlier_answer: str = "",
    results: Sequence[EarlierResult] = (),
    surroundings: Surroundings,
    policy: PackagePolicy | None = None,
    redactor: Redactor | None = None,
    instructions: str = "",
) -> ContextPackage:
    """Everything that is known about a request, within the policy.

    Args:
        request: Holds the conversation.
        question: The ask with its amendments.
        deeds: What was changed for it before, oldest first, so that it is not done twice.
        earlier_answer: What was answered before the last amendment.
        results: Of earlier jobs, oldest first.
        redactor: Removes secrets from every text.
        instructions: Of the client's application.
    """
    policy = policy or PackagePolicy()
    clean = (redactor or Redactor()).clean
    question = clean(question)
    parts = _Parts(
        head=_head(question, clean(_done_so_far(deeds, earlier_answer, policy.max_result_chars)), surroundings),
        results=[clean(_result_line(result, policy.max_result_chars)) for result in results],
        events=[clean(f"{_EVENT_NAMES[event.role]}: {event.text}") for event in _told_apart(request.events)],
        utterances=[clean(line) for line in _utterance_lines(request.conversation)],
    )
    parts.trim(policy.max_tokens)
    images = request.key_frames[-policy.max_images :] if policy.max_images else ()
    return ContextPackage(
        question=question,
        text=parts.text(),
        images=images,
        instructions=clean(instructions) if policy.takes_instructions else "",
        num_left_out=parts.num_left_out,
    )


class _Parts:
    """The lines of a package under trimming."""

    def __init__(self, head: str, results: list[str], events: list[str], utterances: list[str]) -> None:
        self._head = head
        self._sections = {
            "Earlier results": results,
            "Texts so far": events,
            "Conversation so far": utterances,
        }
        self._left_out = dict.fromkeys(self._sections, 0)

    @property
    def num_left_out(self) -> int:
        return sum(self._left_out.values())

    def trim(self, max_tokens: int) -> None:
        """Give up what the policy gives up, in its order, until the text fits or only the head is left."""
        keeps = {"Earlier results": 0, "Texts so far": 0, "Conversation so far": MIN_KEPT_UTTERANCES}
        for name, num_kept in keeps.items():
            lines = self._sections[name]
            while len(lines) > num_kept and not self._fits(max_tokens):
                # By halves of what is too much: long sessions hold thousands of lines.
                excess = estimated_tokens(self.text()) - max_tokens
                self._drop_oldest(name, min(len(lines) - num_kept, _num_covering(lines, excess)))
        if not self._fits(max_tokens):
            lines = self._sections["Conversation so far"]
            lines[:] = [_shortened(line, _SHORTENED_CHARS) for line in lines]
        while self._sections["Conversation so far"] and not self._fits(max_tokens):
            self._drop_oldest("Conversation so far", 1)

    def text(self) -> str:
        blocks = [self._head]
        for name, lines in self._sections.items():
            left_out = self._left_out[name]
            note = [f"[{left_out} earlier left out]"] if left_out else []
            if lines or note:
                blocks.append("\n".join([f"## {name}", *note, *lines]))
        return "\n\n".join(blocks)

    def _fits(self, max_tokens: int) -> bool:
        return estimated_tokens(self.text()) <= max_tokens

    def _drop_oldest(self, name: str, count: int) -> None:
        del self._sections[name][:count]
        self._left_out[name] += count


def _num_covering(lines: Sequence[str], tokens: int) -> int:
    """How many lines from the start on make up so many tokens; at least one."""
    chars = tokens * CHARS_PER_TOKEN
    for count, line in enumerate(lines, start=1):
        chars -= len(line) + 1
        if chars <= 0:
            return count
    return max(1, len(lines))


def _head(question: str, done: str, surroundings: Surroundings) -> str:
    now = surroundings.now.strftime("%A %d %B %Y, %H:%M %Z").strip()
    zone = surroundings.now.tzinfo
    named = f" in {zone.key}" if isinstance(zone, zoneinfo.ZoneInfo) else ""
    where = f"It is {now}{named}. The user's locale is {surroundings.locale}."
    return "\n\n".join(block for block in (f"## Question\n{question}", done, where) if block)


def _done_so_far(deeds: Sequence[str], earlier_answer: str, max_answer_chars: int) -> str:
    """What a corrected question has led to already; empty for a new one."""
    lines = [f"- {_shortened(deed, MAX_DEED_CHARS)}" for deed in deeds[-MAX_DEEDS:]]
    if lines:
        lines.insert(0, "Already done for this question; do not do it again unless the correction asks for it:")
    if len(deeds) > MAX_DEEDS:
        lines.insert(1, f"[{len(deeds) - MAX_DEEDS} earlier left out]")
    if earlier_answer:
        lines.append(f"Already answered before the correction: {_shortened(earlier_answer, max_answer_chars)}")
    return "\n".join(lines)


def _result_line(result: EarlierResult, max_chars: int) -> str:
    return f"{result.job}. {result.question} -> {_shortened(result.text, max_chars)}"


def _shortened(text: str, max_chars: int) -> str:
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"


def _told_apart(events: Sequence[TextEvent]) -> list[TextEvent]:
    """Without reports of jobs, which the earlier results hold."""
    return [event for event in events if event.role is not Role.TOOL or not _is_report(event.text)]


def _is_report(text: str) -> bool:
    try:
        parse_report(text)
    except ValueError:
        return False
    return True


def _utterance_lines(conversation: Sequence[Utterance]) -> list[str]:
    """Each utterance with its time, and whether it cut into the other side's."""
    lines: list[str] = []
    last_end_ms = {Speaker.USER: -1, Speaker.MODEL: -1}
    for utterance in conversation:
        other = Speaker.MODEL if utterance.speaker is Speaker.USER else Speaker.USER
        overlaps = ", interrupting" if utterance.start_ms < last_end_ms[other] else ""
        stamp = f"{utterance.start_ms / 1000:.1f}-{utterance.end_ms / 1000:.1f} s{overlaps}"
        lines.append(f"[{stamp}] {_NAMES[utterance.speaker]}: {utterance.text}")
        last_end_ms[utterance.speaker] = max(last_end_ms[utterance.speaker], utterance.end_ms)
    return lines
