"""Recordings in many containers, read back; and files that are none, refused with a remedy."""

import wave
from itertools import pairwise

import numpy as np
import pytest

from microturn.errors import MediaError
from microturn.media.pictures import MAX_SIDE_PIXELS
from microturn.media.reading import Recording, open_recording
from microturn.testing.recordings import Pictures, Sound, tone, write_recording
from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import IN_HZ, IN_SAMPLES_PER_TURN
from microturn.turns.video import VideoFrame


def sound_of(recording: Recording) -> np.ndarray:
    chunks = [medium for medium in recording.media() if isinstance(medium, PcmChunk)]
    assert chunks[0].start_sample == 0
    assert all(after.start_sample == before.end_sample for before, after in pairwise(chunks)), "sound has a hole"
    return np.concatenate([chunk.samples for chunk in chunks])


def frames_of(recording: Recording) -> list[VideoFrame]:
    return [medium for medium in recording.media() if isinstance(medium, VideoFrame)]


def level(samples: np.ndarray, start_ms: float, end_ms: float) -> float:
    part = samples[round(start_ms * IN_HZ / 1000) : round(end_ms * IN_HZ / 1000)]
    return float(np.sqrt(np.mean(part**2)))


TONE_LEVEL = 0.3 / np.sqrt(2)


@pytest.mark.parametrize(
    ("name", "rate_hz", "layout"),
    [
        ("a.wav", 8_000, "mono"),
        ("a.wav", 44_100, "stereo"),
        ("a.wav", 96_000, "5.1"),
        ("a.mp3", 22_050, "mono"),
        ("a.ogg", 48_000, "stereo"),
        ("a.flac", 44_100, "stereo"),
        ("a.m4a", 44_100, "mono"),
        ("a.mkv", 48_000, "mono"),
        ("a.webm", 24_000, "stereo"),
    ],
)
def test_sound_of_any_container_rate_and_layout_comes_as_16_khz_mono(tmp_path, name, rate_hz, layout):
    samples = tone(1.5, rate_hz=rate_hz)
    path = write_recording(tmp_path / name, sound=Sound(samples=samples, rate_hz=rate_hz, layout=layout))
    recording = open_recording(path)
    heard = sound_of(recording)
    assert recording.has_sound
    assert not recording.has_pictures
    assert recording.duration_ms == pytest.approx(1500, abs=60)
    assert heard.dtype == np.float32
    assert len(heard) == pytest.approx(1.5 * IN_HZ, abs=0.06 * IN_HZ)
    assert level(heard, 100, 1400) == pytest.approx(TONE_LEVEL, rel=0.1)
    spectrum = np.abs(np.fft.rfft(heard[:IN_HZ]))
    assert np.argmax(spectrum) == pytest.approx(440, abs=1), "in Hz: the transform spans one second"


@pytest.mark.parametrize("name", ["v.mp4", "v.mov", "v.mkv", "v.webm", "v.ts"])
def test_sound_and_pictures_keep_their_distance_and_order(tmp_path, name):
    path = write_recording(
        tmp_path / name,
        sound=Sound(samples=tone(1.0), start_ms=500),
        pictures=Pictures(num_frames=50, fps=25),
    )
    recording = open_recording(path)
    assert recording.has_sound
    assert recording.has_pictures
    heard = sound_of(recording)
    assert level(heard, 0, 430) < 0.01
    assert level(heard, 600, 1400) == pytest.approx(TONE_LEVEL, rel=0.1)
    frames = frames_of(recording)
    times_ms = [frame.time_ms for frame in frames]
    assert len(frames) == 20
    assert times_ms == sorted(times_ms)
    assert frames[0].pixels.shape == (120, 160, 3)
    assert frames[-1].pixels.mean() > frames[0].pixels.mean() + 20


def test_a_frame_precedes_the_sound_of_its_own_time(tmp_path):
    path = write_recording(tmp_path / "v.mp4", sound=Sound(samples=tone(2.0)), pictures=Pictures(num_frames=50, fps=25))
    heard_ms = 0.0
    for medium in open_recording(path).media():
        if isinstance(medium, PcmChunk):
            heard_ms = medium.end_sample * 1000 / IN_HZ
            assert len(medium.samples) <= IN_SAMPLES_PER_TURN
        else:
            assert heard_ms <= medium.time_ms


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_a_gap_in_the_sound_is_silence_of_its_length(tmp_path, name):
    sound = Sound(samples=tone(3.0), gaps_ms=[(1000, 2000)])
    heard = sound_of(open_recording(write_recording(tmp_path / name, sound=sound)))
    assert len(heard) == pytest.approx(3.0 * IN_HZ, abs=0.06 * IN_HZ)
    assert level(heard, 100, 950) == pytest.approx(TONE_LEVEL, rel=0.1)
    assert level(heard, 1100, 1900) < 0.01
    assert level(heard, 2100, 2900) == pytest.approx(TONE_LEVEL, rel=0.1)


