"""Responses for turn-based clients, drawn from a model that speaks when it thinks fit.

A response begins with the first micro-turn that sounds, or at once when the client asks for one; it ends once the model
has been silent for ``END_AFTER_TURNS``, or at once when it was interrupted.
"""

import contextlib
from typing import Any

import numpy as np
from openai.types.shared.metadata import Metadata

from microturn.background.jobs import Job
from microturn.server.channel import ClientGoneError
from microturn.server.function_calls import FunctionCall, call_in_words, functions_of
from microturn.server.media import SoundSink
from microturn.server.playout import PlayedTurn
from microturn.server.realtime.conversation import Conversation
from microturn.server.realtime.response import CancelReason, Response
from microturn.server.realtime.settings import RealtimeSettings
from microturn.server.realtime.track import Track
from microturn.server.realtime.usage import UsageMeter
from microturn.server.resample import StreamingResampler
from microturn.server.wire import Wire
from microturn.turns.background import Act, ActKind
from microturn.turns.timing import OUT_HZ, OUT_SAMPLES_PER_TURN

END_AFTER_TURNS = 3
"""A pause within what is said is shorter than this."""
GIVE_UP_AFTER_TURNS = 40
"""A response that was asked for ends empty when the model has said nothing for this long."""
_SILENCE = np.zeros(OUT_SAMPLES_PER_TURN, dtype=np.float32)


class Responses:
    """The responses of one session, one after the other.

    Args:
        usage: Has counted what the micro-turns cost.
        sink: Plays the sound on a track; without one, it goes out in messages.
    """

    def __init__(
        self,
        wire: Wire[Any],
        conversation: Conversation,
        settings: RealtimeSettings,
        usage: UsageMeter,
        sink: SoundSink | None = None,
    ) -> None:
        self._wire = wire
        self._usage = usage
        self._track = None if sink is None else Track(wire, sink)
        self._conversation = conversation
        self._settings = settings
        self._resampler = StreamingResampler(OUT_HZ, settings.output_codec.rate_hz)
        self._current: Response | None = None
        self._num_quiet_turns = 0
        self._is_dropping = False
        """The client cancelled: what is left of the utterance is not sent."""
        self._calls: dict[str, FunctionCall] = {}
        """Functions that the client was asked to call, by the id of the call."""

    def change_settings(self, settings: RealtimeSettings) -> None:
        """New settings; a response that has begun keeps its own modality."""
        if settings.output_codec != self._settings.output_codec:
            self._resampler = StreamingResampler(OUT_HZ, settings.output_codec.rate_hz)
        self._settings = settings

    def request(self, metadata: Metadata | None) -> None:
        """The client asks for a response: what the model says next belongs to it."""
        self._is_dropping = False
        if self._current is not None:
            self._finish()
        self._begin(metadata)

    @property
    def is_active(self) -> bool:
        """Whether a response has begun and not ended."""
        return self._current is not None

    @property
    def is_speaking(self) -> bool:
        """Whether something has been said in the response that runs."""
        return self._current is not None and self._current.has_begun

    def cancel(self) -> None:
        """The client does not want the rest."""
        if self._current is not None:
            self._finish("client_cancelled")
            self._is_dropping, self._num_quiet_turns = True, 0

    def clear(self) -> None:
        """The client wants no more sound, of what is on the track neither. One that should have cancelled first is
        taken to have done so."""
        self.cancel()
        if self._track is not None:
            self._track.clear()

    def interrupted(self) -> None:
        """The model broke off by itself."""
        if self._current is not None and self._current.has_begun:
            self._finish("turn_detected")
        if self._track is not None:
            self._track.clear()

    def play(self, turn: PlayedTurn) -> None:
        """Send one micro-turn's sound and words."""
        is_quiet = turn.audio is None and not turn.caption
        is_heard = not self._is_dropping and self._settings.modality == "audio"
        if self._is_dropping:  # A pause within the utterance is not its end.
            self._num_quiet_turns = self._num_quiet_turns + 1 if is_quiet else 0
            self._is_dropping = self._num_quiet_turns < END_AFTER_TURNS
        elif is_quiet:
            self._rest()
        else:
            response = self._current or self._begin(None)
            for _ in range(self._num_quiet_turns if response.has_begun else 0):
                self._send_sound(response, _SILENCE)  # A pause within the response keeps its length.
            self._num_quiet_turns = 0
            if turn.caption:
                response.add_words(turn.caption)
            if turn.audio is None:
                self._num_quiet_turns = 1  # The last word's caption may come with the silence after it.
            else:
                self._send_sound(response, turn.audio)
        if self._track is not None:
            response_id = self._current.response_id if self._current is not None else None
            self._track.play(turn.audio if is_heard else None, response_id)

    def call(self, act: Act) -> bool:
        """Where there is no background: turn a request to it into the function call that its words mean; False when
        they mean none.

        What is corrected is called for again, as a whole. The call before it counts no more, nor does a cancelled one.
        """
        before: tuple[str, ...] = ()
        for call_id in [each for each, call in self._calls.items() if call.job == act.job]:
            before = self._calls.pop(call_id).words
        if act.kind is ActKind.CANCEL or (act.kind is ActKind.AMEND and not before):
            return False
        words = (*before, act.text) if act.kind is ActKind.AMEND else (act.text,)
        found = call_in_words(functions_of(self._settings.tools), words)
        if found is None:
            return False
        call_id = f"call_{self._wire.new_event_id()}"
        self._calls[call_id] = FunctionCall(job=act.job, words=words)
        self._send_call(*found, call_id)
        return True

    def follow(self, job: Job) -> None:
        """A job of the background has changed: tell the client of the functions that it is to call."""
        for call in job.calls.values():
            if not call.is_told:
                call.is_told = True
                with contextlib.suppress(ClientGoneError):  # Noticed by the session's own tasks.
                    self._send_call(call.name, call.arguments, call.call_id)

    def _send_call(self, name: str, arguments: str, call_id: str) -> None:
        was_active = self._current is not None
        (self._current or self._begin(None)).call(name, arguments, call_id)
        if not was_active:
            self._finish()

    def job_of(self, call_id: str) -> int | None:
        """The job that a function call stands for; None for a call that is not ours, or was answered."""
        call = self._calls.get(call_id)
        return None if call is None else call.job

    def forget_call(self, call_id: str) -> None:
        """The model has what a function gave."""
        del self._calls[call_id]

    def _rest(self) -> None:
        self._num_quiet_turns += 1
        if self._current is None:
            return
        patience = END_AFTER_TURNS if self._current.has_output else GIVE_UP_AFTER_TURNS
        if self._num_quiet_turns >= patience:
            self._finish()

    def _begin(self, metadata: Metadata | None) -> Response:
        self._current = Response(self._wire, self._conversation, self._settings.modality, metadata)
        self._num_quiet_turns = 0
        return self._current

    def _finish(self, cancelled: CancelReason | None = None) -> None:
        assert self._current is not None, "a response ends once"
        self._current.finish(self._usage.take(), cancelled)
        self._current = None
        if self._track is not None and cancelled != "turn_detected":  # An interruption clears it.
            self._track.end()

    def _send_sound(self, response: Response, samples: np.ndarray[Any, np.dtype[np.float32]]) -> None:
        if self._track is None:
            response.add_sound(self._settings.output_codec.encode(self._resampler.push(samples)))
        else:
            response.add_sound(None)
