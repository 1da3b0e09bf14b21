"""The model's voice on an audio track, and what the client is told of it: ``output_audio_buffer.*``.

As the Realtime types define them: ``started`` when the first sound of a response is on the track, ``stopped`` once all
of it has left and no more comes, ``cleared`` when the rest was dropped, by an interruption or by
``output_audio_buffer.clear``. A cancelled response only ends: what is on the track already plays out.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from openai.types.realtime.realtime_server_event import (
    OutputAudioBufferCleared,
    OutputAudioBufferStarted,
    OutputAudioBufferStopped,
)

from microturn.server.media import SoundSink
from microturn.server.wire import Wire


class Track:
    """One session's sink, with the events about it.

    Args:
        sink: Is given a micro-turn when no more than a fraction of one is left in it.
    """

    def __init__(self, wire: Wire[Any], sink: SoundSink) -> None:
        self._wire = wire
        self._sink = sink
        self._sounding: str | None = None
        """The response that the client was told of last, until its sound has ended."""
        self._is_ended = False
        """That response gives no more sound."""
        self._is_drained = True
        """The last turn that was played held none of its sound: what came before has left."""

    def play(self, samples: NDArray[np.float32] | None, response_id: str | None) -> None:
        """Append one micro-turn's sound (4800,) at 24 kHz, of a response; None for silence."""
        is_other = samples is not None and response_id != self._sounding
        if self._is_ended or is_other:
            self._stop()
        self._sink.play(samples)
        self._is_drained = samples is None
        if samples is not None and response_id is not None and self._sounding is None:
            self._sounding = response_id
            self._wire.send(
                OutputAudioBufferStarted(
                    type="output_audio_buffer.started", event_id=self._wire.new_event_id(), response_id=response_id
                )
            )

    def end(self) -> None:
        """The response has ended: its sound stops, at once or when the rest of it has left."""
        self._is_ended = self._sounding is not None
        if self._is_drained:
            self._stop()

    def clear(self) -> None:
        """Drop what has not left."""
        self._sink.clear()
        if self._sounding is not None:
            self._wire.send(
                OutputAudioBufferCleared(
                    type="output_audio_buffer.cleared",
                    event_id=self._wire.new_event_id(),
                    response_id=self._sounding,
                )
            )
        self._sounding, self._is_ended, self._is_drained = None, False, True

    def _stop(self) -> None:
        if self._sounding is not None:
            self._wire.send(
                OutputAudioBufferStopped(
                    type="output_audio_buffer.stopped",
                    event_id=self._wire.new_event_id(),
                    response_id=self._sounding,
                )
            )
        self._sounding, self._is_ended = None, False
