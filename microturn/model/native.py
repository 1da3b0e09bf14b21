"""A few new positions of one row through a layer, and a patch of speech, compiled for the CPU.

A step of one position is some two hundred small operations, each of which costs more to begin than to do. Compiled
(Numba) they are one call. Everything here is a pure function over float32 arrays in C order; sums are taken in the same
order in each call, so that the same input gives the same bits.

Legend: T new positions, D width, C channels, L taps, H query heads, J key/value heads, G query heads for each of them,
X head width, R relative width, E extent, S entries of a buffer, K keys that a query sees.
"""

import functools
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Weights = NDArray[np.float32] | NDArray[np.uint16]
"""A matrix, or the upper halves of its numbers where the lower ones are zero: bfloat16, read in half the time."""

ANY_ORDER = {"reassoc", "contract", "nsz", "arcp"}
"""Sums may be taken in vectors, which is what makes them fast; no NaN or infinity is assumed away."""
_LOG2_E = np.float32(1.44269504)
_LN_2 = np.float32(0.69314718)
_ONE, _HALF, _ZERO = np.float32(1), np.float32(0.5), np.float32(0)


def _compiled(function: Any) -> Any:
    compile_later = functools.partial(numba.njit, nogil=True, fastmath=ANY_ORDER, error_model="numpy")
    try:
        return compile_later(cache=True)(function)
    except RuntimeError:  # no folder that can be written: compiled anew by each process
        return compile_later()(function)


