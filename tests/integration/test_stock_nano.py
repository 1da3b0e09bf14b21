"""Stock clients hold a spoken exchange with the weights that ship: a person's voice asks nano to count, each client has
the words that were heard, the captions and the sound of the answer, and an independent recogniser understands it.
"""

import importlib.util
import itertools
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest
import pytest_asyncio
from server_harness import serving
from spoken_count import COUNTED, REQUEST, check_heard
from stock_clients import CLIENTS, FRAME_SAMPLES, SEND_HZ, Talk

from microturn.data.acoustics import resample
from microturn.engine.core import EngineSettings
from microturn.engine.engine import Engine
from microturn.engine.loading import load_checkpoint
from microturn.engine.runner import ModelRunner, RunnerSettings
from microturn.engine.scheduler import SchedulerSettings
from microturn.evals.recogniser import Recogniser
from microturn.evals.wer import normal_words
from microturn.media.reading import open_recording
from microturn.media.writing import pcm16
from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import IN_HZ

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
HAS_RECOGNISER = importlib.util.find_spec("faster_whisper") is not None
LEAD_S, REST_S = 1, 16
"""Silence before the request, and while nano counts."""
MAX_TIMES_ASKED = 5


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url() -> AsyncIterator[str]:
    runner = ModelRunner(load_checkpoint(), RunnerSettings(num_slots=2))
    # What comes late from a busy machine is worth answering all the same: here words count, not their time.
    patient = EngineSettings(scheduler=SchedulerSettings(max_live_turns=50))
    async with Engine(runner, settings=patient) as engine, serving(engine) as address:
        yield address


def request_frames() -> Iterator[bytes]:
    """The request in 20 ms frames, with silence around it, a few times over."""
    chunks = [chunk.samples for chunk in open_recording(REQUEST).media() if isinstance(chunk, PcmChunk)]
    lead, rest = (np.zeros(seconds * SEND_HZ, np.float32) for seconds in (LEAD_S, REST_S))
    samples = pcm16(np.concatenate([lead, resample(np.concatenate(chunks), IN_HZ, SEND_HZ), rest]))
    whole = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    frames = [frame.astype("<i2").tobytes() for frame in whole]
    return itertools.chain.from_iterable(itertools.repeat(frames, MAX_TIMES_ASKED))


def has_counted(talk: Talk) -> bool:
    return COUNTED in "".join(talk.captions)


@pytest.mark.parametrize("client", CLIENTS)
async def test_asked_aloud_nano_counts_aloud(url: str, client: str) -> None:
    talk = Talk(frames=request_frames(), is_over=has_counted)
    await CLIENTS[client](url, talk)
    assert not talk.errors
    assert "count" in normal_words(" ".join(talk.heard)), talk.heard
    assert has_counted(talk), talk.captions
    assert np.abs(talk.samples).max() > 0.1
    if HAS_RECOGNISER:
        check_heard(normal_words(" ".join(word.text for word in Recogniser.load().transcribe(talk.samples, SEND_HZ))))
