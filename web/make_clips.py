"""Renders the phrases of the page's "things to try" with a warped hibari voice (Apache-2.0) as small MP3 files.

.venv/bin/python web/make_clips.py        needs the extra microturn[data]
"""

import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from microturn.data.voices.hibari import HibariVoice

WEB = Path(__file__).parent
VOICE = HibariVoice(f0_scale=0.62, formants=0.88, f0_excursion=0.3)
"""Far from the assistant's own: nobody should take one for the other."""
BIT_RATE = 40_000
PADDING_MS = 60


def phrases() -> list[tuple[str, str]]:
    """Each phrase and its file, as the page lists them."""
    listed = (WEB / "src" / "view" / "tries.ts").read_text(encoding="utf-8")
    return re.findall(r'phrase: "([^"]+)", clip: "([^"]+)"', listed)


def write_clip(text: str, path: Path) -> None:
    """Speak a phrase, bring it to a common level, and write it."""
    spoken = VOICE.say(re.sub(r"[^a-z ]", "", text.lower()))
    samples = 0.12 * spoken.samples / np.sqrt(np.mean(spoken.samples**2))
    quiet = np.zeros(spoken.sample_rate * PADDING_MS // 1000, np.float32)
    pcm = (np.clip(np.concatenate([quiet, samples, quiet]), -1, 1) * 32767).astype(np.int16)
    with av.open(str(path), "w", format="mp3") as container:
        stream = container.add_stream("mp3", rate=spoken.sample_rate, layout="mono")
        stream.bit_rate = BIT_RATE
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate = spoken.sample_rate
        frame.pts, frame.time_base = 0, Fraction(1, spoken.sample_rate)
        resampler = av.AudioResampler(
            format="s16p", layout="mono", rate=spoken.sample_rate, frame_size=stream.frame_size
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    for phrase, name in phrases():
        write_clip(phrase, WEB / "public" / "clips" / name)
        print(f"{name}: {phrase}")
