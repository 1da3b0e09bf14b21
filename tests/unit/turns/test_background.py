"""Acts and reports: read, written, joined over turns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microturn.turns.background import Act, ActKind, ActReader, Report, ReportKind, TurnActs, parse_act, parse_report
from microturn.turns.micro_turn import MicroTurnOutput, Piece, PieceKind, Role

words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("line", "act"),
    [
        ("ask 1: weather in Oslo", Act(kind=ActKind.ASK, job=1, text="weather in Oslo")),
        (" amend 12 : tomorrow: 8:30 ", Act(kind=ActKind.AMEND, job=12, text="tomorrow: 8:30")),
        ("cancel 1", Act(kind=ActKind.CANCEL, job=1)),
    ],
)
def test_acts_are_read(line, act):
    assert parse_act(line) == act


@pytest.mark.parametrize("line", ["", "ask", "ask 1", "ask 1:", "ask one: x", "cancel 1: now", "do 1: x", "1 done: x"])
def test_what_is_no_act_is_refused_with_a_remedy(line):
    with pytest.raises(ValueError, match="write 'ask 1"):
        parse_act(line)


@given(st.sampled_from([ActKind.ASK, ActKind.AMEND]), st.integers(0, 999_999), words)
def test_an_act_survives_its_own_text(kind, job, text):
    act = Act(kind=kind, job=job, text=text)
    assert parse_act(str(act)) == act


@given(st.sampled_from(list(ReportKind)), st.integers(0, 999_999), words)
def test_a_report_survives_its_own_text(kind, job, text):
    report = Report(kind=kind, job=job, text=text)
    assert parse_report(report.to_event().text) == report
    assert report.to_event().role is Role.TOOL


def test_what_is_no_report_is_refused():
    with pytest.raises(ValueError, match="no report"):
        parse_report("done 1: x")


def test_an_act_may_run_over_turns():
    reader = ActReader()
    assert reader.read([Piece(kind=PieceKind.ACT, text="ask 1: wea", is_end=False)]) == []
    assert reader.read([Piece(kind=PieceKind.TEXT, text="hello")]) == []
    assert reader.read([Piece(kind=PieceKind.ACT, text="ther"), Piece(kind=PieceKind.ACT, text="cancel 2")]) == [
        Act(kind=ActKind.ASK, job=1, text="weather"),
        Act(kind=ActKind.CANCEL, job=2),
    ]


def test_a_malformed_act_is_counted_and_the_next_is_read():
    reader = ActReader()
    pieces = [Piece(kind=PieceKind.ACT, text="ask ask"), Piece(kind=PieceKind.ACT, text="ask 3: x")]
    assert [act.job for act in reader.read(pieces)] == [3]
    assert reader.num_malformed == 1


def test_an_endless_act_is_given_up():
    reader = ActReader()
    for _ in range(3):
        assert reader.read([Piece(kind=PieceKind.ACT, text="x" * 4_000, is_end=False)]) == []
    assert reader.num_malformed == 1


def output(index: int, text: str, *, is_end: bool = True) -> MicroTurnOutput:
    return MicroTurnOutput(index=index, pieces=(Piece(kind=PieceKind.ACT, text=text, is_end=is_end),))


def test_an_act_is_not_joined_over_a_gap_in_the_turns_and_what_was_malformed_stays_counted():
    acts = TurnActs()
    assert acts.read(output(0, "nonsense")) == []
    assert acts.read(output(1, "ask 1: wea", is_end=False)) == []
    assert acts.read(output(2, "ther")) == [Act(kind=ActKind.ASK, job=1, text="weather")]
    assert acts.read(output(3, "ask 2: half ", is_end=False)) == []
    assert acts.read(output(5, "cancel 1")) == [Act(kind=ActKind.CANCEL, job=1)]
    assert acts.num_malformed == 1
