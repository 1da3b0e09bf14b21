"""``--text EVENTS.jsonl``: read in order of time, and refused by the line."""

import json

import pytest

from microturn.errors import MediaError
from microturn.media.text_events import read_text_events
from microturn.turns.micro_turn import Role, TextEvent


def test_events_come_in_order_of_time(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text(
        '{"at_ms": 1200, "role": "user", "text": "two\\u2028lines"}\n\n'
        '{"role": "system", "at_ms": 0.5, "text": "be brief"}\r\n'
        '{"at_ms": 1200, "role": "tool", "text": "1 done: \\ud83d\\ude00"}',
        encoding="utf-8-sig",
    )
    events = read_text_events(path)
    assert [timed.at_ms for timed in events] == [0.5, 1200, 1200]
    assert [timed.event for timed in events] == [
        TextEvent(role=Role.SYSTEM, text="be brief"),
        TextEvent(role=Role.USER, text="two\u2028lines"),
        TextEvent(role=Role.TOOL, text="1 done: \U0001f600"),
    ]


def test_an_empty_file_holds_no_events(tmp_path):
    (tmp_path / "events.jsonl").touch()
    assert read_text_events(tmp_path / "events.jsonl") == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("hello", "no JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[1, 2]", "no object"),
        ('{"at_ms": 1}', "has the keys"),
        ('{"at_ms": 1, "role": "user", "text": "x", "extra": 1}', "has the keys"),
        ('{"at_ms": -1, "role": "user", "text": "x"}', "at_ms is -1"),
        ('{"at_ms": NaN, "role": "user", "text": "x"}', "at_ms is nan"),
        ('{"at_ms": true, "role": "user", "text": "x"}', "at_ms is True"),
        ('{"at_ms": "1", "role": "user", "text": "x"}', "at_ms is '1'"),
        (json.dumps({"at_ms": 10**400, "role": "user", "text": "x"}), "at_ms is 1000"),
        ('{"at_ms": 1, "role": "robot", "text": "x"}', "role is 'robot': it is one of user, system, tool"),
        ('{"at_ms": 1, "role": ["user"], "text": "x"}', "role is"),
        ('{"at_ms": 1, "role": "user", "text": " "}', "text is"),
        ('{"at_ms": 1, "role": "user", "text": 5}', "text is 5"),
        (json.dumps({"at_ms": 1, "role": "user", "text": "x" * 20_000}), "split it"),
        ('{"at_ms": 1, "role": "user", "text": "a \\ud83d"}', r"'a \ud83d', with half a surrogate pair"),
    ],
)
def test_a_bad_line_is_named_with_its_remedy(tmp_path, line, words):
    path = tmp_path / "events.jsonl"
    path.write_text('{"at_ms": 0, "role": "user", "text": "fine"}\n' + line + "\n")
    with pytest.raises(MediaError, match=r"events\.jsonl, line 2") as caught:
        read_text_events(path)
    assert words in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(MediaError, match=r"nope\.jsonl"):
        read_text_events(tmp_path / "nope.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b'{"text": "caf\xe9"}')
    with pytest.raises(MediaError, match="UTF-8"):
        read_text_events(tmp_path / "latin.jsonl")
