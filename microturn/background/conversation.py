"""The running record of a conversation, from which each request's context is taken."""

from collections import deque
from dataclasses import dataclass

from microturn.background.summaries import (
    ENTERS_WITHIN_TURNS,
    MAX_INSTRUCTION_CHARS,
    OldLine,
    OldText,
    summary_in,
)
from microturn.turns.background import Act, BackgroundRequest, Speaker, Utterance
from microturn.turns.micro_turn import MicroTurnOutput, Role, TextEvent
from microturn.turns.timing import HEAR_LAG_MS, TEXT_LEAD_MS, TURN_MS, turn_of_ms, turn_start_ms
from microturn.turns.video import VideoFrame

MAX_UTTERANCES = 2_000
"""The oldest are forgotten; some hours of talk."""
MAX_EVENTS = 500
MAX_FRAMES = 4
FRAME_EVERY_MS = 5_000
"""At most one picture is kept in so much media time, besides the latest."""
UTTERANCE_GAP_MS = 1_200
"""A longer silence of the same side begins a new utterance."""
MAX_UTTERANCE_MS = 30_000
"""So does talk without a pause."""
_NAMES = {Speaker.USER: "User", Speaker.MODEL: "Assistant"}
_LEAD_TURNS = (TEXT_LEAD_MS + TURN_MS) // TURN_MS
"""By so much the tokens of the model's words come before their sound."""


@dataclass(frozen=True, slots=True)
class _LatestWords:
    """The model's latest words, which may still be taken back."""

    turn: int
    before: Utterance | None
    """What they go on with."""


