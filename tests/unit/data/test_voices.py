"""What every voice promises: one time for each given word, in order, within the sound, the same for the same seed."""

from pathlib import Path

import numpy as np
import pytest

from microturn.data import split
from microturn.data.acoustics import resample
from microturn.data.alignment import align
from microturn.data.split import Part
from microturn.data.voices import Voice, assistant_voice, espeak, festival, flite, kokoro, sample_voice, user_voices
from microturn.data.voices.espeak import EspeakVoice
from microturn.data.voices.festival import FestivalVoice
from microturn.data.voices.flite import FliteVoice
from microturn.data.voices.hibari import BASE, HibariVoice, sample_warp
from microturn.data.voices.kokoro import KokoroVoice
from microturn.data.voices.phonemes import phonemes
from microturn.data.voices.utterance import PAD_MS, build, share, voiced_span_samples
from microturn.features.mel import mel
from microturn.features.phones import SYMBOLS, UNKNOWN_PHONE, phones_at
from microturn.turns.timing import IN_HZ, MEL_HOP_SAMPLES, OUT_HZ

TEXT = "count from three to ten by twos"

needs_flite = pytest.mark.skipif(not flite.is_installed(), reason="flite is not installed: microturn data install")
needs_festival = pytest.mark.skipif(
    not festival.is_installed(), reason="festival is not installed: microturn data install"
)
needs_espeak = pytest.mark.skipif(
    not espeak.is_installed(), reason="espeak-ng is not installed: microturn data install"
)

VOICES = (
    pytest.param(HibariVoice(), id="assistant"),
    pytest.param(HibariVoice(f0_scale=0.6, formants=0.9, f0_excursion=0.3, tilt_db=-4, breath_db=2), id="warp"),
    pytest.param(FliteVoice(speaker="slt", f0_scale=1.2), id="flite", marks=needs_flite),
    pytest.param(FliteVoice(speaker="kal16"), id="flite-diphones", marks=needs_flite),
    pytest.param(FestivalVoice(speaker="slt"), id="festival", marks=needs_festival),
    pytest.param(FestivalVoice(speaker="kal", f0_scale=0.9), id="festival-diphones", marks=needs_festival),
    pytest.param(EspeakVoice(variant="f2"), id="espeak", marks=needs_espeak),
    pytest.param(EspeakVoice(variant="whisper", accent="en-gb-scotland"), id="espeak-whisper", marks=needs_espeak),
)


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("text", [TEXT, "one of the things i'm sure of don't", "yes"])
def test_words_are_the_given_ones_in_order_within_the_sound(voice: Voice, text: str) -> None:
    utterance = voice.say(text)

    assert [word.text for word in utterance.words] == text.split()
    assert utterance.samples.dtype == np.float32
    assert utterance.samples.ndim == 1
    edges = [edge for word in utterance.words for edge in (word.start_ms, word.end_ms)]
    assert edges == sorted(edges)
    assert all(word.end_ms - word.start_ms > 15 for word in utterance.words)
    assert edges[0] == pytest.approx(PAD_MS)
    assert edges[-1] == pytest.approx(utterance.duration_ms - PAD_MS, abs=1)
    assert 0.02 < np.abs(utterance.samples).max() <= 1


@pytest.mark.parametrize("voice", VOICES)
def test_the_same_seed_gives_the_same_sound_whatever_was_said_before(voice: Voice) -> None:
    first = voice.say(TEXT, seed=5)
    voice.say("something else entirely", seed=9)
    second = voice.say(TEXT, seed=5)

    assert np.array_equal(first.samples, second.samples)
    assert first.words == second.words


@pytest.mark.parametrize("voice", VOICES)
def test_speed_shortens_the_sound(voice: Voice) -> None:
    assert voice.say(TEXT, speed=1.3).duration_ms < 0.9 * voice.say(TEXT).duration_ms


@pytest.mark.parametrize("voice", [*VOICES[:3], VOICES[4]])
def test_word_starts_agree_with_forced_alignment(voice: Voice) -> None:
    pytest.importorskip("pocketsphinx")
    utterance = voice.say("the next train leaves from the other side of the station")
    aligned = align(resample(utterance.samples, utterance.sample_rate, IN_HZ), [word.text for word in utterance.words])

    assert aligned is not None
    errors = [word.start_ms - span[0] for word, span in zip(utterance.words[1:], aligned.spans[1:], strict=True)]
    assert float(np.median(np.abs(errors))) <= 30
    assert abs(float(np.median(errors))) <= 20


