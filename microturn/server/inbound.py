"""What the client asks for during a session, carried out: sound, text and pictures to the engine, answers back."""

import asyncio
import contextlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from openai.types.live import (
    CommentaryAppendedEvent,
    CommentaryAppendEvent,
    ForkSessionStartEvent,
    InputAudioAppendEvent,
    InputAudioMutedEvent,
    InputAudioMuteEvent,
    InputAudioUnmutedEvent,
    InputAudioUnmuteEvent,
    InstructionsAppendedEvent,
    InstructionsAppendEvent,
    ResponseCreateEvent,
    ResponseItemCreateEvent,
    SessionCloseEvent,
    SessionStartEvent,
    SessionUpdatedEvent,
    SessionUpdateEvent,
    ThinkingAppendedEvent,
)
from openai.types.live.session_resource import DelegationResponses

from microturn.clock import Clock
from microturn.errors import CapacityError, ProtocolError, SessionClosedError
from microturn.protocol.extensions import (
    CameraFrameEvent,
    EagernessUpdateEvent,
    ExtensionsEnabledEvent,
    ExtensionsEnableEvent,
    JobDecideEvent,
    ResumeEvent,
    SayEvent,
    ToolsUpdateEvent,
)
from microturn.protocol.extensions import TextEvent as TypedTextEvent
from microturn.protocol.live import ClientEvent, ContextAppendEvent, ForkClientEvent
from microturn.server.audience import Audience
from microturn.server.background_engine import BackgroundEngineSession
from microturn.server.delegation.by_client import ClientDelegation
from microturn.server.delegation.by_responses import ResponsesDelegation
from microturn.server.delegation.owner import Delegation, client_report
from microturn.server.eagerness import RESTRAINT
from microturn.server.engine_port import EngineSession
from microturn.server.ingest import AudioIngest, FrameIngest
from microturn.server.job_events import decide, locate, show_jobs
from microturn.server.limits import Limits
from microturn.server.session_setup import SessionSetup, unsupported
from microturn.server.tool_rules import SessionTools
from microturn.turns.background import ReportKind
from microturn.turns.micro_turn import Role, TextEvent, scripted
from microturn.turns.timing import TURN_MS
from microturn.turns.video import VideoFrame


