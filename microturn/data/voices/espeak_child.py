"""A small resident process that speaks through libespeak-ng: run as a program, with the standard library alone.

The library keeps the state of its oscillators and its noise from one utterance to the next, and hangs when it is
started twice. So this process starts it once and forks for every request: each child speaks from the same fresh state,
and the same request gives the same samples. Forking is cheap because this process imports nothing.

One request is a JSON line {"text", "voice", "words_per_minute", "pitch", "range", "seed"}; the answer is a JSON line
{"sample_rate", "events": [[type, text position, sample, phone], …], "num_bytes"} and then that many bytes of 16-bit
samples.
"""

import json
import os
import sys
from ctypes import (
    CDLL,
    CFUNCTYPE,
    POINTER,
    Structure,
    Union,
    c_char,
    c_char_p,
    c_int,
    c_short,
    c_size_t,
    c_uint,
    c_void_p,
    string_at,
)

SYNCHRONOUS = 2
PHONEME_EVENTS, IN_IPA, DONT_EXIT = 0x1, 0x2, 0x8000
RATE, PITCH, RANGE = 1, 3, 4
UTF8 = 1
LIST_TERMINATED, WORD, END, PHONEME = 0, 1, 5, 7


class _Id(Union):
    _fields_ = (("number", c_int), ("name", c_char_p), ("string", c_char * 8))


class _Event(Structure):
    _fields_ = (
        ("type", c_int),
        ("unique_identifier", c_uint),
        ("text_position", c_int),
        ("length", c_int),
        ("audio_position", c_int),
        ("sample", c_int),
        ("user_data", c_void_p),
        ("id", _Id),
    )


_Callback = CFUNCTYPE(c_int, POINTER(c_short), c_int, POINTER(_Event))


def speak(library: CDLL, request: "dict[str, object]") -> "tuple[list[tuple[int, int, int, str]], bytes]":
    """Synthesise one request in this process: events and samples."""
    samples = bytearray()
    events: list[tuple[int, int, int, str]] = []

    def on_samples(wave: "POINTER[c_short]", count: int, event: "POINTER[_Event]") -> int:  # type: ignore[valid-type]
        if wave and count > 0:
            samples.extend(string_at(wave, count * 2))
        index = 0
        while event[index].type != LIST_TERMINATED:
            if event[index].type in (WORD, END, PHONEME):
                kind = event[index].type
                phone = event[index].id.string.decode(errors="ignore") if kind == PHONEME else ""
                is_pause = kind == PHONEME and not phone
                events.append((END if is_pause else kind, event[index].text_position, event[index].sample, phone))
            index += 1
        return 0

    callback = _Callback(on_samples)
    CDLL(None).srand(int(request["seed"]))  # type: ignore[call-overload]
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(str(request["voice"]).encode()) != 0:
        raise SystemExit(f"espeak-ng has no voice {request['voice']}")
    library.espeak_SetParameter(RATE, int(request["words_per_minute"]), 0)  # type: ignore[call-overload]
    library.espeak_SetParameter(PITCH, int(request["pitch"]), 0)  # type: ignore[call-overload]
    library.espeak_SetParameter(RANGE, int(request["range"]), 0)  # type: ignore[call-overload]
    text = str(request["text"]).encode()
    library.espeak_Synth(text, len(text) + 1, 0, 1, 0, UTF8, None, None)
    library.espeak_Synchronize()
    return events, bytes(samples)


def main() -> None:
    """Answer requests until standard input closes."""
    library = CDLL("libespeak-ng.so.1")
    library.espeak_Synth.argtypes = [c_char_p, c_size_t, c_uint, c_int, c_uint, c_uint, c_void_p, c_void_p]
    sample_rate = library.espeak_Initialize(SYNCHRONOUS, 0, None, PHONEME_EVENTS | IN_IPA | DONT_EXIT)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            events, samples = speak(library, json.loads(line))
            head = json.dumps({"sample_rate": sample_rate, "events": events, "num_bytes": len(samples)})
            sys.stdout.buffer.write(head.encode() + b"\n" + samples)
            sys.stdout.buffer.flush()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status != 0:
            sys.exit(1)


if __name__ == "__main__":
    main()
