"""The realtime and live services of pipecat and livekit, unmodified, hold a spoken exchange with our server: a tone is
sent in their own way, reaches the engine whole, and its words and an answer come back.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from server_harness import WatchedEngine, running_server, says

from microturn.client.pacing import Pace
from microturn.testing.scripted_engine import Answer
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import IN_HZ, IN_SAMPLES_PER_TURN

WITHIN_S = 60.0
"""Only a hang takes so long."""
WORDS_HEARD = " hello"
SEND_HZ = 24_000
TONE_HZ, TONE_PEAK = 450, 0.5
"""Nine periods in 20 ms: one frame after the other is an unbroken tone."""
TONE_20_MS = (
    (32_767 * TONE_PEAK * np.sin(2 * np.pi * TONE_HZ * np.arange(SEND_HZ // 50) / SEND_HZ)).astype("<i2").tobytes()
)


def hears_the_tone() -> Answer:
    """Writes down one word, once the tone has filled a micro-turn, and speaks for three in eight from then on."""
    num_heard = 0

    def answer(turn: MicroTurnInput) -> MicroTurnOutput:
        nonlocal num_heard
        num_heard += is_the_tone(turn.audio)
        if not is_the_tone(turn.audio):
            return MicroTurnOutput(index=turn.index)
        if num_heard == 1:
            return MicroTurnOutput(index=turn.index, hear=WORDS_HEARD)
        return says(turn.index, " hi") if num_heard % 8 in (3, 4, 5) else MicroTurnOutput(index=turn.index)

    return answer


def is_the_tone(samples: NDArray[np.float32]) -> bool:
    """Whether a micro-turn's sound is what the client sent, at its pitch and loudness, and nothing else."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    bin_of_tone = TONE_HZ * IN_SAMPLES_PER_TURN // IN_HZ
    in_tune = power[bin_of_tone - 1 : bin_of_tone + 2].sum()
    return bool(abs(np.abs(samples).max() - TONE_PEAK) < 0.05 and in_tune > 0.99 * power.sum())


async def feed(push: Any, is_done: asyncio.Event) -> None:
    """Sound at the pace of a microphone, also on a slow machine, until the test has what it waits for."""
    pace = Pace()
    while not is_done.is_set():
        await push()
        await pace.after(SEND_HZ // 50)
        await asyncio.sleep(0)  # Others have their turn, however late the sound is.


@pytest.mark.slow  # These packages take ten seconds and more to import.
@pytest.mark.parametrize("flavour", ["realtime", "live"])
async def test_pipecat_speaks_and_is_heard(flavour: str) -> None:
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
    words: list[str] = []
    errors: list[Frame] = []

    def look_whether_done() -> None:
        if num_loud(sounds) >= 2 and words:
            is_done.set()

    class Notes(FrameProcessor):
        """What was heard goes back towards the user."""

        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await super().process_frame(frame, direction)
            if isinstance(frame, InterimTranscriptionFrame | TranscriptionFrame):
                words.append(frame.text)
                look_whether_done()
            await self.push_frame(frame, direction)

    class Ear(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await super().process_frame(frame, direction)
            if isinstance(frame, OutputAudioRawFrame):
                sounds.append(frame.audio)
                look_whether_done()
            if isinstance(frame, ErrorFrame):
                errors.append(frame)
            await self.push_frame(frame, direction)

    async with running_server(WatchedEngine(hears_the_tone()), within_s=WITHIN_S) as server:
        base = server.url.replace("http", "ws")
        service = (
            OpenAIRealtimeLLMService(api_key="any", base_url=f"{base}v1/realtime")
            if flavour == "realtime"
            else OpenAILiveLLMService(api_key="any", base_url=f"{base}v1/live/sessions")
        )
        aggregators = LLMContextAggregatorPair(LLMContext([{"role": "user", "content": "Say hello."}]))
        pipeline = Pipeline([aggregators.user(), Notes(), service, Ear(), aggregators.assistant()])
        worker = PipelineWorker(pipeline)
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        running = asyncio.create_task(runner.run())
        await worker.queue_frame(LLMContextFrame(aggregators.user().context))

        async def push() -> None:
            await worker.queue_frame(InputAudioRawFrame(audio=TONE_20_MS, sample_rate=SEND_HZ, num_channels=1))

        await feed(push, is_done)
        await worker.queue_frame(EndFrame())
        await running
        (session,) = server.engine.sessions
    assert not errors
    assert {each.strip() for each in words} == {WORDS_HEARD.strip()}
    assert sum(is_the_tone(turn.audio) for turn in session.inputs) >= 3


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
    words: list[str] = []
    async with (
        running_server(WatchedEngine(hears_the_tone()), within_s=WITHIN_S) as server,
        aiohttp.ClientSession() as http,
    ):
        options: dict[str, Any] = {"api_key": "any", "base_url": server.url + "v1", "http_session": http}
        model = RealtimeModel(**options) if flavour == "realtime" else GPTLiveModel(delegation="client", **options)
        session = model.session()
        session.on("openai_server_event_received", events.append)

        def look_whether_done() -> None:
            if num_loud(sounds) >= 2 and words:
                is_done.set()

        def note(heard: Any) -> None:
            words.append(heard.transcript)
            look_whether_done()

        session.on("input_audio_transcription_completed", note)
        frame = rtc.AudioFrame(data=TONE_20_MS, sample_rate=SEND_HZ, num_channels=1, samples_per_channel=480)

        async def push() -> None:
            session.push_audio(frame)

        async def listen_to(stream: Any) -> None:
            async for each in stream:
                sounds.append(bytes(getattr(each, "frame", each).data))
                look_whether_done()

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
        (heard,) = server.engine.sessions
    assert not [event for event in events if event["type"] == "error"]
    assert {each.strip() for each in words} == {WORDS_HEARD.strip()}
    assert sum(is_the_tone(turn.audio) for turn in heard.inputs) >= 3


def num_loud(sounds: Sequence[bytes]) -> int:
    """How many of the frames hold more than silence."""
    return sum(bool(np.frombuffer(sound, dtype="<i2").any()) for sound in sounds)
