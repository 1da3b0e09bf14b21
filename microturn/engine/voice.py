"""Speech of a micro-turn as sound: the vocoder over the sessions that speak, each with its own state.

An utterance starts from a silent vocoder. The vocoder lags a little behind its mel, so when an utterance ends, what
still rings is played at the start of the next turn, if it can be heard.

Dimensions: B sessions, T mel frames, M mel bands, S samples.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from microturn.engine.state_pool import join_voices
from microturn.features.mel import NUM_BANDS, SILENT_LOG_MEL
from microturn.features.vocoder import Vocoder, VocoderState
from microturn.turns.timing import MEL_HOP_SAMPLES, OUT_SAMPLES_PER_TURN

_AUDIBLE = 1e-3
"""Peak of what rings on below which it is not worth a turn of sound."""

Spoken = tuple[NDArray[np.float32] | None, VocoderState | None]
"""A turn's (4800,) samples on the 16-bit grid, None for silence; and the utterance's state for the next turn."""


class Voice:
    """A vocoder for many sessions. It runs on the CPU, where its few operations cost less than moving them."""

    def __init__(self, vocoder: Vocoder) -> None:
        self._vocoder = vocoder
        self._tail_frames = -(-vocoder.latency_samples // MEL_HOP_SAMPLES)

    def speak(self, turns: Sequence[tuple[NDArray[np.float32] | None, VocoderState | None]]) -> list[Spoken]:
        """One micro-turn of each session: its mel (16, 80), None when silent, and the state of its utterance."""
        spoken: list[Spoken] = [(None, None)] * len(turns)
        speaking = [i for i, (mel, _) in enumerate(turns) if mel is not None]
        ending = [i for i, (mel, state) in enumerate(turns) if mel is None and state is not None]
        mels = [mel for mel, _ in turns if mel is not None]
        states = [turns[i][1] or self._vocoder.initial_state(1) for i in speaking]
        for i, result in zip(speaking, self._run(mels, states), strict=True):
            spoken[i] = result
        silence = np.full((self._tail_frames, NUM_BANDS), SILENT_LOG_MEL, np.float32)
        states = [state for i in ending if (state := turns[i][1]) is not None]
        for i, (sound, _) in zip(ending, self._run([silence] * len(ending), states), strict=True):
            assert sound is not None, "the vocoder gives samples for each frame"
            if np.abs(sound).max() > _AUDIBLE:
                spoken[i] = (np.pad(sound, (0, OUT_SAMPLES_PER_TURN - len(sound))), None)
        return spoken

    def _run(self, mels: list[NDArray[np.float32]], states: list[VocoderState]) -> list[Spoken]:
        if not mels:
            return []
        mel_BTM = torch.from_numpy(np.stack(mels))
        samples_BS, state = self._vocoder.step(mel_BTM, join_voices(states))
        sounds_BS = np.clip(np.rint(samples_BS.numpy() * 32768), -32768, 32767).astype(np.float32) / 32768
        return [(sound, state.rows(torch.tensor([i]))) for i, sound in enumerate(sounds_BS)]