class Inbound:
    """The client's side of a session.

    Args:
        on_close: Called with the command's ``event_id`` when the client ends the session.
    """

    def __init__(
        self,
        audience: Audience,
        engine_session: EngineSession,
        setup: SessionSetup,
        limits: Limits,
        clock: Clock,
        on_close: Callable[[str | None], None],
    ) -> None:
        self._audience = audience
        self._wire = audience.holder
        self._engine_session = engine_session
        self._setup = setup
        self._limits = limits
        self._clock = clock
        self._on_close = on_close
        self.audio = AudioIngest(setup.codec, limits, first_sample=engine_session.next_sample)
        self.frames = FrameIngest(limits)
        self._audio_came = asyncio.Event()
        # One frame waits while another is decoded; a third is dropped: old pictures are not worth a queue.
        self._undecoded: asyncio.Queue[CameraFrameEvent] = asyncio.Queue(1)
        self.delegation = self._new_delegation()
        """Who does what the model asks for."""
        is_served = isinstance(setup.resource.delegation, DelegationResponses)
        self._tools = SessionTools(self._wire, engine_session, limits, clock, is_served=is_served)
        self._shows_jobs = False
        self.has_media_track = False
        """Whether sound comes on a track of its own rather than in messages."""
        self.extensions: ExtensionsEnableEvent | None = None
        """What the client opted into."""

    async def receive(self) -> None:
        """Carry out messages until the client is gone.

        Raises:
            ClientGoneError, ClientMisbehavesError: as ``Wire.receive``.
        """
        while True:
            event = await self._wire.receive()
            try:
                await self.carry_out(event)
            except ProtocolError as error:
                error.client_event_id = event.event_id
                self._wire.refuse(error)

    async def hear(self, samples: NDArray[np.float32]) -> None:
        """Take in decoded sound (num_samples,) at the codec's rate.

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

    def push_text(self, event: TextEvent) -> None:
        """Hand text to the engine.

        Raises:
            ProtocolError: more than the engine takes at once.
        """
        try:
            self._engine_session.push_text(event)
        except (CapacityError, SessionClosedError, ValueError) as error:
            raise ProtocolError(str(error), code="text_refused") from None

    async def feed(self) -> None:
        """Hand sound on to the engine, each chunk in its time, for ever."""
        while True:
            self._audio_came.clear()
            while chunk := self.audio.take(self._clock.now_ns()):
                self._engine_session.push_audio(chunk)
            wait_ms = self.audio.wait_ms()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if wait_ms is None else wait_ms / 1000):
                    await self._audio_came.wait()

    async def look_at_frames(self) -> None:
        """Decode camera frames, one at a time and off the event loop."""
        while True:
            event = await self._undecoded.get()
            try:
                frame = await self.frames.decode(event.image, self.audio.media_ms)
            except ProtocolError as error:
                error.client_event_id = event.event_id
                self._wire.refuse(error)
            else:
                self._engine_session.push_frame(frame)

    async def carry_out(self, event: ClientEvent | ForkClientEvent) -> None:
        """Do what one event asks for, whoever sent it.

        Raises:
            ProtocolError: it cannot be done.
        """
        match event:
            case InputAudioAppendEvent():
                if self.has_media_track:
                    raise ProtocolError(
                        "this session hears its audio track: send sound there", code="unsupported", param="type"
                    )
                await self.audio.accept(event.audio, self._note_sound)
            case InputAudioMuteEvent() | InputAudioUnmuteEvent():
                self._mute(event)
            case TypedTextEvent():
                self.push_text(TextEvent(role=Role.USER, text=event.text))
            case SayEvent():
                self.push_text(scripted(event.text))
            case CameraFrameEvent():
                self._admit_frame(event)
            case ExtensionsEnableEvent():
                self._enable(event)
            case JobDecideEvent():
                decide(self._engine_session, event)
            case ToolsUpdateEvent():
                self._tools.update(event)
            case EagernessUpdateEvent():
                self._engine_session.restrain(RESTRAINT[event.eagerness])
            case SessionCloseEvent():
                self._on_close(event.event_id)
            case SessionUpdateEvent():
                self._update(event)
            case ResponseItemCreateEvent() | ResponseCreateEvent():
                self.delegation.carry_out(event)
            case SessionStartEvent() | ForkSessionStartEvent() | ResumeEvent():
                raise ProtocolError(
                    "the session has started already: open another connection for another session",
                    code="session_already_started",
                )
            case _:
                self._append_context(event)

    def _note_sound(self, samples: NDArray[np.float32]) -> None:
        self._audience.reflect(samples)
        self._audio_came.set()

    def _mute(self, event: InputAudioMuteEvent | InputAudioUnmuteEvent) -> None:
        self.audio.is_muted = isinstance(event, InputAudioMuteEvent)
        event_id = self._wire.new_event_id()
        if isinstance(event, InputAudioMuteEvent):
            answer = InputAudioMutedEvent(
                type="session.input_audio.muted", event_id=event_id, client_event_id=event.event_id
            )
        else:
            answer = InputAudioUnmutedEvent(
                type="session.input_audio.unmuted", event_id=event_id, client_event_id=event.event_id
            )
        self._audience.send(answer)

    def _enable(self, event: ExtensionsEnableEvent) -> None:
        self._tools.begin(event.tools or ())
        self.extensions = event
        locale, time_zone = locate(self._engine_session, event)
        self._wire.send(
            ExtensionsEnabledEvent(
                event_id=self._wire.new_event_id(),
                client_event_id=event.event_id,
                turns=event.turns,
                silence=event.silence,
                jobs=event.jobs,
                locale=locale,
                time_zone=time_zone,
                turn_ms=TURN_MS,
                resume_token=self._engine_session.resume_token,
            )
        )
        if event.jobs or event.tools is not None:
            self._tools.show()
        if event.jobs and not self._shows_jobs:
            self._shows_jobs = True
            show_jobs(self._wire, self._engine_session, self._clock)

    def _update(self, event: SessionUpdateEvent) -> None:
        if event.session.triggers:
            raise unsupported("decisions are not served: leave session.triggers out", "session.triggers")
        self.delegation.update(event.session)
        self._audience.send(
            SessionUpdatedEvent(
                type="session.updated",
                event_id=self._wire.new_event_id(),
                client_event_id=event.event_id,
                session=self._setup.resource,
            )
        )

    def _append_context(self, event: ContextAppendEvent) -> None:
        job = None if event.delegation_id is None else self.delegation.job_of(event.delegation_id)
        if not 0 < len(event.content) <= self._limits.max_context_chars:
            raise ProtocolError(
                f"content has {len(event.content)} characters: send 1 to {self._limits.max_context_chars}",
                code="invalid_value",
                param="content",
            )
        now_ms = round(self.audio.media_ms)
        stamp = {
            "event_id": self._wire.new_event_id(),
            "client_event_id": event.event_id,
            "start_ms": now_ms,
            "end_ms": now_ms,
        }
        if isinstance(event, InstructionsAppendEvent):
            text = TextEvent(role=Role.SYSTEM, text=event.content)
            answer = InstructionsAppendedEvent.model_validate({"type": "session.instructions.appended", **stamp})
        elif isinstance(event, CommentaryAppendEvent):
            report = f"say: {event.content}" if job is None else str(client_report(ReportKind.DONE, job, event.content))
            text = TextEvent(role=Role.TOOL, text=report)
            answer = CommentaryAppendedEvent.model_validate({"type": "session.commentary.appended", **stamp})
        else:
            report = (
                f"note: {event.content}" if job is None else str(client_report(ReportKind.NOTE, job, event.content))
            )
            text = TextEvent(role=Role.TOOL, text=report)
            answer = ThinkingAppendedEvent.model_validate({"type": "session.thinking.appended", **stamp})
        self.push_text(text)
        self._audience.send(answer)

    def _new_delegation(self) -> Delegation:
        if isinstance(self._setup.resource.delegation, DelegationResponses):
            return ResponsesDelegation(
                audience=self._audience,
                engine_session=self._engine_session,
                setup=self._setup,
                limits=self._limits,
            )
        if isinstance(self._engine_session, BackgroundEngineSession):
            self._engine_session.leave_to_others(lambda act: True)
        return ClientDelegation(
            self._audience, self._setup, lambda: self.extensions is not None and self.extensions.jobs
        )

    def _admit_frame(self, event: CameraFrameEvent) -> None:
        if not self.frames.admits(self._clock.now_ns()):
            return
        try:
            self._undecoded.put_nowait(event)
        except asyncio.QueueFull:
            self.frames.num_dropped += 1