@intrinsic
def _widen(_: Any, weight: Any) -> Any:
    """A weight as float32: as it is, or from its upper half."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        if weight == types.float32:
            return arguments[0]
        bits = builder.shl(builder.zext(arguments[0], ir.IntType(32)), ir.Constant(ir.IntType(32), 16))
        return builder.bitcast(bits, ir.FloatType())

    return types.float32(weight), generate


_wide: Any = _widen


@_compiled
def multiply(x_TD: Floats, weight_DC: Weights, y_TC: Floats) -> None:
    """``y = x @ weight``. Eight rows of the weight are read at once, for all positions."""
    num_positions, width = x_TD.shape
    for t in range(num_positions):
        y_TC[t] = _ZERO
    in_eights = width - width % 8
    for d in range(0, in_eights, 8):
        w0, w1, w2, w3 = weight_DC[d], weight_DC[d + 1], weight_DC[d + 2], weight_DC[d + 3]
        w4, w5, w6, w7 = weight_DC[d + 4], weight_DC[d + 5], weight_DC[d + 6], weight_DC[d + 7]
        for t in range(num_positions):
            x, y = x_TD[t], y_TC[t]
            x0, x1, x2, x3 = x[d], x[d + 1], x[d + 2], x[d + 3]
            x4, x5, x6, x7 = x[d + 4], x[d + 5], x[d + 6], x[d + 7]
            for c in range(y.shape[0]):
                y[c] += (
                    (x0 * _wide(w0[c]) + x1 * _wide(w1[c]) + x2 * _wide(w2[c]) + x3 * _wide(w3[c]))
                    + (x4 * _wide(w4[c]) + x5 * _wide(w5[c]) + x6 * _wide(w6[c]) + x7 * _wide(w7[c]))
                )  # fmt: skip
    for d in range(in_eights, width):
        for t in range(num_positions):
            x, w, y = x_TD[t, d], weight_DC[d], y_TC[t]
            for c in range(y.shape[0]):
                y[c] += x * _wide(w[c])


@_compiled
def normalise(x_C: Floats, weight_C: Floats, eps: float, y_C: Floats) -> None:
    """``y`` is ``x`` over its root mean square, times a weight."""
    square = _ZERO
    for c in range(x_C.shape[0]):
        square += x_C[c] * x_C[c]
    scale = _ONE / np.sqrt(square / np.float32(x_C.shape[0]) + np.float32(eps))
    for c in range(x_C.shape[0]):
        y_C[c] = x_C[c] * scale * weight_C[c]


@_compiled
def convolve(x_TC: Floats, taps_LC: Floats, tail_LC: Floats, y_TC: Floats) -> None:
    """Short convolution after the tail, (L - 1, C), which then ends with the last of ``x``."""
    num_positions, num_past = x_TC.shape[0], tail_LC.shape[0]
    for t in range(num_positions):
        y_TC[t] = _ZERO
        for tap in range(num_past + 1):
            at = t + tap - num_past
            source = x_TC[at] if at >= 0 else tail_LC[num_past + at]
            weight, y = taps_LC[tap], y_TC[t]
            for c in range(y.shape[0]):
                y[c] += weight[c] * source[c]
    for i in range(num_past):
        at = num_positions - num_past + i
        tail_LC[i] = x_TC[at] if at >= 0 else tail_LC[i + num_positions]


@_compiled
def exponentials(x_K: Floats, scratch_K: Floats) -> np.float32:
    """``exp(x)`` in place for ``x <= 0``, to within 2e-6 of its value but never below 2^-64; returns the sum.

    Two to the whole part by the exponent's bits, to the rest by its Taylor series. Smaller numbers vanish beside the
    others, and would become subnormal in products, which are slow.
    """
    bits_K = scratch_K.view(np.int32)
    for i in range(x_K.shape[0]):
        power = max(x_K[i] * _LOG2_E, np.float32(-64.0))
        whole = np.int32(power - _ONE)  # below the power, so that the rest lies in (0, 1]
        z = (power - np.float32(whole)) * _LN_2 - _LN_2
        series = np.float32(1 / 5040) + z * np.float32(1 / 40320)
        series = np.float32(1 / 120) + z * (np.float32(1 / 720) + z * series)
        series = np.float32(1 / 2) + z * (np.float32(1 / 6) + z * (np.float32(1 / 24) + z * series))
        x_K[i] = np.float32(2) * (_ONE + z * (_ONE + z * series))
        bits_K[i] = (whole + np.int32(127)) << np.int32(23)
    total = _ZERO
    for i in range(x_K.shape[0]):
        x_K[i] *= scratch_K[i]
        total += x_K[i]
    return total


@_compiled
def attend(
    projected_TC: Floats, query_norm_X: Floats, eps: float, profile_RE: Floats, key_JSX: Floats, value_JSX: Floats,
    slot_TK: Ints, distance_TK: Ints, num_keys_T: Ints, tau_T: Floats, mixed_TC: Floats,
) -> None:  # fmt: skip
    """Every query over the entries that it sees. ``projected`` holds queries, keys and values, relative states."""
    num_relative, extent = profile_RE.shape
    num_kv_heads, head_width = key_JSX.shape[0], key_JSX.shape[2]
    num_heads = mixed_TC.shape[1] // head_width
    first_relative = (num_heads + 2 * num_kv_heads) * head_width
    most_keys = num_keys_T.max()
    query_X, bias_E = np.empty(head_width, np.float32), np.empty(extent, np.float32)
    logit_K, scratch_K = np.empty(most_keys, np.float32), np.empty(most_keys, np.float32)
    for t in range(projected_TC.shape[0]):
        n = num_keys_T[t]
        for h in range(num_heads):
            normalise(projected_TC[t, h * head_width : (h + 1) * head_width], query_norm_X, eps, query_X)
            start = first_relative + h * num_relative
            bias_E[:] = _ZERO
            for r in range(num_relative):
                weight, profile = projected_TC[t, start + r], profile_RE[r]
                for e in range(extent):
                    bias_E[e] += weight * profile[e]
            j = h // (num_heads // num_kv_heads)
            attend_one(
                query_X, bias_E, tau_T[t], key_JSX[j], value_JSX[j], slot_TK[t, :n], distance_TK[t, :n],
                logit_K[:n], scratch_K[:n], mixed_TC[t, h * head_width : (h + 1) * head_width],
            )  # fmt: skip


@_compiled
def attend_one(
    query_X: Floats, bias_E: Floats, tau: float, key_SX: Floats, value_SX: Floats, slot_K: Ints, distance_K: Ints,
    logit_K: Floats, scratch_K: Floats, mixed_X: Floats,
) -> None:  # fmt: skip
    """One query over the entries ``slot``, ``distance`` before it, its logits times ``tau``."""
    width, extent, num_keys = query_X.shape[0], bias_E.shape[0], slot_K.shape[0]
    scale, top = _ONE / np.float32(width), np.float32(-1e30)
    for i in range(num_keys):
        key, logit = key_SX[slot_K[i]], _ZERO
        for x in range(width):
            logit += query_X[x] * key[x]
        logit *= scale
        if distance_K[i] < extent:
            logit += bias_E[extent - 1 - distance_K[i]]
        logit *= tau
        logit_K[i] = logit
        top = max(top, logit)
    for i in range(num_keys):
        logit_K[i] -= top
    share = _ONE / exponentials(logit_K, scratch_K)
    mixed_X[:] = _ZERO
    in_fours = num_keys - num_keys % 4
    for i in range(0, in_fours, 4):  # four at once: the sum is read and written once for all of them
        v0, v1 = value_SX[slot_K[i]], value_SX[slot_K[i + 1]]
        v2, v3 = value_SX[slot_K[i + 2]], value_SX[slot_K[i + 3]]
        w0, w1, w2, w3 = logit_K[i], logit_K[i + 1], logit_K[i + 2], logit_K[i + 3]
        for x in range(width):
            mixed_X[x] += (w0 * v0[x] + w1 * v1[x]) + (w2 * v2[x] + w3 * v3[x])
    for i in range(in_fours, num_keys):
        weight, value = logit_K[i], value_SX[slot_K[i]]
        for x in range(width):
            mixed_X[x] += weight * value[x]
    mixed_X *= share


@_compiled
def layer(
    x_TD: Floats, eps: float,
    attention_norm_D: Floats, project_DC: Weights, query_norm_X: Floats, key_norm_X: Floats, profile_RE: Floats,
    output_CD: Weights, mlp_norm_D: Floats, gate_up_DC: Weights, down_CD: Weights, mlp_scale: float,
    kv_taps_LC: Floats, attention_taps_LD: Floats, mlp_taps_LD: Floats,
    tail_LC: Floats, kv_width: int, key_JSX: Floats, value_JSX: Floats, end: int,
    slot_TK: Ints, distance_TK: Ints, num_keys_T: Ints, tau_T: Floats,
) -> None:  # fmt: skip
    """One decoder layer, in place: new positions ``x`` of a row whose buffers hold ``end`` entries before them."""
    num_positions, width = x_TD.shape
    num_kv_heads, head_width = key_JSX.shape[0], key_JSX.shape[2]
    query_width, kv = output_CD.shape[0], num_kv_heads * head_width

    normal_TD, out_TD, smooth_TD = np.empty_like(x_TD), np.empty_like(x_TD), np.empty_like(x_TD)
    for t in range(num_positions):
        normalise(x_TD[t], attention_norm_D, eps, normal_TD[t])
    projected_TC = np.empty((num_positions, project_DC.shape[1]), np.float32)
    multiply(normal_TD, project_DC, projected_TC)

    raw_TC, kv_TC = np.empty((num_positions, 2 * kv), np.float32), np.empty((num_positions, 2 * kv), np.float32)
    raw_TC[:] = projected_TC[:, query_width : query_width + 2 * kv]
    convolve(raw_TC, kv_taps_LC, tail_LC[:, : 2 * kv], kv_TC)
    for t in range(num_positions):
        for j in range(num_kv_heads):
            first = j * head_width
            normalise(kv_TC[t, first : first + head_width], key_norm_X, eps, key_JSX[j, end + t])
            value_JSX[j, end + t] = kv_TC[t, kv + first : kv + first + head_width]

    mixed_TC = np.empty((num_positions, query_width), np.float32)
    attend(
        projected_TC, query_norm_X, eps, profile_RE, key_JSX, value_JSX,
        slot_TK, distance_TK, num_keys_T, tau_T, mixed_TC,
    )  # fmt: skip
    multiply(mixed_TC, output_CD, out_TD)
    place = 2 * kv_width
    convolve(out_TD, attention_taps_LD, tail_LC[:, place : place + width], smooth_TD)
    x_TD += smooth_TD

    for t in range(num_positions):
        normalise(x_TD[t], mlp_norm_D, eps, normal_TD[t])
    hidden = down_CD.shape[0]
    gate_up_TC = np.empty((num_positions, 2 * hidden), np.float32)
    multiply(normal_TD, gate_up_DC, gate_up_TC)
    gated_TC, scratch_C = np.empty((num_positions, hidden), np.float32), np.empty(hidden, np.float32)
    for t in range(num_positions):
        silu(gate_up_TC[t, :hidden], scratch_C, gated_TC[t])
    gated_TC *= gate_up_TC[:, hidden:]
    multiply(gated_TC, down_CD, out_TD)
    out_TD *= np.float32(mlp_scale)
    place += width
    convolve(out_TD, mlp_taps_LD, tail_LC[:, place : place + width], smooth_TD)
    x_TD += smooth_TD


@_compiled
def silu(x_C: Floats, scratch_C: Floats, y_C: Floats) -> None:
    """``x`` times its sigmoid."""
    for c in range(x_C.shape[0]):
        y_C[c] = -abs(x_C[c])
    exponentials(y_C, scratch_C)
    for c in range(x_C.shape[0]):
        far = y_C[c] / (_ONE + y_C[c])  # the sigmoid of -|x|
        y_C[c] = x_C[c] * (far if x_C[c] < _ZERO else _ONE - far)


@_compiled
def see_window(
    start: int, end: int, num_positions: int, window: int, slot_TK: Ints, distance_TK: Ints, n_T: Ints
) -> None:
    """What a sliding layer's queries see of a buffer whose live entries are [start, end), and of one another."""
    for t in range(num_positions):
        last = end + t
        first = max(start, last - window + 1)
        n_T[t] = last - first + 1
        for i in range(n_T[t]):
            slot_TK[t, i] = first + i
            distance_TK[t, i] = last - first - i


