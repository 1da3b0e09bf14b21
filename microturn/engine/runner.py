"""Runs the model: one micro-turn of some sessions, from sound to sound.

A step is one forward over everything that is new to the model: the end of the last output, events, time, picture,
sound. A silent turn ends there; rows that have something to say go on (``Decoder``). A last patch and the closing token
are read with the next input, so that no forward is spent on them.

A session begins with the weights that listen. Where a checkpoint has weights that see as well, the session is theirs
from its first picture on, and goes on over the same state: who leaves the camera off loses nothing to sight. Rows of
one step are decoded by their weights, one group after the other.

What is fed back is what is recorded: a patch goes through un-normalised log mel before the model reads it, so that a
replay from the journal reads the same bits.

Dimensions: B rows, T positions, M bands, N image tokens, S samples.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from microturn.engine.decoder import Decoder, Timings
from microturn.engine.ladder import Budget
from microturn.engine.row import Row
from microturn.engine.sampler import SamplingSettings
from microturn.engine.state_pool import StatePool
from microturn.engine.step import RowIn, RowOut
from microturn.engine.voice import Voice
from microturn.features.dmel import dmel_step
from microturn.features.mel import MelStatistics
from microturn.features.output_text import read_output
from microturn.features.patches import letterbox, pair_patches
from microturn.features.sequence import Run, input_run
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
    seeing: InteractionModel | None = None
    """Weights that a session goes over to with its first picture; None: the others see as well, or nothing does."""
    model_hash: str = ""
    """Names the weights."""

    @property
    def can_see(self) -> bool:
        """Whether any of its weights have learnt to see."""
        return self.seeing is not None or self.model.config.video_in is not None


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


class ModelRunner:
    """A model and the states of its sessions."""

    def __init__(self, checkpoint: Checkpoint, settings: RunnerSettings | None = None) -> None:
        self.settings = settings or RunnerSettings()
        self._tokenizer = checkpoint.tokenizer
        self._vocabulary = checkpoint.tokenizer.vocabulary
        device = checkpoint.model.unembedding.weight.device
        self._grammar = Grammar(self._vocabulary, device)
        self._voice = Voice(checkpoint.vocoder) if checkpoint.vocoder is not None else None
        self.model_hash = checkpoint.model_hash
        self.can_see = checkpoint.can_see
        """Whether frames are read at all. If not, they are left out."""
        self.pool = StatePool(checkpoint.model.config, self._vocabulary, self.settings.num_slots, device)
        self._listening = self._decoder(checkpoint, checkpoint.model)
        self._seeing = self._listening if checkpoint.seeing is None else self._decoder(checkpoint, checkpoint.seeing)

    def _decoder(self, checkpoint: Checkpoint, model: InteractionModel) -> Decoder:
        model.eval()
        if self.settings.is_fused:
            model.fuse()
        return Decoder(
            model,
            checkpoint.tokenizer,
            checkpoint.statistics,
            self.pool,
            self._grammar,
            sampling=self.settings.sampling,
            phones=self.settings.phones,
        )

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
            for decoder, group in self._by_decoder(opened):
                with timings.phase("prefill"):
                    decoder.read(group, [row.run for row in group])
                decoder.answer(group, budget, timings)
            with timings.phase("vocoder"):
                sounds = self._speak(opened)
            results = [self._finish(row, sound, timings, len(rows)) for row, sound in zip(opened, sounds, strict=True)]
        for row in opened:
            row.commit()
            if row.drop_before_turn:
                self.pool.stream.rows[row.request.slot].drop_text(row.drop_before_turn)
        return results

    def _by_decoder(self, rows: Sequence[Row]) -> Iterator[tuple[Decoder, list[Row]]]:
        """Rows of the same weights together."""
        if self._seeing is self._listening:
            yield self._listening, list(rows)
            return
        for decoder, sees in ((self._listening, False), (self._seeing, True)):
            if group := [row for row in rows if row.sees == sees]:
                yield decoder, group

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
            row.sees = session.sees or image_N is not None
            if request.forced is not None and not request.forced.is_checked:
                row.read_prescribed()
            rows.append(row)
        return rows

    def _see(self, turn: MicroTurnInput) -> NDArray[np.float32] | None:
        if not (turn.frames and self.can_see):
            return None
        older, newer = self.fit(turn.frames)
        return pair_patches(older.pixels, newer.pixels)

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
