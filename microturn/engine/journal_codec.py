"""Micro-turns to bytes and back, bit for bit.

A record is a length, a JSON header, and the arrays that the header describes. Sound on the 16-bit grid, which is all
that the slicer and the runner produce, is kept as 16-bit integers; anything else stays float32. Frames are PNG.
"""

import io
import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from microturn.errors import JournalError
from microturn.turns.micro_turn import MEL_BANDS, MicroTurnInput, MicroTurnOutput, Piece, PieceKind, Role, TextEvent
from microturn.turns.timing import MEL_FRAMES_PER_TURN
from microturn.turns.video import VideoFrame

_LENGTH = struct.Struct("<I")
_PCM_SCALE = np.float32(2**-15)


def encode_input(turn: MicroTurnInput) -> bytes:
    """One input as bytes."""
    sound, sound_type = _pack_sound(turn.audio)
    pictures: list[bytes] = []
    for i, frame in enumerate(turn.frames):
        is_repeat = i > 0 and frame is turn.frames[i - 1]
        pictures.append(b"" if is_repeat else _pack_frame(frame))
    header = {
        "index": turn.index,
        "sound": [sound_type, len(sound)],
        "missing": turn.num_missing_samples,
        "gap": turn.gap_turns,
        "events": [event_fields(event) for event in turn.events],
        "frames": [[f.time_ms, len(picture)] for f, picture in zip(turn.frames, pictures, strict=True)],
    }
    return _join(header, sound, *pictures)


def decode_input(record: bytes) -> MicroTurnInput:
    """The inverse of ``encode_input``. Raises JournalError on a damaged record."""
    try:
        header, body = _split(record)
        sound_type, sound_bytes = header["sound"]
        frames: list[VideoFrame] = []
        offset = sound_bytes
        for time_ms, num_bytes in header["frames"]:
            frames.append(_unpack_frame(time_ms, body[offset : offset + num_bytes]) if num_bytes else frames[-1])
            offset += num_bytes
        return MicroTurnInput(
            index=header["index"],
            audio=_unpack_sound(body[:sound_bytes], sound_type),
            frames=tuple(frames),
            events=_events(header),
            num_missing_samples=header["missing"],
            gap_turns=header["gap"],
        )
    except (ValueError, KeyError, TypeError, IndexError, OSError, struct.error) as error:
        raise _damaged(error) from error


def encode_output(turn: MicroTurnOutput) -> bytes:
    """One output as bytes."""
    sound, sound_type = (b"", "none") if turn.audio is None else _pack_sound(turn.audio)
    mel = b"" if turn.mel is None else turn.mel.astype("<f4").tobytes()
    header = {
        "index": turn.index,
        "hear": turn.hear,
        "pieces": [[piece.kind, piece.text, piece.is_end] for piece in turn.pieces],
        "clear": turn.is_clear,
        "say": turn.say,
        "sound": [sound_type, len(sound)],
        "phones": turn.phones,
    }
    return _join(header, sound, mel)


def decode_output(record: bytes) -> MicroTurnOutput:
    """The inverse of ``encode_output``. Raises JournalError on a damaged record."""
    try:
        header, body = _split(record)
        sound_type, sound_bytes = header["sound"]
        mel = np.frombuffer(body[sound_bytes:], "<f4").astype(np.float32)
        return MicroTurnOutput(
            index=header["index"],
            hear=header["hear"],
            pieces=_pieces(header),
            is_clear=header["clear"],
            say=header["say"],
            mel=mel.reshape(MEL_FRAMES_PER_TURN, MEL_BANDS) if len(mel) else None,
            phones=tuple(header.get("phones", ())),  # journals of older versions have none
            audio=None if sound_type == "none" else _unpack_sound(body[:sound_bytes], sound_type),
        )
    except (ValueError, KeyError, TypeError, IndexError, struct.error) as error:
        raise _damaged(error) from error


def decode_text(given: bytes, answered: bytes) -> tuple[tuple[TextEvent, ...], MicroTurnOutput]:
    """The texts of a micro-turn alone: what it was given, and what it heard, wrote and said. Sound stays packed."""
    try:
        (asked, _), (header, _) = _split(given), _split(answered)
        return _events(asked), MicroTurnOutput(
            index=header["index"],
            hear=header["hear"],
            pieces=_pieces(header),
            is_clear=header["clear"],
            say=header["say"],
        )
    except (ValueError, KeyError, TypeError, IndexError, struct.error) as error:
        raise _damaged(error) from error


def event_fields(event: TextEvent) -> list[Any]:
    """One text event as a JSON value."""
    fields: list[Any] = [event.role, event.text]
    if event.script is not None:
        return [*fields, event.drop_before_turn, event.script]
    return fields if event.drop_before_turn is None else [*fields, event.drop_before_turn]


def _events(header: dict[str, Any]) -> tuple[TextEvent, ...]:
    return tuple(event_of(*fields) for fields in header["events"])


def event_of(role: str, text: str, drop_before_turn: int | None = None, script: str | None = None) -> TextEvent:
    """The inverse of ``event_fields``."""
    return TextEvent(role=Role(role), text=text, drop_before_turn=drop_before_turn, script=script)


def _pieces(header: dict[str, Any]) -> tuple[Piece, ...]:
    return tuple(Piece(kind=PieceKind(k), text=text, is_end=is_end) for k, text, is_end in header["pieces"])


def _pack_sound(samples: NDArray[np.float32]) -> tuple[bytes, str]:
    scaled = samples / _PCM_SCALE
    is_on_grid = bool(np.all((scaled == np.rint(scaled)) & (scaled >= -32768) & (scaled <= 32767)))
    sound_type = "<i2" if is_on_grid else "<f4"
    return (scaled if is_on_grid else samples).astype(sound_type).tobytes(), sound_type


def _unpack_sound(data: bytes, sound_type: str) -> NDArray[np.float32]:
    stored = np.frombuffer(data, sound_type)
    return stored * _PCM_SCALE if stored.dtype == np.int16 else stored.astype(np.float32)


def _pack_frame(frame: VideoFrame) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame.pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _unpack_frame(time_ms: float, picture: bytes) -> VideoFrame:
    return VideoFrame(time_ms=time_ms, pixels=np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")))


def _join(header: dict[str, Any], *arrays: bytes) -> bytes:
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    return b"".join((_LENGTH.pack(len(text)), text, *arrays))


def _split(record: bytes) -> tuple[dict[str, Any], bytes]:
    (num_bytes,) = _LENGTH.unpack_from(record)
    end = _LENGTH.size + num_bytes
    return json.loads(record[_LENGTH.size : end]), record[end:]


def _damaged(error: Exception) -> JournalError:
    return JournalError(
        f"a journaled micro-turn is damaged ({error}): resume from a copy of the journal, or start anew"
    )
