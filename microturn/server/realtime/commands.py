"""What a Realtime client asks for, carried out: sound, texts and pictures to the engine, answers back."""

import asyncio
import contextlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openai.types.realtime import (
    ConversationItem,
    ConversationItemCreateEvent,
    ConversationItemDeletedEvent,
    ConversationItemDeleteEvent,
    ConversationItemRetrieveEvent,
    ConversationItemTruncatedEvent,
    ConversationItemTruncateEvent,
    InputAudioBufferAppendEvent,
    InputAudioBufferClearedEvent,
    InputAudioBufferClearEvent,
    InputAudioBufferCommitEvent,
    OutputAudioBufferClearEvent,
    RealtimeConversationItemAssistantMessage,
    RealtimeConversationItemFunctionCallOutput,
    RealtimeConversationItemSystemMessage,
    RealtimeConversationItemUserMessage,
    ResponseCancelEvent,
    ResponseCreateEvent,
    SessionUpdatedEvent,
    SessionUpdateEvent,
)
from openai.types.realtime.realtime_server_event import ConversationItemRetrieved

from microturn.background.functions import Application
from microturn.clock import Clock
from microturn.errors import CapacityError, ProtocolError
from microturn.protocol.codec import AudioCodec
from microturn.protocol.realtime import RealtimeClientEvent
from microturn.server.background_engine import BackgroundEngineSession
from microturn.server.delegation.owner import client_report
from microturn.server.engine_port import EngineSession
from microturn.server.function_calls import functions_of
from microturn.server.ingest import AudioIngest, FrameIngest
from microturn.server.limits import Limits
from microturn.server.realtime.conversation import Conversation, new_id
from microturn.server.realtime.responses import Responses
from microturn.server.realtime.settings import RealtimeSettings
from microturn.server.realtime.user_turns import UserTurns
from microturn.server.wire import Wire
from microturn.turns.background import ReportKind
from microturn.turns.micro_turn import Role, TextEvent
from microturn.turns.timing import TURN_MS, ms_of_ns, ns_of_ms
from microturn.turns.video import VideoFrame

TRACK_CODEC = AudioCodec(encoding="audio/pcm", rate_hz=48_000)
"""How sound comes from a track, whatever was negotiated."""
_SILENCE_AFTER_MS = 2 * TURN_MS
"""When no sound has come for so long, silence stands for it: a turn-based client need not stream all the time."""


