"""Sound for the page's microphone, and what the page played."""

import base64
import io
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from microturn.turns.timing import IN_HZ

MICROPHONE_HZ = 48_000
KEEP_WHAT_IS_PLAYED = """
window.kept = [];
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...rest) {
  if (target instanceof AudioDestinationNode && this instanceof AudioWorkletNode) {
    const tap = this.context.createMediaStreamDestination();
    connect.call(this, tap);
    const recorder = new MediaRecorder(tap.stream);
    const kept = { recorder, chunks: [] };
    recorder.ondataavailable = ({ data }) => kept.chunks.push(data);
    recorder.start();
    window.kept.push(kept);
  }
  return connect.call(this, target, ...rest);
};
window.take = async () => Promise.all(window.kept.map(async ({ recorder, chunks }) => {
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  if (recorder.state !== "inactive") { recorder.stop(); await stopped; }
  const reader = new FileReader();
  const read = new Promise((resolve) => (reader.onload = resolve));
  reader.readAsDataURL(new Blob(chunks));
  await read;
  return reader.result.split(",")[1];
}));
"""
"""Runs before the page's own code; ``window.take()`` gives each recording of what went to the speaker."""


def decoded(source: io.BytesIO | Path, rate_hz: int) -> NDArray[np.float32]:
    """A recording as (num_samples,)."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate_hz)
    with av.open(source if isinstance(source, io.BytesIO) else str(source)) as container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])


def write_microphone(path: Path, samples: NDArray[np.float32]) -> None:
    """What a fake microphone plays over and over: (num_samples,) at ``MICROPHONE_HZ``."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(MICROPHONE_HZ)
        file.writeframes((samples * 32_767).astype("<i2").tobytes())


async def played(page: Any) -> NDArray[np.float32]:
    """The loudest recording of what went to the speaker, at ``IN_HZ``."""
    recordings = [base64.b64decode(each) for each in await page.evaluate("window.take()")]
    sounds = [decoded(io.BytesIO(recording), IN_HZ) for recording in recordings]
    return max(sounds, key=lambda samples: float(np.abs(samples).max()))
