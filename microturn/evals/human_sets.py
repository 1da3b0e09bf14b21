"""Held-out human recordings as sessions: several clips of one set, one after the other, whole and with nothing added.

Only transcripts are judged on them.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from microturn.data import human
from microturn.data.episode import Episode
from microturn.data.split import HUMAN
from microturn.data.voices import SpokenWord
from microturn.evals.exchange import Case
from microturn.evals.wer import normal_words
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput
from microturn.turns.timing import HEAR_LAG_MS, IN_HZ, IN_SAMPLES_PER_TURN, in_samples, turn_of_ms

CLIPS_PER_SESSION = 6
LEAD_MS, GAP_MS, TAIL_MS = 800, 900, 1_600
"""Silence before, between and after the clips. The tail leaves time for the last word's transcript."""
PEAK = 0.5
"""Every clip is brought to this level, as scenarios bring their users."""


def human_set_names(data_dir: Path) -> list[str]:
    """The held-out sets that are there."""
    return [name for name in HUMAN["heldout"] if len(human.clips("heldout", data_dir, (name,), is_timed=False))]


def human_cases(data_dir: Path, name: str, num_clips: int, seed: int) -> list[Case]:
    """A seeded choice of a set's clips, joined into sessions of six.

    Raises:
        MediaError: a clip cannot be read.
    """
    clips = human.clips("heldout", data_dir, (name,), is_timed=False).clips
    order = np.random.default_rng([seed, sum(name.encode())]).permutation(len(clips))[:num_clips]
    chosen = [clips[i] for i in order]
    return [
        Case(
            key=f"{name}-{seed}-{first // CLIPS_PER_SESSION}",
            kind=name,
            episode=_session(name, seed, chosen[first : first + CLIPS_PER_SESSION]),
        )
        for first in range(0, len(chosen), CLIPS_PER_SESSION)
    ]


def _session(name: str, seed: int, clips: Sequence[human.Clip]) -> Episode:
    now_ms, parts, heard = float(LEAD_MS), [np.zeros(in_samples(LEAD_MS), np.float32)], list[SpokenWord]()
    for clip in clips:
        samples = human.read(clip.path)
        samples = samples * (PEAK / max(float(np.abs(samples).max(initial=0.0)), 1e-4))
        parts += [samples, np.zeros(in_samples(GAP_MS), np.float32)]
        end_ms = now_ms + len(samples) * 1000 / IN_HZ
        heard += _spread(normal_words(clip.text), now_ms, end_ms)
        now_ms = end_ms + GAP_MS
    parts.append(np.zeros(in_samples(TAIL_MS), np.float32))
    samples = np.concatenate(parts)
    num_turns = -(-len(samples) // IN_SAMPLES_PER_TURN)
    samples = np.pad(samples, (0, num_turns * IN_SAMPLES_PER_TURN - len(samples))).reshape(num_turns, -1)
    texts = [""] * num_turns
    for word in heard:
        texts[turn_of_ms(word.end_ms + HEAR_LAG_MS)] += f" {word.text}"
    return Episode(
        scenario=name,
        seed=seed,
        part="heldout",
        voice=name,
        inputs=[MicroTurnInput(index=k, audio=samples[k]) for k in range(num_turns)],
        outputs=[MicroTurnOutput(index=k, hear=text) for k, text in enumerate(texts)],
        heard=heard,
        said=(),
    )


def _spread(words: Sequence[str], start_ms: float, end_ms: float) -> list[SpokenWord]:
    """Words spread evenly over a clip: where each lies is not known."""
    step_ms = (end_ms - start_ms) / max(1, len(words))
    return [
        SpokenWord(text=word, start_ms=start_ms + i * step_ms, end_ms=start_ms + (i + 1) * step_ms)
        for i, word in enumerate(words)
    ]
