"""Runs the model: one micro-turn of some sessions, from sound to sound.

A step is one forward over everything that is new to the model: the end of the last output, events, time, picture,
sound. A silent turn ends there. Rows that have something to say go on together, one position a forward, whatever each
of them is at: choosing a token under the grammar, or making the next patch of speech with the flow head. A last patch
and the closing token are read with the next input, so that no forward is spent on them.

What is fed back is what is recorded: a patch goes through un-normalised log mel before the model reads it, so that a
replay from the journal reads the same bits.

Dimensions: B rows, T positions, D width of the model, V vocabulary, N patches, P values of a patch, S samples.
"""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from microturn.engine.ladder import Budget
from microturn.engine.row import Row
from microturn.engine.sampler import Purpose, SamplingSettings, choose, flow_noise
from microturn.engine.segments import segment_of
from microturn.engine.state_pool import StatePool
from microturn.engine.step import RowIn, RowOut
from microturn.engine.voice import Voice
from microturn.engine.whole_words import WholeWords
from microturn.features.dmel import dmel_step
from microturn.features.mel import NUM_BANDS, MelStatistics
from microturn.features.output_text import read_output
from microturn.features.patches import letterbox, pair_patches
from microturn.features.phones import UNKNOWN_PHONE
from microturn.features.sequence import PATCH_VALUES, Run, input_run
from microturn.features.tokenizer import Tokenizer
from microturn.features.vocoder import Vocoder
from microturn.model.grammar import Grammar
from microturn.model.interaction_model import InteractionModel
from microturn.turns.micro_turn import MicroTurnInput
from microturn.turns.timing import MAX_TEXT_TOKENS_PER_TURN, PATCHES_PER_TURN
from microturn.turns.trace import TurnTrace
from microturn.turns.video import VideoFrame
from microturn.turns.vocabulary import Kind

