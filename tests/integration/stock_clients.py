"""Stock clients, unmodified: each plays sound into our server in its own way, and notes what it is told and plays."""

import asyncio
import base64
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
from openai import AsyncOpenAI

from microturn.client.pacing import Pace

SEND_HZ = 24_000
FRAME_SAMPLES = SEND_HZ // 50
INSTRUCTIONS = "Be kind."


@dataclass(kw_only=True)
class Talk:
    """A client's side of a conversation."""

    frames: Iterable[bytes]
    """What it plays: 20 ms each of 16-bit samples at ``SEND_HZ``."""
    is_over: Callable[["Talk"], bool]
    """Whether enough has come back."""
    heard: list[str] = field(default_factory=list)
    """The user's words, in pieces or whole, as the client has them."""
    captions: list[str] = field(default_factory=list)
    sounds: list[bytes] = field(default_factory=list)
    errors: list[Any] = field(default_factory=list)

    async def play(self, push: Callable[[bytes], Awaitable[None]]) -> None:
        """Sound at the pace of a microphone, also on a slow machine, until the test has what it waits for."""
        pace = Pace()
        for frame in self.frames:
            if self.errors or self.is_over(self):
                return
            await push(frame)
            await pace.after(FRAME_SAMPLES)
            await asyncio.sleep(0)  # Others have their turn, however late the sound is.

    async def play_beside(self, push: Callable[[bytes], Awaitable[None]], listening: Coroutine[Any, Any, None]) -> None:
        """Play while what comes back is listened to."""
        async with asyncio.TaskGroup() as tasks:
            listener = tasks.create_task(listening)
            await self.play(push)
            listener.cancel()

    @property
    def samples(self) -> np.ndarray:
        """All that the model said, (num_samples,) at ``SEND_HZ``."""
        return np.frombuffer(b"".join(self.sounds), dtype="<i2").astype(np.float32) / 32_768

    @property
    def num_loud(self) -> int:
        """How many of the sounds hold more than silence."""
        return sum(any(sound) for sound in self.sounds)


Hold = Callable[[str, Talk], Awaitable[None]]
"""Hold a conversation with the server at a URL."""


class EventNames(NamedTuple):
    """What a protocol calls that which ``Talk`` keeps."""

    heard: str
    caption: str
    sound: str


async def listen(connection: AsyncIterable[Any], names: EventNames, talk: Talk) -> None:
    """Keep what one of the openai package's connections receives."""
    async for event in connection:
        match event.type:
            case names.heard:
                talk.heard.append(event.delta)
            case names.caption:
                talk.captions.append(event.delta)
            case names.sound:
                talk.sounds.append(base64.b64decode(event.delta))
            case "error":
                talk.errors.append(event)


async def openai_live(url: str, talk: Talk) -> None:
    """The openai package's client of GPT-Live."""

    names = EventNames(
        "session.input_transcript.delta", "session.output_transcript.delta", "session.output_audio.delta"
    )

    async def push(frame: bytes) -> None:
        await connection.session.input_audio.append(audio=base64.b64encode(frame).decode())

    async with AsyncOpenAI(base_url=url + "v1", api_key="any").live.connect() as connection:
        await connection.session.start(session={"model": "nano", "instructions": INSTRUCTIONS})
        await talk.play_beside(push, listen(connection, names, talk))


async def openai_realtime(url: str, talk: Talk) -> None:
    """The openai package's client of Realtime."""

    names = EventNames(
        "conversation.item.input_audio_transcription.delta",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
    )

    async def push(frame: bytes) -> None:
        await connection.input_audio_buffer.append(audio=base64.b64encode(frame).decode())

    client = AsyncOpenAI(base_url=url + "v1", api_key="any")
    async with client.realtime.connect(model="gpt-realtime") as connection:
        await connection.session.update(session={"type": "realtime", "instructions": INSTRUCTIONS})
        await talk.play_beside(push, listen(connection, names, talk))


