"""Families of user voices, and the draw of one voice for an episode."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from microturn.data import split
from microturn.data.draw import pick
from microturn.data.split import Part, check_part
from microturn.data.voices import espeak, festival, flite, hibari, kokoro
from microturn.data.voices.espeak import EspeakVoice
from microturn.data.voices.festival import FestivalVoice
from microturn.data.voices.flite import FliteVoice
from microturn.data.voices.hibari import HibariVoice
from microturn.data.voices.kokoro import KokoroVoice
from microturn.data.voices.utterance import Voice
from microturn.errors import MissingDependencyError


@dataclass(frozen=True, kw_only=True)
class Family:
    """Voices of one synthesiser in one part of the split."""

    name: str
    weight: float
    """Relative chance that an episode's user comes from here."""
    bases: frozenset[str]
    """Every base that ``sample`` can draw."""
    sample: Callable[[Generator], Voice]


def assistant_voice(language: str = "en") -> Voice:
    """The model's own voice: hibari's "heart" at 24 kHz, never warped; other languages it speaks in English sounds."""
    return HibariVoice(language=language)


def user_voices(part: str) -> tuple[Family, ...]:
    """The families that this machine can speak with in one part: "train" or "heldout".

    Raises ``MissingDependencyError`` when there is none, which happens for the held-out part alone: hibari, which needs
    no program, trains.
    """
    families = _families(check_part(part))
    if not families:
        raise MissingDependencyError(f"no synthesiser for {part} voices on this machine: microturn data install")
    return families


def sample_voice(rng: Generator, part: str) -> Voice:
    """Draw a user voice: a family by its weight, then a speaker, an accent and a warp."""
    families = user_voices(part)
    weights = np.array([family.weight for family in families])
    return families[int(rng.choice(len(families), p=weights / weights.sum()))].sample(rng)


@functools.cache
def _families(part: Part) -> tuple[Family, ...]:
    # Kokoro is the most human and by far the slowest: it is what held-out figures rest on, and a spice in training.
    candidates = (
        ("hibari", 0.44, 0.0, split.HIBARI, lambda: True, hibari.sample_warp),
        ("flite", 0.16, 0.2, split.FLITE, flite.is_installed, functools.partial(_sample_flite, part)),
        ("festival", 0.14, 0.15, split.FESTIVAL, festival.is_installed, functools.partial(_sample_festival, part)),
        ("espeak", 0.25, 0.2, split.ESPEAK, espeak.is_installed, functools.partial(_sample_espeak, part)),
        ("kokoro", 0.01, 0.45, split.KOKORO, kokoro.is_installed, functools.partial(_sample_kokoro, part)),
    )
    return tuple(
        Family(
            name=name,
            weight=train_weight if part == "train" else heldout_weight,
            bases=frozenset(f"{name}:{speaker}" for speaker in speakers[part]),
            sample=sample,
        )
        for name, train_weight, heldout_weight, speakers, is_installed, sample in candidates
        if speakers[part] and is_installed()
    )


def _around_one(rng: Generator, deviation: float, low: float, high: float) -> float:
    return float(np.clip(np.exp(rng.normal(0, deviation)), low, high))


def _sample_flite(part: Part, rng: Generator) -> FliteVoice:
    return FliteVoice(
        speaker=pick(split.FLITE[part], rng),
        f0_scale=_around_one(rng, 0.15, 0.7, 1.5),
        pace=_around_one(rng, 0.1, 0.8, 1.3),
    )


def _sample_festival(part: Part, rng: Generator) -> FestivalVoice:
    return FestivalVoice(
        speaker=pick(split.FESTIVAL[part], rng),
        f0_scale=_around_one(rng, 0.12, 0.75, 1.35),
        pace=_around_one(rng, 0.1, 0.8, 1.3),
    )


def _sample_espeak(part: Part, rng: Generator) -> EspeakVoice:
    return EspeakVoice(
        variant=pick(split.ESPEAK[part], rng),
        accent=pick(espeak.ACCENTS, rng),
        pitch=int(rng.integers(25, 76)),
        range=int(rng.integers(25, 81)),
        pace=_around_one(rng, 0.1, 0.8, 1.25),
    )


def _sample_kokoro(part: Part, rng: Generator) -> KokoroVoice:
    """A named voice; in training, half of the time a mix of two."""
    first = pick(split.KOKORO[part], rng)
    pace = round(_around_one(rng, 0.1, 0.8, 1.3), 1)
    if part == "heldout" or rng.random() < 0.5:
        return KokoroVoice(speaker=first, pace=pace)
    second = pick(split.KOKORO[part], rng)
    return KokoroVoice(speaker=first, other=second, other_share=round(float(rng.uniform(0.1, 0.5)), 1), pace=pace)


__all__ = ["Family", "assistant_voice", "sample_voice", "user_voices"]