MAX_OPENERS = 2 * MAX_TEXT_TOKENS_PER_TURN + 8
"""Tokens of an output beside its text: every text token could stand in a piece of its own."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Everything that a runner needs of a trained model."""

    model: InteractionModel
    tokenizer: Tokenizer
    statistics: MelStatistics
    vocoder: Vocoder | None
    """None gives mel without sound."""
    model_hash: str = ""
    """Names the weights."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunnerSettings:
    """How a model is run."""

    num_slots: int = 16
    """Sessions at once."""
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    phones: SamplingSettings = field(default_factory=SamplingSettings)
    """How the phone of each patch is chosen."""
    frame_width: int = 160
    frame_height: int = 120
    """Frames are letterboxed to this size."""
    is_fused: bool = True
    """Layers are copied into fewer, larger products: faster, for twice their memory."""


@dataclass(slots=True)
class Timings:
    """Milliseconds spent in each phase of a step."""

    phases_ms: dict[str, float] = field(default_factory=dict[str, float])

    def __getitem__(self, name: str) -> float:
        return round(self.phases_ms.get(name, 0.0), 3)

    @contextmanager
    def phase(self, name: str) -> Generator[None, None, None]:
        start_ns = time.perf_counter_ns()
        yield
        self.phases_ms[name] = self.phases_ms.get(name, 0.0) + (time.perf_counter_ns() - start_ns) / 1e6


class ModelRunner:
    """A model and the states of its sessions."""

    def __init__(self, checkpoint: Checkpoint, settings: RunnerSettings | None = None) -> None:
        self.settings = settings or RunnerSettings()
        self._model = checkpoint.model.eval()
        if self.settings.is_fused:
            self._model.fuse()
        self._tokenizer, self._statistics = checkpoint.tokenizer, checkpoint.statistics
        self._vocabulary = checkpoint.tokenizer.vocabulary
        self._device = checkpoint.model.unembedding.weight.device
        self._grammar = Grammar(self._vocabulary, self._device)
        self._voice = Voice(checkpoint.vocoder) if checkpoint.vocoder is not None else None
        self.model_hash = checkpoint.model_hash
        self.pool = StatePool(checkpoint.model.config, self._vocabulary, self.settings.num_slots, self._device)
        self._whole_words = WholeWords(checkpoint.tokenizer, self._grammar, self.pool, self._read, self._logits)

    @property
    def can_see(self) -> bool:
        """Whether the model has learnt to see. If not, frames are left out of what it reads."""
        return self._model.config.video_in is not None

    def open(self, seed: int) -> int:
        """A slot for a session that begins. Raises CapacityError when none is free."""
        return self.pool.open(seed)

    def release(self, slot: int) -> None:
        """Forgets a session."""
        self.pool.release(slot)

    def capture(self, slot: int) -> Callable[[], bytes]:
        """A session's state as it is now; calling the result, in any thread, makes bytes of it."""
        return self.pool.capture(slot)

    def restore(self, state: bytes, seed: int) -> int:
        """A slot with a captured state. Raises CapacityError, or ValueError for bytes that do not load."""
        return self.pool.restore(state, seed)

    def fit(self, frames: tuple[VideoFrame, ...]) -> tuple[VideoFrame, ...]:
        """Frames letterboxed to the size at which the model sees them. A repeated one stays the same object."""
        width, height = self.settings.frame_width, self.settings.frame_height
        fitted = {id(f): replace(f, pixels=letterbox(f.pixels, width=width, height=height)) for f in frames}
        return tuple(fitted[id(frame)] for frame in frames)

    @torch.inference_mode()
    def step(self, rows: Sequence[RowIn], budget: Budget) -> list[RowOut]:
        """One micro-turn of some sessions, each slot at most once. If it raises, no state has changed."""
        assert len({row.slot for row in rows}) == len(rows), "a session has one micro-turn in a step"
        timings = Timings()
        with timings.phase("features"):
            opened = self._open_rows(rows, budget)
        with self._undone_on_error(opened, budget):
            with timings.phase("prefill"):
                self._read(opened, [row.run for row in opened])
            self._answer(opened, budget, timings)
            with timings.phase("vocoder"):
                sounds = self._speak(opened)
            results = [self._finish(row, sound, timings, len(rows)) for row, sound in zip(opened, sounds, strict=True)]
        for row in opened:
            row.commit()
            if row.drop_before_turn:
                self.pool.stream.rows[row.request.slot].drop_text(row.drop_before_turn)
        return results

    @contextmanager
    def _undone_on_error(self, rows: Sequence[Row], budget: Budget) -> Generator[None, None, None]:
        """Puts the model's states back to where they stood if the step fails."""
        states = [self.pool.stream.rows[row.request.slot] for row in rows]
        for row, state in zip(rows, states, strict=True):
            state.reserve(len(row.run) + MAX_OPENERS + budget.max_text_tokens + PATCHES_PER_TURN)
        marks = [state.mark() for state in states]
        try:
            yield
        except Exception:
            for state, mark in zip(states, marks, strict=True):
                state.rewind(mark)
            raise

    # Reading

    def _open_rows(self, requests: Sequence[RowIn], budget: Budget) -> list[Row]:
        """Each session's input as the model reads it."""
        sessions = [self.pool[request.slot] for request in requests]
        samples_BS = np.stack([request.input.audio for request in requests])
        bins_BTM, ears_BL = dmel_step(samples_BS, np.stack([session.ears for session in sessions]))
        rows: list[Row] = []
        for request, session, bins_TM, ears in zip(requests, sessions, bins_BTM, ears_BL, strict=True):
            events = session.events.copy()
            events.add(request.input.told, self._tokenizer)
            image_N = self._see(request.input)
            read = events.take_read()
            run = input_run(request.input.index, bins_TM, read.tokens, self._vocabulary, image_N)
            if session.unread is not None:
                run = Run.concat([session.unread, run])
            grammar = self._grammar.start(budget.max_text_tokens)
            script = session.script.longer(read.script)
            row = Row(request, session, self._vocabulary, ears, events, run, grammar, read.drop_before_turn, script)
            if request.forced is not None and not request.forced.is_checked:
                row.read_prescribed()
            rows.append(row)
        return rows

    def _see(self, turn: MicroTurnInput) -> NDArray[np.float32] | None:
        if not (turn.frames and self.can_see):
            return None
        older, newer = self.fit(turn.frames)
        return pair_patches(older.pixels, newer.pixels)

    def _read(self, rows: Sequence[Row], runs: Sequence[Run]) -> None:
        """One forward: each row reads its run, and holds the hidden state of the last position."""
        segment = segment_of(runs, self._vocabulary, self._statistics).to(self._device)
        hidden_BTD = self._model(segment, self.pool.stream.select(row.request.slot for row in rows))
        for row, run, hidden_TD in zip(rows, runs, hidden_BTD, strict=True):
            row.hidden_D = hidden_TD[len(run) - 1]

    # Answering

    def _answer(self, rows: Sequence[Row], budget: Budget, timings: Timings) -> None:
        """Goes on until every row is done, with fewer and fewer rows."""
        while rows := [row for row in rows if not row.is_done]:
            speaking = [row for row in rows if row.is_speaking]
            choosing = [row for row in rows if not row.is_speaking]
            if choosing:
                with timings.phase("decode"):
                    self._choose(choosing, budget)
            if speaking:
                with timings.phase("flow"):
                    self._flow(speaking, budget)
            if rows := [row for row in rows if not row.is_done]:
                with timings.phase("decode"):
                    self._read(rows, [row.next_run() for row in rows])

    def _choose(self, rows: Sequence[Row], budget: Budget) -> None:
        """The next token of each row."""
        logits_BV = self._restrained(rows, self._logits(rows))
        allowed_BV = torch.stack([self._allowed(row) for row in rows])
        keys = [(row.state.seed, row.turn, len(row.tokens)) for row in rows]
        tokens = choose(logits_BV, allowed_BV, self.settings.sampling, keys)
        if self.settings.sampling.temperature == 0:
            tokens = self._whole_words.first_tokens(rows, logits_BV, allowed_BV, tokens, budget.num_words)
        for row, token in zip(rows, tokens, strict=True):
            prescribed = row.prescribed_token()
            if prescribed is not None:
                row.num_deviations += token != prescribed
            row.take_token(token if prescribed is None else prescribed)
            if not row.is_done:
                row.grammar = self._grammar.advance(row.grammar, token if prescribed is None else prescribed)

    def _restrained(self, rows: Sequence[Row], logits_BV: Tensor) -> Tensor:
        """With speech less likely in rows that are silent and free to stay so."""
        special, restrained_BV = self._vocabulary.special, logits_BV
        for i, row in enumerate(rows):
            if row.request.restraint and row.may_begin_to_speak:
                restrained_BV = logits_BV.clone() if restrained_BV is logits_BV else restrained_BV
                restrained_BV[i, [special.say, special.audio]] -= row.request.restraint
        return restrained_BV

    def _logits(self, rows: Sequence[Row]) -> Tensor:
        """Of each row's next token: (B, V)."""
        return self._model.logits(_hidden(rows))[:, : self._vocabulary.size]

    def _allowed(self, row: Row) -> Tensor:
        if not row.script:
            return self._grammar.allowed(row.grammar)
        is_due = row.script.is_due and not row.num_said
        return self._grammar.allowed_in_script(row.grammar, row.scripted_token, is_due=is_due)

    def _flow(self, rows: Sequence[Row], budget: Budget) -> None:
        """The next patch of each row."""
        noise_NP = np.stack([flow_noise(r.state.seed, r.turn, len(r.speech), PATCH_VALUES) for r in rows])
        noise = torch.from_numpy(noise_NP).to(self._device)
        hidden_ND = _hidden(rows)
        phones = self._phones(rows, hidden_ND)
        phone_N = torch.tensor(phones, device=self._device)
        made_NP = self._model.make_patches(hidden_ND, phone_N, noise, budget.num_flow_steps, is_guided=budget.is_guided)
        normal_NP = made_NP.float().cpu().numpy()
        plain_NP = self._statistics.denormalise(normal_NP.reshape(-1, NUM_BANDS)).reshape(-1, PATCH_VALUES)
        for row, patch_P, phone in zip(rows, plain_NP, phones, strict=True):
            prescribed_P = row.prescribed_patch()
            if prescribed_P is not None:
                row.num_deviations += not np.array_equal(patch_P, prescribed_P)
            row.take_patch(patch_P if prescribed_P is None else prescribed_P, phone)

    def _phones(self, rows: Sequence[Row], hidden_ND: Tensor) -> list[int]:
        """The phone of each row's next patch."""
        if not self._model.chooses_phones:
            return [UNKNOWN_PHONE] * len(rows)
        logits_NQ = self._model.phone_head(hidden_ND)
        is_known_Q = torch.arange(logits_NQ.shape[1], device=self._device) != UNKNOWN_PHONE
        keys = [(row.state.seed, row.turn, len(row.speech)) for row in rows]
        chosen = choose(logits_NQ, is_known_Q, self.settings.phones, keys, Purpose.PHONE)
        prescribed = [row.prescribed_phone() for row in rows]
        for row, phone, recorded in zip(rows, chosen, prescribed, strict=True):
            row.num_deviations += recorded not in (None, UNKNOWN_PHONE, phone)
        return [phone if recorded is None else recorded for phone, recorded in zip(chosen, prescribed, strict=True)]

    def _speak(self, rows: Sequence[Row]) -> list[NDArray[np.float32] | None]:
        """Each row's sound. A row that is silenced because it came too late does not ring on either."""
        if self._voice is None:
            return [None] * len(rows)
        voices = [None if row.is_silenced else row.state.voice for row in rows]
        spoken = self._voice.speak([(row.mel(), voice) for row, voice in zip(rows, voices, strict=True)])
        for row, (_, voice) in zip(rows, spoken, strict=True):
            row.voice = voice
        return [sound for sound, _ in spoken]

    def _finish(self, row: Row, sound: NDArray[np.float32] | None, timings: Timings, batch_size: int) -> RowOut:
        said = read_output(row.turn, row.tokens, self._tokenizer)
        output = replace(said, mel=row.mel(), phones=tuple(row.phones), audio=sound)
        trace = TurnTrace(
            index=row.turn,
            batch_size=batch_size,
            num_input_positions=row.num_input_positions,
            num_waiting_event_tokens=len(row.events.tokens),
            kept_text_share=round(self.pool.stream.rows[row.request.slot].kept_text_share, 4),
            num_event_tokens=int((~row.run.is_output_T & (row.run.kind_T == Kind.TEXT)).sum()),
            num_image_tokens=len(row.run.image_N),
            num_text_tokens=len(row.tokens),
            is_cut_short=row.grammar.is_full,
            is_forced=row.request.forced is not None,
            restraint=row.request.restraint,
            num_deviations=row.num_deviations,
            features_ms=timings["features"],
            prefill_ms=timings["prefill"],
            decode_ms=timings["decode"],
            flow_ms=timings["flow"],
            vocoder_ms=timings["vocoder"],
        )
        return RowOut(output=output, tokens=tuple(row.tokens), trace=trace)


def _hidden(rows: Sequence[Row]) -> Tensor:
    """(N, D)."""
    return torch.stack([row.hidden_D for row in rows if row.hidden_D is not None])
