"""One response on the Realtime wire, from ``response.created`` to ``response.done``: it emits its own events."""

from typing import Any, Literal

from openai.types.realtime import (
    ConversationItem,
    RealtimeConversationItemAssistantMessage,
    RealtimeConversationItemFunctionCall,
    RealtimeResponse,
    RealtimeResponseStatus,
    RealtimeResponseUsage,
    ResponseAudioDeltaEvent,
    ResponseAudioDoneEvent,
    ResponseAudioTranscriptDeltaEvent,
    ResponseAudioTranscriptDoneEvent,
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseCreatedEvent,
    ResponseDoneEvent,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseTextDeltaEvent,
    ResponseTextDoneEvent,
)
from openai.types.realtime.realtime_conversation_item_assistant_message import Content
from openai.types.realtime.response_content_part_added_event import Part as AddedPart
from openai.types.realtime.response_content_part_done_event import Part as DonePart
from openai.types.shared.metadata import Metadata

from microturn.protocol.codec import to_base64
from microturn.server.realtime.conversation import Conversation, new_id
from microturn.server.realtime.settings import Modality
from microturn.server.wire import Wire

CancelReason = Literal["turn_detected", "client_cancelled"]


class Response:
    """A response that has begun.

    Args:
        modality: Whether its words go out as sound with a transcript, or as text.
        metadata: The client's own, returned as it came.
    """

    def __init__(
        self, wire: Wire[Any], conversation: Conversation, modality: Modality, metadata: Metadata | None = None
    ) -> None:
        self._wire = wire
        self._conversation = conversation
        self._modality: Modality = modality
        self._metadata = metadata
        self.response_id = new_id("resp")
        self._message_id: str | None = None
        self._words = ""
        self._usage: RealtimeResponseUsage | None = None
        self._outputs: list[ConversationItem] = []
        self._wire.send(
            ResponseCreatedEvent(
                type="response.created", event_id=wire.new_event_id(), response=self._resource("in_progress")
            )
        )

    @property
    def has_begun(self) -> bool:
        """Whether anything was said in it."""
        return self._message_id is not None

    @property
    def has_output(self) -> bool:
        """Whether it holds anything yet: speech, or a function call."""
        return self.has_begun or bool(self._outputs)

    def add_sound(self, encoded: bytes | None) -> None:
        """Send a stretch of speech; nothing in a response of text. None stands for what a track carries."""
        if self._modality != "audio":
            return
        where = self._where()
        if encoded is not None:
            self._wire.send(
                ResponseAudioDeltaEvent.model_validate(
                    {"type": "response.output_audio.delta", "delta": to_base64(encoded), **where}
                )
            )

    def add_words(self, words: str) -> None:
        """Send words of the speech."""
        where = self._where()
        self._words += words
        if self._modality == "audio":
            kind, event_type = "response.output_audio_transcript.delta", ResponseAudioTranscriptDeltaEvent
        else:
            kind, event_type = "response.output_text.delta", ResponseTextDeltaEvent
        self._wire.send(event_type.model_validate({"type": kind, "delta": words, **where}))

    def call(self, name: str, arguments: str, call_id: str) -> None:
        """Send a whole function call as an item of its own."""
        self._finish_message("completed")
        item = RealtimeConversationItemFunctionCall(
            id=new_id("item"),
            object="realtime.item",
            type="function_call",
            status="in_progress",
            name=name,
            arguments="",
            call_id=call_id,
        )
        self._add_item(item)
        done = item.model_copy(update={"status": "completed", "arguments": arguments})
        where = self._place(item.id or "", len(self._outputs))
        del where["content_index"]
        self._wire.send(
            ResponseFunctionCallArgumentsDeltaEvent.model_validate(
                {"type": "response.function_call_arguments.delta", "call_id": call_id, "delta": arguments, **where}
            )
        )
        self._wire.send(
            ResponseFunctionCallArgumentsDoneEvent.model_validate(
                {
                    "type": "response.function_call_arguments.done",
                    "call_id": call_id,
                    "name": name,
                    "arguments": arguments,
                    **self._place(item.id or "", len(self._outputs)),
                }
            )
        )
        self._finish_item(done)

    def finish(self, usage: RealtimeResponseUsage, cancelled: CancelReason | None = None) -> None:
        """Send the last events; the response takes nothing any more."""
        self._usage = usage
        self._finish_message("incomplete" if cancelled else "completed")
        self._wire.send(
            ResponseDoneEvent(
                type="response.done",
                event_id=self._wire.new_event_id(),
                response=self._resource("cancelled" if cancelled else "completed", cancelled),
            )
        )

    # Inside

    def _where(self) -> dict[str, object]:
        """Begin the spoken message if need be; the fields that say which part of which response a delta belongs to."""
        if self._message_id is None:
            self._message_id, self._words = new_id("item"), ""
            self._add_item(self._message("in_progress"))
            self._wire.send(
                ResponseContentPartAddedEvent.model_validate(
                    {
                        "type": "response.content_part.added",
                        "part": AddedPart(type=self._modality),
                        **self._place(self._message_id, len(self._outputs)),
                    }
                )
            )
        return self._place(self._message_id, len(self._outputs))

    def _finish_message(self, status: Literal["completed", "incomplete"]) -> None:
        if self._message_id is None:
            return
        where = self._place(self._message_id, len(self._outputs))
        if self._modality == "audio":
            self._wire.send(ResponseAudioDoneEvent.model_validate({"type": "response.output_audio.done", **where}))
            where["event_id"] = self._wire.new_event_id()
            self._wire.send(
                ResponseAudioTranscriptDoneEvent.model_validate(
                    {"type": "response.output_audio_transcript.done", "transcript": self._words.strip(), **where}
                )
            )
            part = DonePart(type="audio", transcript=self._words.strip())
        else:
            self._wire.send(
                ResponseTextDoneEvent.model_validate(
                    {"type": "response.output_text.done", "text": self._words.strip(), **where}
                )
            )
            part = DonePart(type="text", text=self._words.strip())
        where["event_id"] = self._wire.new_event_id()
        self._wire.send(
            ResponseContentPartDoneEvent.model_validate({"type": "response.content_part.done", "part": part, **where})
        )
        self._finish_item(self._message(status))
        self._message_id = None

    def _message(
        self, status: Literal["completed", "incomplete", "in_progress"]
    ) -> RealtimeConversationItemAssistantMessage:
        words = self._words.strip()
        if status == "in_progress":
            content: list[Content] = []
        elif self._modality == "audio":
            content = [Content(type="output_audio", transcript=words)]
        else:
            content = [Content(type="output_text", text=words)]
        return RealtimeConversationItemAssistantMessage(
            id=self._message_id,
            object="realtime.item",
            type="message",
            role="assistant",
            status=status,
            content=content,
        )

    def _add_item(self, item: ConversationItem) -> None:
        self._wire.send(
            ResponseOutputItemAddedEvent(
                type="response.output_item.added",
                event_id=self._wire.new_event_id(),
                response_id=self.response_id,
                output_index=len(self._outputs),
                item=item,
            )
        )
        self._conversation.add(item)

    def _finish_item(self, item: ConversationItem) -> None:
        self._wire.send(
            ResponseOutputItemDoneEvent(
                type="response.output_item.done",
                event_id=self._wire.new_event_id(),
                response_id=self.response_id,
                output_index=len(self._outputs),
                item=item,
            )
        )
        self._outputs.append(item)
        self._conversation.finish(item)

    def _place(self, item_id: str, output_index: int) -> dict[str, object]:
        return {
            "event_id": self._wire.new_event_id(),
            "response_id": self.response_id,
            "item_id": item_id,
            "output_index": output_index,
            "content_index": 0,
        }

    def _resource(
        self, status: Literal["in_progress", "completed", "cancelled"], reason: CancelReason | None = None
    ) -> RealtimeResponse:
        return RealtimeResponse(
            id=self.response_id,
            object="realtime.response",
            status=status,
            status_details=RealtimeResponseStatus(type="cancelled", reason=reason) if reason else None,
            output=list(self._outputs),
            output_modalities=[self._modality],
            metadata=self._metadata,
            usage=self._usage,
        )
