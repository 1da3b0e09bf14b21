"""What the engine remembers of each session between two micro-turns, in slots, and as bytes."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from microturn.engine.script import Script
from microturn.engine.segments import output_run_of
from microturn.errors import CapacityError, CheckpointError
from microturn.features.dmel import silent_tail
from microturn.features.phones import UNKNOWN_PHONE
from microturn.features.sequence import EventQueue, Run
from microturn.features.vocoder import VocoderState
from microturn.model.config import ModelConfig
from microturn.model.stream_state import StreamState
from microturn.turns.vocabulary import Kind, Vocabulary


@dataclass(slots=True)
class SessionState:
    """One session, apart from what the model itself remembers."""

    seed: int
    ears: NDArray[np.float32] = field(default_factory=lambda: silent_tail(1)[0])
    """The last samples heard, which the next dMel token's window still covers."""
    events: EventQueue = field(default_factory=EventQueue)
    """Tokens of text events that wait to enter a turn."""
    unread: Run | None = None
    """The end of the last output, which the model reads together with the next input."""
    script: Script = field(default_factory=Script)
    """What the model is still to say, word by word."""
    voice: VocoderState | None = None
    """Of the utterance that is being spoken; None between utterances."""
    sees: bool = False
    """A picture has come: from there on its turns are the seeing weights'."""


class StatePool:
    """A fixed number of slots.

    Args:
        config: Of the model.
        vocabulary: Of its tokenizer.
        num_slots: Sessions at once.
        device: Of the model.
    """

    def __init__(
        self, config: ModelConfig, vocabulary: Vocabulary, num_slots: int, device: torch.device | str = "cpu"
    ) -> None:
        self.stream = StreamState.new(config, num_slots, device=device)
        """What the model remembers, one row a slot."""
        self._vocabulary = vocabulary
        self._sessions: list[SessionState | None] = [None] * num_slots

    def __getitem__(self, slot: int) -> SessionState:
        session = self._sessions[slot]
        assert session is not None, f"slot {slot} is free"
        return session

    def open(self, seed: int) -> int:
        """A slot for a session that begins. Raises CapacityError when none is free."""
        if None not in self._sessions:
            raise CapacityError(
                f"all {len(self._sessions)} slots are taken: try again later, or run with more sessions"
            )
        slot = self._sessions.index(None)
        self._sessions[slot] = SessionState(seed)
        return slot

    def release(self, slot: int) -> None:
        """Frees a slot and its memory."""
        self._sessions[slot] = None
        self.stream.reset_row(slot)

    def nbytes(self, slot: int) -> int:
        """Memory that a session's model state holds."""
        return self.stream.nbytes(slot)

    def capture(self, slot: int) -> Callable[[], bytes]:
        """Copies a slot's state; calling the result, in any thread, makes safetensors of it."""
        session = self[slot]
        tensors = {f"model.{name}": tensor.cpu() for name, tensor in self.stream.to_tensors(slot).items()}
        tensors["ears"] = torch.from_numpy(session.ears.copy())
        tensors["events"] = torch.tensor(list(session.events.tokens), dtype=torch.int32)
        tensors["event_drops"] = torch.tensor(list(session.events.drops), dtype=torch.int32).reshape(-1, 2)
        tensors["event_scripts"] = _ints(
            n for left, script in session.events.scripts for n in (left, len(script), *script)
        )
        script = session.script
        tensors["script"] = _ints((script.has_begun, script.num_waited, *script.tokens) if script else ())
        tensors["sees"] = torch.tensor(session.sees)
        if session.unread is not None:
            tensors["unread.speech"] = torch.from_numpy(session.unread.speech_NP.copy())
            tensors["unread.phones"] = _ints(session.unread.token_T[session.unread.kind_T == Kind.SPEECH])
            tensors["unread.turn"] = torch.from_numpy(session.unread.turn_T[:1].copy())
        if session.voice is not None:
            tensors |= {f"voice.{name}": tensor.cpu().clone() for name, tensor in _voice_tensors(session.voice).items()}
        return lambda: save(tensors)

    def restore(self, state: bytes, seed: int) -> int:
        """A slot with a captured state.

        Raises:
            CapacityError: none is free.
            ValueError: the bytes are not a state of this model.
        """
        slot = self.open(seed)
        try:
            tensors = load(state)
            model = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
            self.stream.load_row(slot, model)
            session = self[slot]
            session.ears = tensors["ears"].numpy()
            session.events.tokens = deque(tensors["events"].tolist())
            if "event_drops" in tensors:  # snapshots of older versions have none
                session.events.drops = deque((left, before) for left, before in tensors["event_drops"].tolist())
            if "script" in tensors:
                session.events.scripts = _scripts(tensors["event_scripts"].tolist())
                session.script = _script(tensors["script"].tolist())
            session.sees = "sees" in tensors and bool(tensors["sees"])
            if "unread.turn" in tensors:
                session.unread = self._unread(tensors)
            session.voice = _voice({n.removeprefix("voice."): t for n, t in tensors.items() if n.startswith("voice.")})
        except (SafetensorError, CheckpointError, KeyError, RuntimeError, ValueError) as error:
            self.release(slot)
            raise ValueError(f"these bytes are no state of this model ({error}): use an earlier snapshot") from error
        return slot

    def _unread(self, tensors: dict[str, Tensor]) -> Run:
        speech_NP = tensors["unread.speech"].numpy()
        phones = tensors["unread.phones"].tolist() if "unread.phones" in tensors else [UNKNOWN_PHONE] * len(speech_NP)
        return output_run_of(int(tensors["unread.turn"]), (), speech_NP, phones, self._vocabulary, is_closed=True)


def _ints(values: Iterable[int]) -> Tensor:
    return torch.tensor([int(value) for value in values], dtype=torch.int32)


def _scripts(values: list[int]) -> deque[tuple[int, tuple[int, ...]]]:
    """The inverse of how waiting scripts are written: tokens left, length, tokens, and so on."""
    scripts: deque[tuple[int, tuple[int, ...]]] = deque()
    while values:
        left, length, *rest = values
        scripts.append((left, tuple(rest[:length])))
        values = rest[length:]
    return scripts


def _script(values: list[int]) -> Script:
    return Script(tuple(values[2:]), bool(values[0]), values[1]) if values else Script()


def join_voices(voices: list[VocoderState]) -> VocoderState:
    """States of single sessions as one batch."""
    return VocoderState(
        convs=tuple(torch.cat(parts) for parts in zip(*(voice.convs for voice in voices), strict=True)),
        **{
            f.name: torch.cat([getattr(voice, f.name) for voice in voices])
            for f in fields(VocoderState)
            if f.name != "convs"
        },
    )


def _voice_tensors(voice: VocoderState) -> dict[str, Tensor]:
    tensors = {f.name: getattr(voice, f.name) for f in fields(VocoderState) if f.name != "convs"}
    return tensors | {f"convs.{i}": tail for i, tail in enumerate(voice.convs)}


def _voice(tensors: dict[str, Tensor]) -> VocoderState | None:
    if not tensors:
        return None
    num_convs = sum(name.startswith("convs.") for name in tensors)
    convs = tuple(tensors.pop(f"convs.{i}") for i in range(num_convs))
    return VocoderState(convs=convs, **tensors)
