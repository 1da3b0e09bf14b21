"""The realtime and live services of pipecat and livekit, unmodified, hold a spoken exchange with our server."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from server_harness import WatchedEngine, running_server, says

from microturn.testing.scripted_engine import script
from microturn.turns.micro_turn import MicroTurnOutput

WORDS_HEARD = " hello"
CONVERSATION = script([MicroTurnOutput(index=2, hear=WORDS_HEARD), says(4, " hi"), says(5, " friend"), says(6)])
QUIET_20_MS = bytes(2 * 480)


async def feed(push: Any, is_done: asyncio.Event) -> None:
    """Silence at the pace of a microphone, until the test has what it waits for."""
    while not is_done.is_set():
        await push()
        await asyncio.sleep(0.02)  # The pace of sound, not a way to synchronise.


@pytest.mark.slow  # These packages take ten seconds and more to import.
@pytest.mark.parametrize("flavour", ["realtime", "live"])
async def test_pipecat_speaks_and_is_heard(flavour: str) -> None:
    pytest.importorskip("pipecat")
    from pipecat.frames.frames import (
        EndFrame,
        ErrorFrame,
        Frame,
        InputAudioRawFrame,
        LLMContextFrame,
        OutputAudioRawFrame,
    )
    from pipecat.pipeline.pipeline import Pipeline
    from pipecat.pipeline.worker import PipelineWorker
    from pipecat.processors.aggregators.llm_context import LLMContext
    from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
    from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
    from pipecat.services.openai.live.llm import OpenAILiveLLMService
    from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
    from pipecat.workers.runner import WorkerRunner

    is_done = asyncio.Event()
    sounds: list[bytes] = []
    errors: list[Frame] = []

    class Ear(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await super().process_frame(frame, direction)
            if isinstance(frame, OutputAudioRawFrame):
                sounds.append(frame.audio)
                if num_loud(sounds) >= 2:
                    is_done.set()
            if isinstance(frame, ErrorFrame):
                errors.append(frame)
            await self.push_frame(frame, direction)

    async with running_server(WatchedEngine(CONVERSATION)) as server:
        base = server.url.replace("http", "ws")
        service = (
            OpenAIRealtimeLLMService(api_key="any", base_url=f"{base}v1/realtime")
            if flavour == "realtime"
            else OpenAILiveLLMService(api_key="any", base_url=f"{base}v1/live/sessions")
        )
        aggregators = LLMContextAggregatorPair(LLMContext([{"role": "user", "content": "Say hello."}]))
        pipeline = Pipeline([aggregators.user(), service, Ear(), aggregators.assistant()])
        worker = PipelineWorker(pipeline)
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        running = asyncio.create_task(runner.run())
        await worker.queue_frame(LLMContextFrame(aggregators.user().context))

        async def push() -> None:
            await worker.queue_frame(InputAudioRawFrame(audio=QUIET_20_MS, sample_rate=24_000, num_channels=1))

        await feed(push, is_done)
        await worker.queue_frame(EndFrame())
        await running
    assert not errors
    assert num_loud(sounds) >= 2


@pytest.mark.slow  # These packages take ten seconds and more to import.
@pytest.mark.parametrize("flavour", ["realtime", "live"])
async def test_livekit_speaks_and_is_heard(flavour: str) -> None:
    pytest.importorskip("livekit.plugins.openai")
    import aiohttp
    from livekit import rtc
    from livekit.plugins.openai.realtime import GPTLiveModel, RealtimeModel

    is_done = asyncio.Event()
    events: list[dict[str, Any]] = []
    sounds: list[bytes] = []
    async with running_server(WatchedEngine(CONVERSATION)) as server, aiohttp.ClientSession() as http:
        options: dict[str, Any] = {"api_key": "any", "base_url": server.url + "v1", "http_session": http}
        model = RealtimeModel(**options) if flavour == "realtime" else GPTLiveModel(delegation="client", **options)
        session = model.session()
        session.on("openai_server_event_received", events.append)
        frame = rtc.AudioFrame(data=QUIET_20_MS, sample_rate=24_000, num_channels=1, samples_per_channel=480)

        async def push() -> None:
            session.push_audio(frame)

        async def listen_to(stream: Any) -> None:
            async for each in stream:
                sounds.append(bytes(getattr(each, "frame", each).data))
                if num_loud(sounds) >= 2:
                    is_done.set()

        async with asyncio.TaskGroup() as tasks:
            if flavour == "live":
                await session._update_session(instructions="Be kind.")
                listening = tasks.create_task(listen_to(session.audio_stream))
            else:

                def begin(generation: Any) -> None:
                    async def listen() -> None:
                        async for message in generation.message_stream:
                            await listen_to(message.audio_stream)

                    tasks.create_task(listen())

                session.on("generation_created", begin)
                listening = None
            await feed(push, is_done)
            await session.aclose()
            if listening:
                listening.cancel()
        await model.aclose()
    assert not [event for event in events if event["type"] == "error"]
    assert num_loud(sounds) >= 2


def num_loud(sounds: Sequence[bytes]) -> int:
    """How many of the frames hold more than silence."""
    return sum(bool(np.frombuffer(sound, dtype="<i2").any()) for sound in sounds)