@pytest.mark.parametrize("voice", VOICES[:7])
def test_phones_agree_with_forced_alignment(voice: Voice) -> None:
    """Read every 10 ms; vowels without stress have two names, and edges lie apart by as much as a frame of either."""
    pytest.importorskip("pocketsphinx")
    utterance = voice.say("she sells fish soup to my little brother at noon")
    samples = resample(utterance.samples, utterance.sample_rate, IN_HZ)
    aligned = align(samples, utterance.text.split(), with_phones=True)
    assert aligned is not None
    at_ms = np.arange(PAD_MS, utterance.duration_ms - PAD_MS, 10.0)
    told, found = phones_at(utterance.phones, at_ms), phones_at(aligned.phones, at_ms)
    assert UNKNOWN_PHONE not in told
    assert np.mean(told == found) > 0.5
    assert np.mean(told == found) > 2 * np.mean(told[15:] == found[:-15])
    assert [edge for p in utterance.phones for edge in (p.start_ms, p.end_ms)] == pytest.approx(
        sorted(edge for p in utterance.phones for edge in (p.start_ms, p.end_ms))
    )


def test_users_never_sound_like_the_assistant() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        warp = sample_warp(rng)
        assert max(abs(np.log(warp.f0_scale)), abs(np.log(warp.formants))) > np.log(1.08)
        assert 0.5 <= warp.f0_scale <= 1.6
        assert 0.82 <= warp.formants <= 1.25


def test_the_assistant_is_the_unwarped_voice_at_the_output_rate() -> None:
    voice = assistant_voice()
    assert voice.name == voice.base == BASE
    assert voice.say("hello").sample_rate == 24_000


def test_a_british_user_says_the_same_words_with_other_sounds() -> None:
    text = "the car park was full past four"
    american, british = (HibariVoice(f0_scale=0.7, is_british=b).say(text) for b in (False, True))
    assert [word.text for word in british.words] == [word.text for word in american.words]
    sounds = ["".join(phone.symbol for phone in utterance.phones) for utterance in (american, british)]
    assert "kɑɹpɑɹk" in sounds[0]
    assert "kɑpɑk" in sounds[1]
    assert set(sounds[1]) <= set(SYMBOLS) - set("Qɒ")
    drawn = [sample_warp(np.random.default_rng(seed)).is_british for seed in range(60)]
    assert 5 < sum(drawn) < 40