class Commands:
    """The client's side of a Realtime session."""

    def __init__(
        self,
        wire: Wire[Any],
        engine_session: EngineSession,
        settings: RealtimeSettings,
        limits: Limits,
        clock: Clock,
        conversation: Conversation,
        user_turns: UserTurns,
        responses: Responses,
        *,
        session_id: str,
        expires_at_s: int,
        has_track: bool = False,
    ) -> None:
        self._wire = wire
        self._engine_session = engine_session
        self._background = engine_session if isinstance(engine_session, BackgroundEngineSession) else None
        self._settings = settings
        self._limits = limits
        self._clock = clock
        self._conversation = conversation
        self._user_turns = user_turns
        self._responses = responses
        self._session_id = session_id
        self._expires_at_s = expires_at_s
        self._has_track = has_track
        codec = TRACK_CODEC if has_track else settings.input_codec
        self.audio = AudioIngest(codec, limits, first_sample=engine_session.next_sample)
        self._audio_came = asyncio.Event()
        self._silent_ns = clock.now_ns() + ns_of_ms(_SILENCE_AFTER_MS)
        """When silence stands in, unless sound comes first."""
        self.frames = FrameIngest(limits)
        # A few pictures wait while one is decoded; more are refused.
        self._undecoded: asyncio.Queue[str] = asyncio.Queue(4)
        self._equip()

    async def carry_out(self, event: RealtimeClientEvent) -> None:
        """Do what one event asks for.

        Raises:
            ProtocolError: it cannot be done.
        """
        match event:
            case InputAudioBufferAppendEvent():
                await self._hear_message(event.audio)
            case SessionUpdateEvent():
                self._update(event)
            case ConversationItemCreateEvent():
                await self._create_item(event)
            case ResponseCreateEvent():
                self._create_response(event)
            case ResponseCancelEvent():
                self._cancel(event)
            case OutputAudioBufferClearEvent():
                self._responses.clear()
            case InputAudioBufferCommitEvent():
                self._user_turns.commit()
            case InputAudioBufferClearEvent():
                # The model has heard it already; the client only wants to know that nothing of it waits.
                self._wire.send(
                    InputAudioBufferClearedEvent(type="input_audio_buffer.cleared", event_id=self._wire.new_event_id())
                )
            case _:
                self._tend_items(event)

    async def feed(self) -> None:
        """Hand sound on to the engine, each chunk in its time, and silence when none comes; for ever."""
        while True:
            self._audio_came.clear()
            now_ns = self._clock.now_ns()
            if now_ns >= self._silent_ns and not self.audio.held_ms:
                self.audio.fill_turn()
                self._silent_ns = now_ns + ns_of_ms(TURN_MS)
            while chunk := self.audio.take(now_ns):
                self._engine_session.push_audio(chunk)
            wait_ms = self.audio.wait_ms()
            if wait_ms is None:
                wait_ms = max(0.0, ms_of_ns(self._silent_ns - now_ns))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_ms / 1000):
                    await self._audio_came.wait()

    async def look(self) -> None:
        """Decode pictures, one at a time and off the event loop."""
        while True:
            image = await self._undecoded.get()
            try:
                frame = await self.frames.decode(image, self.audio.media_ms)
            except ProtocolError as error:
                self._wire.refuse(error)
            else:
                self._engine_session.push_frame(frame)

    async def hear(self, samples: NDArray[np.float32]) -> None:
        """Take in decoded sound (num_samples,) at the rate of the track.

        Raises:
            ProtocolError: too far ahead of real time.
        """
        await self.audio.accept_samples(samples, self._note_sound)

    def see(self, frame: VideoFrame) -> None:
        """Hand a picture to the engine."""
        self._engine_session.push_frame(frame)

    def object_to(self, error: ProtocolError) -> None:
        """Tell the client what is wrong with its sound or pictures."""
        self._wire.refuse(error)

    # Inside

    async def _hear_message(self, audio_base64: str) -> None:
        if self._has_track:
            raise ProtocolError(
                "this session hears its audio track: send sound there", code="unsupported", param="type"
            )
        await self.audio.accept(audio_base64, self._note_sound)

    def _note_sound(self, samples: NDArray[np.float32]) -> None:
        self._silent_ns = self._clock.now_ns() + ns_of_ms(_SILENCE_AFTER_MS)
        self._audio_came.set()

    def _update(self, event: SessionUpdateEvent) -> None:
        updated = self._settings.updated(event, self._limits)
        if updated.instructions and updated.instructions != self._settings.instructions:
            self._push_text(Role.SYSTEM, updated.instructions)  # Refused, it leaves the settings as they are.
        self._settings = updated
        if not self._has_track:
            self.audio.change_codec(self._settings.input_codec)
        self._responses.change_settings(self._settings)
        self._engine_session.restrain(self._settings.restraint)
        self._equip()
        self._wire.send(
            SessionUpdatedEvent(
                type="session.updated",
                event_id=self._wire.new_event_id(),
                session=self._settings.resource(self._session_id, self._expires_at_s),
            )
        )

    def _equip(self) -> None:
        """Let the background know of the client's functions."""
        if self._background is not None:
            self._background.equip(Application(functions=functions_of(self._settings.tools)))

    async def _create_item(self, event: ConversationItemCreateEvent) -> None:
        item = self._with_id(event.item)
        match item:
            case RealtimeConversationItemUserMessage():
                await self._take_in_user(item)
            case RealtimeConversationItemSystemMessage():
                self._push_text(Role.SYSTEM, _text_of(item.content))
            case RealtimeConversationItemAssistantMessage():
                self._push_text(Role.SYSTEM, f"you said: {_text_of(item.content)}")
            case RealtimeConversationItemFunctionCallOutput():
                self._answer(item)
            case _:
                raise ProtocolError(
                    f"items of type {item.type!r} cannot be created here: send messages or function outputs",
                    code="unsupported",
                    param="item.type",
                )
        self._conversation.add(item)
        self._conversation.finish(item)

    def _with_id(self, item: ConversationItem) -> ConversationItem:
        return item.model_copy(
            update={"id": item.id or new_id("item"), "object": "realtime.item", "status": "completed"}
        )

    async def _take_in_user(self, item: RealtimeConversationItemUserMessage) -> None:
        if text := _text_of(item.content):
            self._push_text(Role.USER, text)
        for part in item.content:
            if part.type == "input_audio" and part.audio:
                await self._hear_message(part.audio)
            elif part.type == "input_image" and part.image_url:
                head, _, image = part.image_url.partition(",")
                if not (head.startswith("data:image/") and head.endswith(";base64")):
                    raise ProtocolError(
                        "pictures are taken from data URLs only: send data:image/jpeg;base64,…",
                        code="invalid_image",
                        param="item.content.image_url",
                    )
                try:
                    self._undecoded.put_nowait(image)
                except asyncio.QueueFull:
                    raise ProtocolError(
                        "several pictures wait already: send more later", code="too_many_images", param="item.content"
                    ) from None

    def _answer(self, item: RealtimeConversationItemFunctionCallOutput) -> None:
        output = item.output[: self._limits.max_context_chars]
        job = self._responses.job_of(item.call_id)
        if job is None and self._background is not None and self._background.give_output(item.call_id, output):
            return
        if job is None:
            raise ProtocolError(
                f"no function call has the id {item.call_id[:60]!r}, or it was answered: use a call_id of ours",
                code="unknown_call",
                param="item.call_id",
            )
        report = client_report(ReportKind.DONE, job, output)
        self._push_text(Role.TOOL, str(report))  # Refused, it leaves the call for another try.
        self._responses.forget_call(item.call_id)

    def _create_response(self, event: ResponseCreateEvent) -> None:
        wanted = event.response
        if wanted and wanted.instructions:
            self._push_text(Role.SYSTEM, wanted.instructions)
        self._user_turns.stop()
        self._responses.request(wanted.metadata if wanted else None)

    def _cancel(self, event: ResponseCancelEvent) -> None:
        if not self._responses.is_active:
            raise ProtocolError(
                "no response is in progress: there is nothing to cancel", code="response_cancel_not_active"
            )
        self._responses.cancel()

    def _tend_items(
        self, event: ConversationItemDeleteEvent | ConversationItemRetrieveEvent | ConversationItemTruncateEvent
    ) -> None:
        item = self._conversation.find(event.item_id)
        event_id = self._wire.new_event_id()
        if isinstance(event, ConversationItemRetrieveEvent):
            self._wire.send(ConversationItemRetrieved(type="conversation.item.retrieved", event_id=event_id, item=item))
        elif isinstance(event, ConversationItemDeleteEvent):
            self._conversation.forget(event.item_id)
            self._wire.send(
                ConversationItemDeletedEvent(type="conversation.item.deleted", event_id=event_id, item_id=event.item_id)
            )
        else:
            self._wire.send(
                ConversationItemTruncatedEvent(
                    type="conversation.item.truncated",
                    event_id=event_id,
                    item_id=event.item_id,
                    content_index=event.content_index,
                    audio_end_ms=event.audio_end_ms,
                )
            )

    def _push_text(self, role: Role, text: str) -> None:
        try:
            self._engine_session.push_text(TextEvent(role=role, text=text))
        except (CapacityError, ValueError) as error:
            raise ProtocolError(str(error), code="text_refused") from None


def _text_of(parts: list[Any]) -> str:
    """The words of a message's parts, typed or transcribed."""
    words = [getattr(part, "text", None) or getattr(part, "transcript", None) or "" for part in parts]
    return " ".join(word for word in words if word).strip()