async def pipecat(flavour: str, url: str, talk: Talk) -> None:
    """A pipeline around pipecat's service for GPT-Live or Realtime."""
    pytest.importorskip("pipecat")
    from pipecat.frames.frames import (
        EndFrame,
        ErrorFrame,
        Frame,
        InputAudioRawFrame,
        InterimTranscriptionFrame,
        LLMContextFrame,
        OutputAudioRawFrame,
        TranscriptionFrame,
        TTSTextFrame,
    )
    from pipecat.pipeline.pipeline import Pipeline
    from pipecat.pipeline.worker import PipelineWorker
    from pipecat.processors.aggregators.llm_context import LLMContext
    from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
    from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
    from pipecat.services.openai.live.llm import OpenAILiveLLMService
    from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
    from pipecat.workers.runner import WorkerRunner

    class Notes(FrameProcessor):
        """Stands on both sides of the service: what was heard goes back towards the user, what is said goes on."""

        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await super().process_frame(frame, direction)
            match frame:
                case InterimTranscriptionFrame() | TranscriptionFrame():
                    talk.heard.append(frame.text)
                case TTSTextFrame():
                    talk.captions.append(frame.text)
                case OutputAudioRawFrame():
                    talk.sounds.append(frame.audio)
                case ErrorFrame():
                    talk.errors.append(frame)
                case _:
                    pass
            await self.push_frame(frame, direction)

    kind, path = (
        (OpenAIRealtimeLLMService, "realtime") if flavour == "realtime" else (OpenAILiveLLMService, "live/sessions")
    )
    service = kind(
        api_key="any",
        base_url=f"{url.replace('http', 'ws')}v1/{path}",
        settings=kind.Settings(system_instruction=INSTRUCTIONS),
    )
    aggregators = LLMContextAggregatorPair(LLMContext())
    worker = PipelineWorker(Pipeline([aggregators.user(), Notes(), service, Notes(), aggregators.assistant()]))
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await worker.queue_frame(LLMContextFrame(aggregators.user().context))

    async def push(frame: bytes) -> None:
        await worker.queue_frame(InputAudioRawFrame(audio=frame, sample_rate=SEND_HZ, num_channels=1))

    await talk.play(push)
    await worker.queue_frame(EndFrame())
    await running


async def livekit(flavour: str, url: str, talk: Talk) -> None:
    """The session of livekit's model for GPT-Live or Realtime."""
    pytest.importorskip("livekit.plugins.openai")
    import aiohttp
    from livekit import rtc
    from livekit.plugins.openai.realtime import GPTLiveModel, RealtimeModel

    def note_event(event: dict[str, Any]) -> None:
        if event["type"] == "error":
            talk.errors.append(event)

    async def read(stream: AsyncIterable[str]) -> None:
        async for text in stream:
            talk.captions.append(text)

    async def listen_to(stream: AsyncIterable[Any]) -> None:
        async for each in stream:
            talk.sounds.append(bytes(getattr(each, "frame", each).data))

    async def push(frame: bytes) -> None:
        session.push_audio(
            rtc.AudioFrame(data=frame, sample_rate=SEND_HZ, num_channels=1, samples_per_channel=FRAME_SAMPLES)
        )

    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as tasks:
        options: dict[str, Any] = {"api_key": "any", "base_url": url + "v1", "http_session": http}
        model = RealtimeModel(**options) if flavour == "realtime" else GPTLiveModel(delegation="client", **options)
        session = model.session()
        session.on("openai_server_event_received", note_event)
        session.on("input_audio_transcription_completed", lambda heard: talk.heard.append(heard.transcript))
        if flavour == "live":
            await session._update_session(instructions=INSTRUCTIONS)
            session.on("transcript_delta", lambda said: talk.captions.append(said.text))
            await talk.play_beside(push, listen_to(session.audio_stream))
        else:

            async def follow(messages: AsyncIterable[Any]) -> None:
                async for message in messages:
                    await asyncio.gather(read(message.text_stream), listen_to(message.audio_stream))

            session.on("generation_created", lambda begun: tasks.create_task(follow(begun.message_stream)))
            await talk.play(push)
        await session.aclose()
        await model.aclose()


AGENTS: dict[str, Hold] = {
    "pipecat-live": partial(pipecat, "live"),
    "pipecat-realtime": partial(pipecat, "realtime"),
    "livekit-live": partial(livekit, "live"),
    "livekit-realtime": partial(livekit, "realtime"),
}
CLIENTS: dict[str, Hold] = {"openai-live": openai_live, "openai-realtime": openai_realtime, **AGENTS}
