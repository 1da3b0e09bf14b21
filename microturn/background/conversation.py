"""The running record of a conversation, from which each request's context is taken."""

from collections import deque

from microturn.turns.background import Act, BackgroundRequest, Speaker, Utterance
from microturn.turns.micro_turn import MicroTurnOutput, TextEvent
from microturn.turns.timing import HEAR_LAG_MS, TEXT_LEAD_MS, TURN_MS, turn_start_ms
from microturn.turns.video import VideoFrame

MAX_UTTERANCES = 2_000
"""The oldest are forgotten; some hours of talk."""
MAX_EVENTS = 500
MAX_FRAMES = 4
FRAME_EVERY_MS = 5_000
"""At most one picture is kept in so much media time, besides the latest."""
UTTERANCE_GAP_MS = 1_200
"""A longer silence of the same side begins a new utterance."""


class Conversation:
    """Who said what when, with typed text and recent pictures. Bounded; fed one micro-turn at a time."""

    def __init__(self) -> None:
        self._utterances: deque[Utterance] = deque(maxlen=MAX_UTTERANCES)
        self._open: dict[Speaker, Utterance] = {}
        self._events: deque[TextEvent] = deque(maxlen=MAX_EVENTS)
        self._frames: deque[VideoFrame] = deque(maxlen=MAX_FRAMES)
        self._latest_frame: VideoFrame | None = None

    def add_output(self, output: MicroTurnOutput) -> None:
        """Take in what one micro-turn heard and said."""
        start_ms = turn_start_ms(output.index)
        if output.hear:
            self._extend(Speaker.USER, output.hear, max(0, start_ms - HEAR_LAG_MS))
        if output.say:
            # The text leads its sound, which is played one micro-turn after the turn that made it.
            self._extend(Speaker.MODEL, output.say, start_ms + TEXT_LEAD_MS + TURN_MS)

    def add_event(self, event: TextEvent) -> None:
        """Take in a text that the interaction model was given."""
        self._events.append(event)

    def add_frame(self, frame: VideoFrame) -> None:
        """Take in a picture; most are dropped again."""
        self._latest_frame = frame
        if not self._frames or frame.time_ms - self._frames[-1].time_ms >= FRAME_EVERY_MS:
            self._frames.append(frame)

    def request(self, session_id: str, act: Act, time_ms: int) -> BackgroundRequest:
        """An act with everything that was said until now."""
        frames = list(self._frames)
        if self._latest_frame is not None and (not frames or frames[-1] is not self._latest_frame):
            frames = [*frames[-(MAX_FRAMES - 1) :], self._latest_frame]
        return BackgroundRequest(
            session_id=session_id,
            act=act,
            time_ms=time_ms,
            conversation=tuple(sorted([*self._utterances, *self._open.values()], key=lambda each: each.start_ms)),
            events=tuple(self._events),
            key_frames=tuple(frames),
        )

    def _extend(self, speaker: Speaker, words: str, start_ms: int) -> None:
        end_ms = start_ms + TURN_MS
        last = self._open.get(speaker)
        if last is not None and start_ms - last.end_ms <= UTTERANCE_GAP_MS:
            self._open[speaker] = Utterance(
                speaker=speaker, text=last.text + words, start_ms=last.start_ms, end_ms=end_ms
            )
            return
        if last is not None:
            self._utterances.append(last)
        self._open[speaker] = Utterance(speaker=speaker, text=words.strip(), start_ms=start_ms, end_ms=end_ms)
