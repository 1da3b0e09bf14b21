"""Turns of the user for turn-based clients, drawn from what the model hears.

Realtime clients expect ``speech_started`` and ``speech_stopped``, which OpenAI's servers take from a voice activity
detector. Here they follow from the words: a turn starts with the first word heard, and ends once none has come for
``STOP_AFTER_TURNS``, or the model begins to speak.
"""

from typing import Any

from openai.types.realtime import (
    ConversationItemInputAudioTranscriptionCompletedEvent,
    ConversationItemInputAudioTranscriptionDeltaEvent,
    InputAudioBufferCommittedEvent,
    InputAudioBufferSpeechStartedEvent,
    InputAudioBufferSpeechStoppedEvent,
    RealtimeConversationItemUserMessage,
)
from openai.types.realtime.conversation_item_input_audio_transcription_completed_event import (
    UsageTranscriptTextUsageDuration,
)
from openai.types.realtime.realtime_conversation_item_user_message import Content

from microturn.server.realtime.conversation import Conversation, new_id
from microturn.server.wire import Wire
from microturn.turns.timing import HEAR_LAG_MS, TURN_MS, turn_start_ms

STOP_AFTER_TURNS = 4
_WORD_MS = 400
"""About the length of a first word: its text comes when it has ended."""


class UserTurns:
    """Tells the client when the user speaks, and what was understood."""

    def __init__(self, wire: Wire[Any], conversation: Conversation) -> None:
        self._wire = wire
        self._conversation = conversation
        self._item_id: str | None = None
        self._transcript = ""
        self._start_ms = 0
        self._last_word_turn = 0

    def hear(self, turn: int, words: str) -> None:
        """Take in what the model heard in a micro-turn; '' for nothing."""
        if words:
            if self._item_id is None:
                self._start(turn)
            self._last_word_turn = turn
            self._transcript += words
            self._wire.send(
                ConversationItemInputAudioTranscriptionDeltaEvent(
                    type="conversation.item.input_audio_transcription.delta",
                    event_id=self._wire.new_event_id(),
                    item_id=self._item_id or "",
                    content_index=0,
                    delta=words,
                )
            )
        elif self._item_id is not None and turn - self._last_word_turn >= STOP_AFTER_TURNS:
            self.stop()

    def stop(self) -> None:
        """End the user's turn, if there is one."""
        if self._item_id is None:
            return
        self._wire.send(
            InputAudioBufferSpeechStoppedEvent(
                type="input_audio_buffer.speech_stopped",
                event_id=self._wire.new_event_id(),
                item_id=self._item_id,
                audio_end_ms=self._end_ms,
            )
        )
        self._commit(self._item_id)

    def commit(self) -> None:
        """End the user's turn because the client says so; one without words is announced as well."""
        if self._item_id is None:
            self._commit(new_id("item"))
        else:
            self.stop()

    @property
    def _end_ms(self) -> int:
        return max(self._start_ms, turn_start_ms(self._last_word_turn) - HEAR_LAG_MS + TURN_MS)

    def _start(self, turn: int) -> None:
        self._item_id, self._transcript = new_id("item"), ""
        self._start_ms = max(0, turn_start_ms(turn) - HEAR_LAG_MS - _WORD_MS)
        self._wire.send(
            InputAudioBufferSpeechStartedEvent(
                type="input_audio_buffer.speech_started",
                event_id=self._wire.new_event_id(),
                item_id=self._item_id,
                audio_start_ms=self._start_ms,
            )
        )

    def _commit(self, item_id: str) -> None:
        transcript = self._transcript.strip()
        item = RealtimeConversationItemUserMessage(
            id=item_id,
            object="realtime.item",
            type="message",
            role="user",
            status="completed",
            content=[Content(type="input_audio", transcript=transcript)],
        )
        committed = InputAudioBufferCommittedEvent(
            type="input_audio_buffer.committed",
            event_id=self._wire.new_event_id(),
            item_id=item_id,
            previous_item_id=self._conversation.last_id,
        )
        self._wire.send(committed)
        self._conversation.add(item)
        self._conversation.finish(item)
        self._wire.send(
            ConversationItemInputAudioTranscriptionCompletedEvent(
                type="conversation.item.input_audio_transcription.completed",
                event_id=self._wire.new_event_id(),
                item_id=item_id,
                content_index=0,
                transcript=transcript,
                usage=UsageTranscriptTextUsageDuration(
                    type="duration", seconds=(self._end_ms - self._start_ms) / 1000 if transcript else 0.0
                ),
            )
        )
        self._item_id, self._transcript = None, ""