def test_pitch_follows_the_warp() -> None:
    def pitch_hz(voice: Voice) -> float:
        utterance = voice.say("oh no")
        samples, rate = utterance.samples, utterance.sample_rate
        middle = samples[len(samples) // 2 : len(samples) // 2 + rate // 10]
        correlation = np.correlate(middle, middle, "full")[len(middle) - 1 :]
        low, high = rate // 450, rate // 60
        return rate / (low + int(correlation[low:high].argmax()))

    ratio = pitch_hz(HibariVoice(f0_scale=0.6, f0_excursion=-1.0)) / pitch_hz(HibariVoice(f0_excursion=-1.0))
    assert ratio == pytest.approx(0.6, abs=0.06)


@pytest.mark.parametrize("part", ["train", "heldout"])
def test_a_sampled_voice_is_on_its_side_of_the_split(part: Part) -> None:
    if part == "heldout" and not (flite.is_installed() or festival.is_installed() or espeak.is_installed()):
        pytest.skip("no held-out synthesiser is installed: microturn data install")
    other = split.voice_bases("heldout" if part == "train" else "train")
    rng = np.random.default_rng(0)
    drawn = {sample_voice(rng, part).base for _ in range(200)}
    assert drawn <= split.voice_bases(part)
    assert not drawn & other
    assert {family.name for family in user_voices(part)} >= {base.split(":")[0] for base in drawn}


def test_the_same_generator_draws_the_same_voice() -> None:
    assert sample_voice(np.random.default_rng(3), "train") == sample_voice(np.random.default_rng(3), "train")


def test_every_word_owns_phonemes_also_where_the_reader_runs_them_together() -> None:
    text = "i'm gonna say it's twenty one o'clock cannot"
    owners = phonemes(text).owners
    assert set(owners.tolist()) == {-1, *range(len(text.split()))}
    assert list(owners[owners >= 0]) == sorted(owners[owners >= 0])


def test_the_assistants_phones_are_where_they_sound() -> None:
    """Hissing is brighter than vowels, most of all where the phones say that it is."""
    utterance = HibariVoice().say("she sells fish soup at six and sings in ships")
    assert "".join(phone.symbol for phone in utterance.phones).startswith("ʃisɛlzfɪʃ")
    edges = [edge for phone in utterance.phones for edge in (phone.start_ms, phone.end_ms)]
    assert edges == sorted(edges)
    bands = mel(utterance.samples[: len(utterance.samples) // MEL_HOP_SAMPLES * MEL_HOP_SAMPLES])
    brightness = bands[:, 55:].mean(1) - bands[:, 5:25].mean(1)

    def at(symbols: str, shift_ms: float) -> float:
        middles = [(p.start_ms + p.end_ms) / 2 + shift_ms for p in utterance.phones if p.symbol in symbols]
        places = (int(ms * OUT_HZ / 1000 // MEL_HOP_SAMPLES) for ms in middles)
        return float(np.mean([brightness[place] for place in places if 0 <= place < len(brightness)]))

    contrast = {shift: at("sʃz", shift) - at("iɛɪuæ", shift) for shift in (-60, 15, 90)}
    assert contrast[15] > 3.0  # a mel frame shows what sounded 15 ms before its middle
    assert contrast[15] > max(contrast[-60], contrast[90]) + 1.0


def test_a_text_without_words_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to pronounce"):
        phonemes("…")


def test_words_without_a_time_share_their_neighbours() -> None:
    assert share(["of", "the"], [(0.0, 70.0), None]) == [(0.0, 30.0), (30.0, 70.0)]
    assert share(["a", "a", "b"], [None, (0.0, 40.0), (40.0, 60.0)]) == [(0.0, 20.0), (20.0, 40.0), (40.0, 60.0)]
    with pytest.raises(ValueError, match="said nothing"):
        share(["a"], [None])


def test_silence_is_trimmed_and_times_move_with_it() -> None:
    rate = 16_000
    tone = np.sin(np.arange(rate // 2) * 0.3).astype(np.float32) * 0.5
    samples = np.concatenate([np.zeros(rate, np.float32), tone, np.zeros(rate, np.float32)])
    utterance = build(samples, rate, "one two", [(1010.0, 1260.0), (1260.0, 1510.0)], "test", bias_ms=10)

    assert utterance.duration_ms == pytest.approx(500 + 2 * PAD_MS, abs=12)
    assert utterance.words[1].start_ms == pytest.approx(PAD_MS + 250, abs=12)
    assert voiced_span_samples(samples, rate)[0] == pytest.approx(rate, abs=200)


def test_kokoro_says_from_its_cache_what_it_said_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MICROTURN_CACHE", str(tmp_path))
    calls: list[str] = []

    def synthesise(self: KokoroVoice, text: str, speed: float) -> object:
        calls.append(text)
        return HibariVoice().say(text, speed=speed)

    monkeypatch.setattr(KokoroVoice, "_synthesise", synthesise)
    voice = KokoroVoice(speaker="am_echo")
    first, second = voice.say("hello there"), voice.say("hello there")
    voice.say("hello there", speed=1.3)

    assert len(calls) == 2
    assert np.array_equal(first.samples, second.samples)
    assert first.words == second.words


@pytest.mark.slow
@pytest.mark.skipif(not kokoro.is_installed(), reason="Kokoro is not installed: microturn data install")
def test_kokoro_speaks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MICROTURN_CACHE", str(tmp_path))
    utterance = KokoroVoice(speaker="bm_daniel", other="am_echo", other_share=0.3).say("yes")
    assert [word.text for word in utterance.words] == ["yes"]
    assert 150 < utterance.duration_ms < 1500