@_compiled
def see_kept(
    fields_4S: Ints, end: int, num_positions: int, eviction_turns: int, max_kept_text: int, drop_T: Ints,
    slot_TK: Ints, distance_TK: Ints, n_T: Ints,
) -> None:  # fmt: skip
    """What a global layer's queries see, the rule of ``mask.is_kept``; the queries' own entries are in already."""
    for t in range(num_positions):
        last = end + t
        position, turn, rank = fields_4S[0, last], fields_4S[1, last], fields_4S[2, last]
        n = 0
        for s in range(last + 1):
            is_recent = turn - fields_4S[1, s] < eviction_turns
            is_text = fields_4S[3, s] != 0 and fields_4S[1, s] >= drop_T[t]
            if is_recent or (is_text and rank - fields_4S[2, s] < max_kept_text):
                slot_TK[t, n] = s
                distance_TK[t, n] = position - fields_4S[0, s]
                n += 1
        n_T[t] = n


@_compiled
def flow(
    condition_D: Floats, point_P: Floats, guidance_K: Floats, time_KC: Floats,
    condition_DW: Weights, condition_W: Floats, modulate_WC: Weights,
    enter_PW: Weights, enter_W: Floats, block_enter_UWW: Weights, block_enter_UW: Floats,
    block_leave_UWW: Weights, block_leave_UW: Floats, leave_WP: Weights, leave_P: Floats,
) -> None:  # fmt: skip
    """A patch from noise, in place, in K Euler steps: ``FlowHead.sample`` for one row.

    U blocks; C channels of all modulations, each block's shift, scale and gate, then the last shift and scale.
    R ways to go: as the condition says, and, in the steps whose guidance is not 1, as without one.
    """
    num_steps, width, num_blocks = time_KC.shape[0], enter_W.shape[0], block_enter_UW.shape[0]
    num_ways = 1 if (guidance_K == _ONE).all() else 2
    code_RW, modulation_RC = np.empty((num_ways, width), np.float32), np.empty((num_ways, time_KC.shape[1]), np.float32)
    x_RW, y_RW, hidden_RW = (
        np.empty((num_ways, width), np.float32),
        np.empty((num_ways, width), np.float32),
        np.empty((num_ways, width), np.float32),
    )
    point_RP = np.empty((num_ways, point_P.shape[0]), np.float32)
    velocity_RP, scratch_W = np.empty((num_ways, point_P.shape[0]), np.float32), np.empty(width, np.float32)
    condition_RD = np.zeros((num_ways, condition_D.shape[0]), np.float32)
    condition_RD[0] = condition_D
    multiply(condition_RD, condition_DW, hidden_RW)
    for r in range(num_ways):
        hidden_RW[r] += condition_W
        silu(hidden_RW[r], scratch_W, code_RW[r])
    multiply(code_RW, modulate_WC, modulation_RC)
    for step in range(num_steps):
        num_ways = 1 if guidance_K[step] == _ONE else 2
        step_RC = modulation_RC[:num_ways] + time_KC[step]
        for r in range(num_ways):
            point_RP[r] = point_P
        multiply(point_RP[:num_ways], enter_PW, x_RW)
        for r in range(num_ways):
            x_RW[r] += enter_W
        for u in range(num_blocks):
            first = 3 * u * width
            for r in range(num_ways):
                modulate(x_RW[r], step_RC[r, first : first + 2 * width], y_RW[r])
            multiply(y_RW[:num_ways], block_enter_UWW[u], hidden_RW)
            for r in range(num_ways):
                hidden_RW[r] += block_enter_UW[u]
                silu(hidden_RW[r], scratch_W, y_RW[r])
            multiply(y_RW[:num_ways], block_leave_UWW[u], hidden_RW)
            for r in range(num_ways):
                for w in range(width):
                    gate = step_RC[r, first + 2 * width + w]
                    x_RW[r, w] += gate * (hidden_RW[r, w] + block_leave_UW[u, w])
        for r in range(num_ways):
            modulate(x_RW[r], step_RC[r, 3 * num_blocks * width :], y_RW[r])
        multiply(y_RW[:num_ways], leave_WP, velocity_RP)
        for i in range(point_P.shape[0]):
            velocity = velocity_RP[0, i]
            if num_ways == 2:
                velocity = velocity_RP[1, i] + guidance_K[step] * (velocity - velocity_RP[1, i])
            point_P[i] += (velocity + leave_P[i]) / np.float32(num_steps)


@_compiled
def modulate(x_W: Floats, shift_scale_2W: Floats, y_W: Floats) -> None:
    """``x`` without its mean and deviation, scaled and shifted."""
    width = x_W.shape[0]
    mean, square = _ZERO, _ZERO
    for w in range(width):
        mean += x_W[w]
    mean /= np.float32(width)
    for w in range(width):
        square += (x_W[w] - mean) * (x_W[w] - mean)
    scale = _ONE / np.sqrt(square / np.float32(width) + np.float32(1e-5))
    for w in range(width):
        y_W[w] = (x_W[w] - mean) * scale * (_ONE + shift_scale_2W[width + w]) + shift_scale_2W[w]
