"""Runs of the flat sequence, which are numpy, as the segments that a model reads.

Dimensions: B rows, T positions, N positions of one kind.
"""

from collections.abc import Sequence

import numpy as np
import torch

from microturn.features.mel import NUM_BANDS, MelStatistics
from microturn.features.sequence import PATCH_VALUES, Run, is_kept_text
from microturn.model.segment import Segment
from microturn.turns.vocabulary import Kind, Vocabulary


def segment_of(runs: Sequence[Run], vocabulary: Vocabulary, statistics: MelStatistics) -> Segment:
    """One row a run, padded on the right."""
    shape = (len(runs), max(len(run) for run in runs))
    kind_BT, token_BT = np.full(shape, Kind.PAD, np.uint8), np.zeros(shape, np.int64)
    turn_BT, is_text_BT = np.zeros(shape, np.int32), np.zeros(shape, np.bool_)
    for row, run in enumerate(runs):
        length = len(run)
        kind_BT[row, :length], token_BT[row, :length], turn_BT[row, :length] = run.kind_T, run.token_T, run.turn_T
        is_text_BT[row, :length] = is_kept_text(run.kind_T, run.token_T, vocabulary)
    speech_NP = np.concatenate([run.speech_NP for run in runs])
    normal_NP = statistics.normalise(speech_NP.reshape(-1, NUM_BANDS)).reshape(-1, PATCH_VALUES)
    return Segment(
        kind_BT=torch.from_numpy(kind_BT),
        token_BT=torch.from_numpy(token_BT),
        dmel_NM=torch.from_numpy(np.concatenate([run.dmel_NM for run in runs])),
        image_NP=torch.from_numpy(np.concatenate([run.image_N for run in runs])),
        speech_NP=torch.from_numpy(normal_NP),
        turn_BT=torch.from_numpy(turn_BT),
        is_text_BT=torch.from_numpy(is_text_BT),
    )


def output_run_of(
    turn: int,
    tokens: Sequence[int],
    speech_NP: np.ndarray,
    phones: Sequence[int],
    vocabulary: Vocabulary,
    *,
    is_closed: bool,
) -> Run:
    """Positions of an output: tokens, then patches.

    Args:
        turn: index of the micro-turn.
        tokens: ids, ``<|audio|>`` included where patches follow.
        speech_NP: (N, 320) un-normalised log mel.
        phones: the phone of each patch.
        vocabulary: where the special tokens lie.
        is_closed: whether ``<|audio_end|>`` ends it.
    """
    ids = [*tokens, *phones, *([vocabulary.special.audio_end] if is_closed else [])]
    kind_T = np.full(len(ids), Kind.TEXT, np.uint8)
    kind_T[len(tokens) : len(tokens) + len(speech_NP)] = Kind.SPEECH
    return Run(
        kind_T=kind_T,
        token_T=np.array(ids, np.int32),
        turn_T=np.full(len(ids), turn, np.int32),
        is_output_T=np.ones(len(ids), np.bool_),
        dmel_NM=np.zeros((0, NUM_BANDS), np.uint8),
        speech_NP=np.asarray(speech_NP, np.float32).reshape(-1, PATCH_VALUES),
        image_N=np.zeros((0, 2, 40, 40, 3), np.float32),
    )
