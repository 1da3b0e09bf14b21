"""A picture of a whole session in one file: every micro-turn, what it heard, saw, said and cost, and its sound.

The page asks nothing of anybody: styles, code, pictures and sound are inside, and a content policy forbids all else.
"""

import base64
import html
import json
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from microturn.timeline.sound import OUTLINE_STEP_MS, Track, embedded_sound, outline
from microturn.timeline.summary import TurnSummary
from microturn.timeline.thumbnails import Thumbnail
from microturn.timeline.transcript import transcript_html
from microturn.timeline.words import Word, heard_words, said_words
from microturn.turns.timing import IN_HZ, OUT_HZ, PLAYOUT_OFFSET_MS, TURN_MS
from microturn.turns.trace import TurnTrace

_SCRIPTS = ("scale.js", "lanes.js", "canvas.js", "card.js", "player.js", "main.js")
"""Joined in this order into one script."""


def draw_timeline(
    turns: Sequence[TurnSummary],
    user_samples: NDArray[np.float32] | NDArray[np.int16],
    reply_samples: NDArray[np.float32] | NDArray[np.int16],
    title: str,
    *,
    user_hz: int = IN_HZ,
    reply_hz: int = OUT_HZ,
    thumbnails: Sequence[Thumbnail] = (),
    note: str = "",
    has_sound: bool = True,
) -> str:
    """HTML of the timeline, about 20 KB a second of conversation at most, sound included.

    Args:
        turns: In order of their index.
        user_samples: What the user said, (num_samples,), from media time 0: floats in [-1, 1], or 16-bit integers.
        reply_samples: What the model said, as it sounded, on the same axis.
        title: Of the page, such as the recording's name.
        user_hz: Samples a second of ``user_samples``.
        reply_hz: Samples a second of ``reply_samples``.
        thumbnails: Pictures for the lane of what was seen, in order of time.
        note: A line under the title, such as the model's name.
        has_sound: Whether the sound goes into the page, to be played.
    """
    user, reply = Track(samples=user_samples, rate_hz=user_hz), Track(samples=reply_samples, rate_hz=reply_hz)
    heard, said = heard_words(turns), said_words(turns)
    media_type, sound = embedded_sound(user, reply) if has_sound else ("", "")
    data = _data(turns, heard, said, user, reply) | {
        "thumbnails": [[round(thumbnail.time_ms), thumbnail.data_uri] for thumbnail in thumbnails],
        "mediaType": media_type,
    }
    page = files("microturn.timeline") / "page"
    script = "\n".join((page / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    slots = {
        "TITLE": html.escape(title),
        "NOTE": html.escape(note),
        "STYLE": (page / "style.css").read_text(encoding="utf-8"),
        "TRANSCRIPT": transcript_html(turns, heard, said),
        "DATA": _json_in_html(data),
        "SOUND": sound,
        "SCRIPT": f'"use strict";\n(() => {{\n{script}\n}})();',
    }
    return _filled((page / "page.html").read_text(encoding="utf-8"), slots)


def _data(
    turns: Sequence[TurnSummary], heard: Sequence[Word], said: Sequence[Word], user: Track, reply: Track
) -> dict[str, object]:
    """What the page's script draws. Short keys and plain lists: there are five turns a second."""
    phases = list(TurnTrace(index=0).phases_ms)
    end_ms = (turns[-1].start_ms + TURN_MS) if turns else 0
    return {
        "turnMs": TURN_MS,
        "playoutMs": PLAYOUT_OFFSET_MS,
        "durationMs": round(max(end_ms, user.duration_ms, reply.duration_ms)),
        "outlineStepMs": OUTLINE_STEP_MS,
        "userOutline": base64.b64encode(outline(user).tobytes()).decode("ascii"),
        "replyOutline": base64.b64encode(outline(reply).tobytes()).decode("ascii"),
        "phases": phases,
        "turns": [_turn(turn, phases) for turn in turns],
        "heard": [[round(word.time_ms), word.turn, word.text] for word in heard],
        "said": [[round(word.time_ms), word.turn, word.text, int(word.is_withdrawn)] for word in said],
    }


def _turn(turn: TurnSummary, phases: Sequence[str]) -> list[object]:
    """[index, level, costs, frames, contents]; contents are left out where there are none."""
    costs = [round(turn.trace.phases_ms[phase], 1) for phase in phases] if turn.trace else 0
    contents: dict[str, object] = {
        "hear": turn.hear,
        "say": turn.say,
        "events": [[event.role, event.text] for event in turn.events],
        "pieces": [[piece.kind, piece.text] for piece in turn.pieces],
        "clear": int(turn.is_clear),
        "speaking": int(turn.is_speaking),
        "missing": turn.num_missing_samples,
        "late": int(turn.trace is not None and turn.trace.is_late),
    }
    present = {key: value for key, value in contents.items() if value}
    return [turn.index, round(turn.level_db), costs, turn.num_frames, *([present] if present else [])]


def _json_in_html(data: object) -> str:
    """JSON that cannot end the script element it stands in."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _filled(template: str, slots: dict[str, str]) -> str:
    """The template with each ``{{NAME}}`` replaced; what is put in is not looked at again."""
    parts = template.split("{{")
    filled = [parts[0]]
    for part in parts[1:]:
        name, rest = part.split("}}", 1)
        filled += [slots[name], rest]
    return "".join(filled)
