"""Between the mouth and the model: level, room, noise, microphone, line and codec, on 16 kHz samples.

Everything is drawn from the generator that is handed in: the same generator gives the same sound. A good part of the
draws leaves the speech clean.
"""

import functools
import io
import json
from math import gcd
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import signal

from microturn.data import split
from microturn.data.split import Part, check_part
from microturn.turns.timing import IN_HZ

Samples = NDArray[np.float32]

MIN_SNR_DB, MAX_SNR_DB = 5.0, 40.0
MIN_LEVEL_DB, MAX_LEVEL_DB = -35.0, -10.0
"""Loudness of the speech, RMS over the frames that hold any, against full scale."""
CLEAN_CHANCE = 0.25
CHANCES = {"noise": 0.7, "room": 0.3, "microphone": 0.5, "telephone": 0.1, "codec": 0.12, "clipping": 0.06, "dc": 0.1}
SILENT_POWER = 1e-9
RIR_SECONDS = 0.6
"""Impulse responses are cut here: what comes later is 30 dB down in a living room."""
SECTION_SECONDS = 20
OPUS_OPTIONS = {"application": "voip", "compression_level": "1"}
"""The least search: a third of the time, the same artefacts."""
TELEPHONE_HZ = (300.0, 3400.0)


def resample(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Polyphase resampling of mono samples."""
    if from_hz == to_hz or not len(samples):
        return samples
    common = gcd(from_hz, to_hz)
    return np.asarray(signal.resample_poly(samples, to_hz // common, from_hz // common), np.float32)


def degrade(samples: Samples, rng: Generator, *, part: str = "train", data_dir: Path | None = None) -> Samples:
    """What a microphone and a line may have made of clean speech.

    Args:
        samples: (num_samples,) at 16 kHz, speech and silence.
        rng: every choice comes from here.
        part: "train" or "heldout": which noises and rooms.
        data_dir: holds ``noise/`` and ``rir/``; without it noise is generated and rooms are synthetic.

    Returns:
        The same shape, within [-1, 1].
    """
    part = check_part(part)
    is_clean = bool(rng.random() < CLEAN_CHANCE)
    happens = {name: bool(rng.random() < chance) and not is_clean for name, chance in CHANCES.items()}
    level_db = float(rng.uniform(MIN_LEVEL_DB, MAX_LEVEL_DB))
    sound = to_level(samples, level_db).copy()
    speech_power = active_power(sound) or 10 ** (level_db / 10)  # where nobody speaks, noise is as loud as if they did
    if happens["room"]:
        sound = in_room(sound, impulse_response(rng, part, data_dir))
    if happens["noise"]:
        snr_db = float(rng.uniform(MIN_SNR_DB, MAX_SNR_DB))
        noise = background(rng, len(sound), part, data_dir)
        sound += noise * np.float32(np.sqrt(speech_power * 10 ** (-snr_db / 10)))
    if happens["microphone"]:
        sound = through_microphone(sound, rng)
    if happens["telephone"]:
        sound = over_telephone(sound)
    elif happens["codec"]:
        sound = through_opus(sound, int(rng.choice((8_000, 12_000, 16_000, 24_000))))
    if happens["clipping"]:
        limit = float(np.abs(sound).max(initial=1e-6)) * float(rng.uniform(0.3, 0.8))
        sound = np.clip(sound, -limit, limit, dtype=np.float32)
    if happens["dc"]:
        sound += np.float32(rng.uniform(-0.01, 0.01))
    return np.clip(sound, -1, 1).astype(np.float32)


# --- level ------------------------------------------------------------------------------------------------------


def active_power(samples: Samples) -> float:
    """Mean power over the 20 ms frames within 30 dB of the loudest; 0.0 for silence."""
    frame = IN_HZ // 50
    num_frames = len(samples) // frame
    if num_frames == 0:
        return 0.0
    power = np.square(samples[: num_frames * frame].reshape(num_frames, frame)).mean(1)
    return float(power[power >= power.max() * 1e-3].mean()) if power.max() > SILENT_POWER else 0.0


def to_level(samples: Samples, level_db: float) -> Samples:
    """Scale so that speech lies at this RMS level; peaks stay below full scale. Silence stays silence."""
    power = active_power(samples)
    if power == 0.0:
        return samples
    gain = 10 ** (level_db / 20) / np.sqrt(power)
    return samples * np.float32(min(gain, 0.99 / float(np.abs(samples).max())))


# --- rooms ------------------------------------------------------------------------------------------------------


def in_room(samples: Samples, response: Samples) -> Samples:
    """Convolve with an impulse response whose direct sound is at its first sample: words keep their times."""
    return signal.oaconvolve(samples, response)[: len(samples)].astype(np.float32)


def impulse_response(rng: Generator, part: Part, data_dir: Path | None) -> Samples:
    """A recorded room at a random distance, or a synthetic one: decaying noise after the direct sound."""
    recorded = _responses(part, data_dir)
    if recorded and rng.random() < 0.5:
        tail = recorded[int(rng.integers(len(recorded)))].copy()
    else:
        reverberation_s = float(rng.uniform(0.1, 0.7))
        time_s = np.arange(round(min(RIR_SECONDS, reverberation_s) * IN_HZ)) / IN_HZ
        tail = (rng.standard_normal(len(time_s)) * 10 ** (-3 * time_s / reverberation_s)).astype(np.float32)
    tail[: round(0.001 * IN_HZ)] = 0
    direct_to_reverberant_db = float(rng.uniform(0, 18))
    tail *= np.float32(10 ** (-direct_to_reverberant_db / 20) / max(float(np.linalg.norm(tail)), 1e-6))
    tail[0] = 1.0
    return tail


@functools.cache
def _responses(part: Part, data_dir: Path | None) -> tuple[Samples, ...]:
    if data_dir is None or not (data_dir / "rir").is_dir():
        return ()
    responses = []
    for name in split.RIR[part]:
        response = _read(data_dir / "rir" / f"{name}.flac")
        direct = int(np.abs(response).argmax())
        response = response[direct : direct + round(RIR_SECONDS * IN_HZ)].copy()
        fade = min(len(response), round(0.1 * IN_HZ))
        response[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
        responses.append(response)
    return tuple(responses)


# --- noise ------------------------------------------------------------------------------------------------------


def background(rng: Generator, num_samples: int, part: Part, data_dir: Path | None) -> Samples:
    """Noise of unit power: a recording, looped from a random place, or generated."""
    recorded = _noises(part, data_dir)
    if recorded and rng.random() < 0.75:
        noise = recorded[int(rng.integers(len(recorded)))]
        start = int(rng.integers(len(noise)))
        return np.resize(np.roll(noise, -start), num_samples)
    return coloured_noise(rng, num_samples)


def coloured_noise(rng: Generator, num_samples: int) -> Samples:
    """Noise between white and brown, unit power, with or without the hum of the mains."""
    white = rng.standard_normal(num_samples, dtype=np.float32)
    pole = float(rng.choice((0.0, 0.5, 0.9, 0.98)))
    noise = np.asarray(signal.lfilter([1.0], [1.0, -pole], white), np.float32) * np.float32(np.sqrt(1 - pole**2))
    if rng.random() < 0.2:
        mains_hz = float(rng.choice((50.0, 60.0)))
        phase = 2 * np.pi * mains_hz / IN_HZ * np.arange(num_samples, dtype=np.float32)
        noise = 0.7 * noise + 0.8 * np.sin(phase) + 0.5 * np.sin(3 * phase)
    return noise.astype(np.float32)


@functools.cache
def _noises(part: Part, data_dir: Path | None) -> tuple[Samples, ...]:
    """Recordings at unit power, edges faded so that a loop does not click.

    Many are one-second crops of the same source: they are strung together, so as not to outweigh the long recordings.
    """
    folder = None if data_dir is None else data_dir / split.NOISE[part]
    if folder is None or not (folder / "manifest.jsonl").exists():
        return ()
    entries = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    long, crops = list[Samples](), list[Samples]()
    for entry in entries:
        noise = _read(folder / entry["file"])
        fade = min(len(noise) // 2, IN_HZ // 50)
        noise[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)
        noise[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
        power = float(np.square(noise).mean())
        if power > 1e-10:
            (crops if len(noise) < 1.5 * IN_HZ else long).append(noise / np.float32(np.sqrt(power)))
    strung = [np.concatenate(crops[i : i + SECTION_SECONDS]) for i in range(0, len(crops), SECTION_SECONDS)]
    return tuple(long + strung)


def _read(path: Path) -> Samples:
    """A sound file as mono 16 kHz."""
    import soundfile

    samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    return resample(samples.mean(1), sample_rate, IN_HZ)


# --- microphone and line ----------------------------------------------------------------------------------------


def through_microphone(samples: Samples, rng: Generator) -> Samples:
    """First-order high pass and one or two first-order shelves of up to 9 dB."""
    sections = [_high_pass(float(rng.uniform(20, 250)))]
    for _ in range(int(rng.integers(1, 3))):
        sections.append(_shelf(float(np.exp(rng.uniform(np.log(300), np.log(5000)))), float(rng.uniform(-9, 9))))
    return _filtered(samples, np.array(sections))


def _high_pass(corner_hz: float) -> list[float]:
    """First-order high pass by the bilinear transform."""
    warped = np.tan(np.pi * corner_hz / IN_HZ)
    return [1 / (warped + 1), -1 / (warped + 1), 0.0, 1.0, (warped - 1) / (warped + 1), 0.0]


def _shelf(corner_hz: float, gain_db: float) -> list[float]:
    """First-order high shelf by the bilinear transform: unity at the bottom, ``gain_db`` at the top."""
    warped = np.tan(np.pi * corner_hz / IN_HZ)
    gain = 10 ** (gain_db / 20)
    return [(warped + gain) / (warped + 1), (warped - gain) / (warped + 1), 0.0, 1.0, (warped - 1) / (warped + 1), 0.0]


@functools.cache
def _telephone_band() -> NDArray[np.float64]:
    return np.asarray(signal.butter(4, TELEPHONE_HZ, "bandpass", fs=IN_HZ, output="sos"))


def _filtered(samples: Samples, sections: NDArray[np.float64]) -> Samples:
    """Through a cascade of second-order sections, (num_sections, 6)."""
    return np.asarray(signal.sosfilt(sections, samples), np.float32)


def over_telephone(samples: Samples) -> Samples:
    """The telephone's band and 8-bit mu-law."""
    narrow = _filtered(samples, _telephone_band())
    mu = 255.0
    pressed = np.sign(narrow) * np.log1p(mu * np.minimum(np.abs(narrow), 1)) / np.log1p(mu)
    pressed = np.round(pressed * 127) / 127
    return (np.sign(pressed) * np.expm1(np.abs(pressed) * np.log1p(mu)) / mu).astype(np.float32)


def through_opus(samples: Samples, bits_per_second: int) -> Samples:
    """Encode and decode as Opus, its delay taken off again."""
    import av

    stored = io.BytesIO()
    with av.open(stored, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=IN_HZ, layout="mono", options=OPUS_OPTIONS)
        stream.bit_rate = bits_per_second
        pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate = IN_HZ
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    stored.seek(0)
    with av.open(stored, "r") as encoded:
        to_input = av.AudioResampler(format="flt", layout="mono", rate=IN_HZ)
        frames = [out for frame in encoded.decode(audio=0) for out in to_input.resample(frame)]
        frames += to_input.resample(None)
        decoded = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    decoded = decoded[: len(samples)]
    return np.pad(decoded, (0, len(samples) - len(decoded))).astype(np.float32)