class Conversation:
    """Who said what when, with typed text and recent pictures. Bounded; fed one micro-turn at a time.

    Args:
        is_whole: It was heard from its start. If not, nothing is summarised: the text that a summary would drop is not
            known here.
    """

    def __init__(self, *, is_whole: bool = True) -> None:
        self._is_whole = is_whole
        self._utterances: deque[Utterance] = deque(maxlen=MAX_UTTERANCES)
        self._open: dict[Speaker, Utterance] = {}
        self._events: deque[tuple[int, TextEvent]] = deque(maxlen=MAX_EVENTS)
        self._instructions: list[str] = []
        self._summary = ""
        self._summarised_before_turn = 0
        self._summary_end_turn = 0
        self._latest_words: _LatestWords | None = None
        self._was_speaking = False
        self._frames: deque[VideoFrame] = deque(maxlen=MAX_FRAMES)
        self._latest_frame: VideoFrame | None = None

    def add_output(self, output: MicroTurnOutput) -> None:
        """Take in what one micro-turn heard and said."""
        start_ms = turn_start_ms(output.index)
        if output.hear:
            self._extend(Speaker.USER, output.hear, max(0, start_ms - HEAR_LAG_MS))
        if output.is_clear:
            self._withdraw(output.index)
        if output.say:
            starts = output.is_speaking and not self._was_speaking
            before = self._open.get(Speaker.MODEL)
            # The text leads its sound, which is played one micro-turn after the turn that made it.
            is_new = self._extend(Speaker.MODEL, output.say, start_ms + TEXT_LEAD_MS + TURN_MS)
            self._latest_words = None if starts else _LatestWords(output.index, None if is_new else before)
        self._was_speaking = output.is_speaking

    def add_event(self, event: TextEvent, *, turn: int) -> None:
        """Take in a text that the interaction model was given, not before a micro-turn."""
        if event.drop_before_turn is not None:
            self._summary, self._summarised_before_turn = summary_in(event), event.drop_before_turn
            self._summary_end_turn = turn + ENTERS_WITHIN_TURNS
            return
        if event.role is Role.SYSTEM:
            self._instructions.append(event.text)
        self._events.append((turn, event))

    def add_frame(self, frame: VideoFrame) -> None:
        """Take in a picture; most are dropped again."""
        self._latest_frame = frame
        if not self._frames or frame.time_ms - self._frames[-1].time_ms >= FRAME_EVERY_MS:
            self._frames.append(frame)

    def request(self, session_id: str, act: Act, time_ms: int, *, traceparent: str = "") -> BackgroundRequest:
        """An act with everything that was said until now."""
        frames = list(self._frames)
        if self._latest_frame is not None and (not frames or frames[-1] is not self._latest_frame):
            frames = [*frames[-(MAX_FRAMES - 1) :], self._latest_frame]
        return BackgroundRequest(
            session_id=session_id,
            act=act,
            time_ms=time_ms,
            conversation=tuple(sorted([*self._utterances, *self._open.values()], key=lambda each: each.start_ms)),
            events=tuple(event for _, event in self._events),
            key_frames=tuple(frames),
            traceparent=traceparent,
        )

    def oldest_half(self) -> OldText | None:
        """The older half of the text that no summary stands for yet; None while there is too little to halve.

        It reaches beyond the place where the last summary stands, so that the next one takes that one's place.
        """
        if not self._is_whole:
            return None
        lines = [line for line in self._lines() if line.turn >= self._summarised_before_turn]
        half, count = sum(len(line.text) for line in lines) / 2, 0
        for place, line in enumerate(lines[:-1], start=1):
            count += len(line.text)
            drop_before_turn = lines[place].turn
            if count >= half and drop_before_turn > max(self._summarised_before_turn, self._summary_end_turn):
                return OldText(
                    lines=tuple(lines[:place]),
                    drop_before_turn=drop_before_turn,
                    previous=self._summary,
                    instructions=self._kept_instructions(),
                )
        return None

    def _kept_instructions(self) -> str:
        """The latest whole, as far as there is room; then the beginning of the one before them."""
        kept: list[str] = []
        room = MAX_INSTRUCTION_CHARS
        for text in reversed(self._instructions):
            kept.insert(0, text[:room])
            room -= len(kept[0]) + 1
            if room <= 0:
                break
        return " ".join(kept)

    def _lines(self) -> list[OldLine]:
        """Everything said, typed and reported, by its first token."""
        said = [
            OldLine(
                turn=max(0, turn_of_ms(each.start_ms) - (0 if each.speaker is Speaker.USER else _LEAD_TURNS)),
                text=f"{_NAMES[each.speaker]}: {each.text}",
                is_user=each.speaker is Speaker.USER,
            )
            for each in (*self._utterances, *self._open.values())
        ]
        given = [
            OldLine(
                turn=turn,
                text=f"{'User typed' if event.role is Role.USER else 'Reported'}: {event.text}",
                is_user=event.role is Role.USER,
            )
            for turn, event in self._events
            if event.role is not Role.SYSTEM  # instructions are carried on whole
        ]
        return sorted([*said, *given], key=lambda line: line.turn)

    def _withdraw(self, turn: int) -> None:
        """Speech that was not played is dropped: words whose sound was to begin after this turn were never said.

        Those are the words of the turn before, whose sound comes with the next, unless both started together.
        """
        latest, self._latest_words = self._latest_words, None
        self._was_speaking = False
        if latest is None or latest.turn != turn - 1:
            return
        if latest.before is None:
            del self._open[Speaker.MODEL]
        else:
            self._open[Speaker.MODEL] = latest.before

    def _extend(self, speaker: Speaker, words: str, start_ms: int) -> bool:
        """Add words to the utterance that is open; True if they begin another."""
        end_ms = start_ms + TURN_MS
        last = self._open.get(speaker)
        is_long = last is not None and end_ms - last.start_ms > MAX_UTTERANCE_MS
        if last is not None and not is_long and start_ms - last.end_ms <= UTTERANCE_GAP_MS:
            self._open[speaker] = Utterance(
                speaker=speaker, text=last.text + words, start_ms=last.start_ms, end_ms=end_ms
            )
            return False
        if last is not None:
            self._utterances.append(last)
        self._open[speaker] = Utterance(speaker=speaker, text=words.strip(), start_ms=start_ms, end_ms=end_ms)
        return True