def test_video_alone_comes_with_silence_of_its_length(tmp_path):
    recording = open_recording(write_recording(tmp_path / "v.mp4", pictures=Pictures(num_frames=30, fps=10)))
    assert not recording.has_sound
    heard = sound_of(recording)
    assert len(heard) == pytest.approx(3.0 * IN_HZ, abs=2)
    assert not heard.any()
    assert len(frames_of(recording)) == 30


def test_pictures_longer_than_the_sound_are_heard_out_in_silence(tmp_path):
    path = write_recording(tmp_path / "v.mkv", sound=Sound(samples=tone(0.5)), pictures=Pictures(num_frames=20, fps=10))
    assert len(sound_of(open_recording(path))) == pytest.approx(2.0 * IN_HZ, abs=0.05 * IN_HZ)


def test_large_pictures_are_scaled_down_in_shape(tmp_path):
    pictures = Pictures(num_frames=2, fps=10, size=(1920, 1080))
    (frame, *_) = frames_of(open_recording(write_recording(tmp_path / "v.mp4", pictures=pictures)))
    assert frame.pixels.shape == (720, MAX_SIDE_PIXELS, 3)


def test_a_recording_can_be_read_twice(tmp_path):
    recording = open_recording(write_recording(tmp_path / "a.flac", sound=Sound(samples=tone(0.4))))
    assert np.array_equal(sound_of(recording), sound_of(recording))


def test_half_a_wav_whose_recorder_did_not_know_its_length_is_whole(tmp_path):
    path = write_recording(tmp_path / "a.wav", sound=Sound(samples=tone(1.0, rate_hz=16_000), rate_hz=16_000))
    data = bytearray(path.read_bytes())
    place = data.find(b"data") + 4
    data[4:8] = data[place : place + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert len(sound_of(open_recording(path))) == IN_HZ


def test_packets_that_do_not_decode_are_counted_and_silent(tmp_path):
    path = write_recording(tmp_path / "a.m4a", sound=Sound(samples=tone(4.0)))
    data = bytearray(path.read_bytes())
    start = data.find(b"mdat")
    middle = start + (data.find(b"moov") - start) // 2
    data[middle : middle + 2000] = b"\xff" * 2000
    path.write_bytes(data)
    recording = open_recording(path)
    heard = sound_of(recording)
    assert recording.damage.num_packets > 0
    assert len(heard) == pytest.approx(4.0 * IN_HZ, abs=0.06 * IN_HZ)
    assert level(heard, 100, 900) == pytest.approx(TONE_LEVEL, rel=0.1)
    assert level(heard, 3100, 3900) == pytest.approx(TONE_LEVEL, rel=0.1)


# What cannot be used


def test_absent_folder_and_empty_file_are_told_apart(tmp_path):
    (tmp_path / "empty.wav").touch()
    for name, words in (("nope.wav", "does not exist"), (".", "is a folder"), ("empty.wav", "is empty")):
        with pytest.raises(MediaError, match=words):
            open_recording(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("noise.wav", np.random.default_rng(0).bytes(5000)),
        ("noise.mp4", np.random.default_rng(1).bytes(5000)),
        ("letter.txt", b"Dear reader,\n" * 200),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:4,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"),
    ],
)
def test_what_is_no_recording_is_refused_by_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MediaError, match=name):
        open_recording(tmp_path / name)


def test_a_picture_is_no_recording(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for name in ("still.png", "still.jpg"):
        image.new("RGB", (64, 64)).save(tmp_path / name)
        with pytest.raises(MediaError, match=name):
            open_recording(tmp_path / name)


def test_a_header_without_sound_is_refused(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
    with pytest.raises(MediaError, match="nothing after it"):
        open_recording(tmp_path / "a.wav")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.m4a", "v.mp4", "v.mkv", "v.webm"])
def test_a_recording_cut_short_is_refused_before_anything_runs(tmp_path, name):
    pictures = Pictures(num_frames=75) if name.startswith("v") else None
    path = write_recording(tmp_path / name, sound=Sound(samples=tone(3.0)), pictures=pictures)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(MediaError, match="cut short"):
        open_recording(path)


def test_the_cover_of_an_album_is_no_video(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "a.mp3"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libmp3lame", rate=44_100, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width = cover.height = 64
        cover.pix_fmt = "yuvj420p"
        cover.disposition = 1024  # attached picture
        image = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux(cover.encode(image))
        container.mux(cover.encode(None))
        frame = av.AudioFrame.from_ndarray(tone(1.0, rate_hz=44_100)[None], format="fltp", layout="mono")
        frame.sample_rate = 44_100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    recording = open_recording(path)
    assert recording.has_sound
    assert not recording.has_pictures
