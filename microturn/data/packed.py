"""An episode as compact arrays: what a shard holds and what training reads. dMel is 40 bytes per 50 ms.

Dimensions: K micro-turns with video, T positions, N positions of one kind, M 80 mel bands, P 320 values of a speech
patch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microturn.data import pictures
from microturn.data.episode import Episode
from microturn.data.pictures import NO_FRAMES
from microturn.data.visual.patch_labels import NUM_CLASSES, PatchLabels, unknown
from microturn.data.voices import SpokenWord
from microturn.features.dmel import dmel
from microturn.features.patches import letterbox, pair_patches
from microturn.features.phones import UNKNOWN_PHONE, Phone, phones_at
from microturn.features.sequence import IMAGE_SHAPE, EventQueue, Run, input_run, output_run
from microturn.features.tokenizer import Tokenizer
from microturn.turns.timing import AUDIO_TOKEN_MS, AUDIO_TOKENS_PER_TURN

LETTERS = "abcdefghijklmnopqrstuvwxyz'"
NUM_LETTER_CLASSES = len(LETTERS) + 1
"""Letters, and 0 for none: the auxiliary target of each audio token."""
TARGET_LAG_MS = 100
"""An audio token is asked for the letter, and the phone, that was spoken this long before its end."""
NO_LABELS: PatchLabels = np.zeros((0, len(NUM_CLASSES)), np.uint8)
NO_PATCHES: NDArray[np.float32] = np.zeros((0, *IMAGE_SHAPE), np.float32)


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedEpisode:
    """One training example."""

    run: Run
    letter_N: NDArray[np.uint8]
    """Class of the letter that the user is speaking, per audio token; 0 for none."""
    sound_N: NDArray[np.uint8]
    """The phone that the user is speaking, per audio token; see ``microturn.features.phones``."""
    frames_K2HWC: NDArray[np.uint8] = field(default_factory=lambda: NO_FRAMES)
    """The frames of the micro-turns with video. ``run`` has their patches' positions but not the patches, which are 70
    times as large: ``patches`` makes them."""
    label_N3: PatchLabels = field(default_factory=lambda: NO_LABELS)
    """What is to be seen at each image position, ``patch_labels.UNKNOWN`` where nobody knows."""

    @property
    def num_positions(self) -> int:
        """Length of the flat sequence."""
        return len(self.run)

    def patches(self) -> NDArray[np.float32]:
        """What the model sees: (N, 2, 40, 40, 3), one for each image position."""
        pairs = [pair_patches(older, newer) for older, newer in self.frames_K2HWC]
        return np.concatenate(pairs) if pairs else self.run.image_N


def letters(words: Sequence[SpokenWord], num_tokens: int) -> NDArray[np.uint8]:
    """The letter spoken in each 50 ms, ``TARGET_LAG_MS`` late; a word's letters are spread evenly over its time."""
    classes_N = np.zeros(num_tokens, np.uint8)
    for word in words:
        spelling = [LETTERS.index(c) + 1 for c in word.text if c in LETTERS]
        if not spelling:
            continue
        first = int((word.start_ms + TARGET_LAG_MS) // AUDIO_TOKEN_MS)
        last = min(int((word.end_ms + TARGET_LAG_MS) // AUDIO_TOKEN_MS), num_tokens - 1)
        for n in range(max(0, first), last + 1):
            share = (n - first) / max(1, last - first + 1)
            classes_N[n] = spelling[int(share * len(spelling))]
    return classes_N


def sounds(phones: Sequence[Phone], num_tokens: int) -> NDArray[np.uint8]:
    """The phone heard in each 50 ms, ``TARGET_LAG_MS`` before its end: (num_tokens,)."""
    return phones_at(phones, np.arange(1, num_tokens + 1) * AUDIO_TOKEN_MS - float(TARGET_LAG_MS))


def pack(episode: Episode, tokenizer: Tokenizer) -> PackedEpisode:
    """The flat sequence of an episode."""
    samples = np.concatenate([turn.audio for turn in episode.inputs])
    dmel_NM = dmel(samples)
    queue = EventQueue()
    runs: list[Run] = []
    frames: list[NDArray[np.uint8]] = []
    for k, (turn_input, output) in enumerate(zip(episode.inputs, episode.outputs, strict=True)):
        queue.add(turn_input.told, tokenizer)
        bins = dmel_NM[k * AUDIO_TOKENS_PER_TURN : (k + 1) * AUDIO_TOKENS_PER_TURN]
        image_N = None
        if turn_input.frames:
            pair_2HWC = np.stack([letterbox(frame.pixels) for frame in turn_input.frames])
            image_N = pair_patches(*pair_2HWC)
            frames.append(pair_2HWC)
        seen = input_run(k, bins, queue.take(), tokenizer.vocabulary, image_N)
        runs += [replace(seen, image_N=NO_PATCHES), output_run(output, tokenizer)]
    run = Run.concat(runs)
    return PackedEpisode(
        run=run,
        letter_N=letters(episode.heard, len(run.dmel_NM)),
        sound_N=sounds(episode.sounds, len(run.dmel_NM)),
        frames_K2HWC=np.stack(frames) if frames else NO_FRAMES,
        label_N3=_labels(episode.labels, len(frames)),
    )


def _labels(known: Sequence[PatchLabels], num_turns: int) -> PatchLabels:
    """Those of an episode, one to each image token of its micro-turns with video."""
    labels = known or [unknown()] * num_turns
    if len(labels) != num_turns:
        raise ValueError(f"labels of {len(labels)} micro-turns for {num_turns} with video: give all or none")
    return np.concatenate(labels) if labels else NO_LABELS


def to_arrays(packed: PackedEpisode) -> dict[str, NDArray]:
    """Compact arrays for a shard: dMel two bins a byte, speech in half precision, frames as JPEG."""
    run = packed.run
    return pictures.to_arrays(packed.frames_K2HWC) | {
        "kind": run.kind_T,
        "token": _narrow(run.token_T),
        "turn": _narrow(run.turn_T),
        "is_output": run.is_output_T,
        "dmel": run.dmel_NM[:, 0::2] | (run.dmel_NM[:, 1::2] << 4),
        "speech": run.speech_NP.astype(np.float16),
        "letter": packed.letter_N,
        "sound": packed.sound_N,
        "label": packed.label_N3,
    }


def _narrow(values_T: NDArray[np.int32]) -> NDArray[np.unsignedinteger[Any]]:
    """In two bytes each where they fit, else in four."""
    return values_T.astype(np.uint16 if values_T.max(initial=0) <= np.iinfo(np.uint16).max else np.uint32)


def from_arrays(arrays: dict[str, NDArray]) -> PackedEpisode:
    """The inverse of ``to_arrays``, but for what JPEG loses. Shards of a blind model hold no frames, and older ones no
    labels of these, or no phones of what is heard."""
    low_high = arrays["dmel"]
    dmel_NM = np.empty((len(low_high), 2 * low_high.shape[1]), np.uint8)
    dmel_NM[:, 0::2], dmel_NM[:, 1::2] = low_high & 15, low_high >> 4
    run = Run(
        kind_T=arrays["kind"],
        token_T=arrays["token"].astype(np.int32),
        turn_T=arrays["turn"].astype(np.int32),
        is_output_T=arrays["is_output"],
        dmel_NM=dmel_NM,
        speech_NP=arrays["speech"].astype(np.float32),
        image_N=NO_PATCHES,
    )
    frames_K2HWC = pictures.from_arrays(arrays)
    return PackedEpisode(
        run=run,
        letter_N=arrays["letter"],
        sound_N=arrays.get("sound", np.full_like(arrays["letter"], UNKNOWN_PHONE)),
        frames_K2HWC=frames_K2HWC,
        label_N3=arrays["label"] if "label" in arrays else _labels((), len(frames_K2HWC)),
    )
