"""Delegation judged with a background behind it: what counts as asked, told, over the user, over itself and stale."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
from mute import play_mute

from microturn.background.limits import JobLimits
from microturn.data.episode import Episode
from microturn.data.voices import SpokenWord
from microturn.evals.exchange import Case, Verdict
from microturn.evals.playbook import Playbook
from microturn.live_evals.delegation import Arrival, LiveExchange, controls, judge, summarise
from microturn.live_evals.delegation.command import SCENARIO, SUITE, faulty_backends
from microturn.live_evals.delegation.session import run_row
from microturn.server.engine_port import Engine
from microturn.testing.delegating_model import DelegatingModel
from microturn.testing.faults import FAULTS
from microturn.testing.scripted_engine import ScriptedEngine
from microturn.turns.background import Report, ReportKind
from microturn.turns.micro_turn import MEL_BANDS, MicroTurnInput, MicroTurnOutput, Piece, PieceKind
from microturn.turns.timing import IN_SAMPLES_PER_TURN, MEL_FRAMES_PER_TURN

NUM_TURNS = 30
QUESTION = "is it raining in oslo"
QUICK = JobLimits(first_backoff_ms=1)
WITHIN_S = 600
"""No row takes this long unless something is broken."""
SILENCE_MS = {"stalling": 300}
"""What an endpoint may take between two words, where the row is not about waiting for them."""
FAST_PACE_MS = 10
"""Twenty times as fast as real time: whoever is slow is only later."""


def written(*acts: tuple[int, str]) -> dict[int, Piece]:
    """Acts, each whole in one turn."""
    return {turn: Piece(kind=PieceKind.ACT, text=text, is_end=True) for turn, text in acts}


def reply(words: dict[int, str], pieces: dict[int, Piece]) -> list[MicroTurnOutput]:
    """Says a word in each of these turns; its sound follows its text."""
    mel = np.zeros((MEL_FRAMES_PER_TURN, MEL_BANDS), np.float32)
    return [
        MicroTurnOutput(
            index=k,
            say=f" {words[k]}" if k in words else "",
            mel=mel if k in words or k - 1 in words else None,
            pieces=(pieces[k],) if k in pieces else (),
        )
        for k in range(NUM_TURNS)
    ]


def case(pieces: dict[int, Piece]) -> Case:
    """The user asks in the first second, says something else from 3 to 4 s, and is silent otherwise."""
    spoken = [(0, 1_000), (3_000, 3_300), (3_600, 4_000)]
    episode = Episode(
        scenario="delegate",
        seed=0,
        part="heldout",
        voice="mute",
        inputs=[MicroTurnInput(index=k, audio=np.zeros(IN_SAMPLES_PER_TURN, np.float32)) for k in range(NUM_TURNS)],
        outputs=reply({}, pieces),
        heard=[SpokenWord(text="word", start_ms=start, end_ms=end) for start, end in spoken],
        said=[],
    )
    return Case(key="made", kind="delegate", episode=episode)


def judged(
    words: dict[int, str],
    *came: tuple[float, str],
    pieces: dict[int, Piece] | None = None,
    reference: dict[int, Piece] | None = None,
    asked: tuple[str, ...] = (QUESTION,),
) -> Verdict:
    pieces = written((6, f"ask 1: {QUESTION}")) if pieces is None else pieces
    arrivals = [
        Arrival(report=Report(kind=ReportKind.DONE, job=1, text=text), time_ms=time_ms) for time_ms, text in came
    ]
    outputs = reply(words, pieces)
    return judge(LiveExchange(case=case(reference or pieces), outputs=outputs, arrivals=arrivals, asked=asked))


def test_a_result_told_when_nobody_speaks_is_right():
    verdict = judged({8: "it", 9: "is"}, (1_650, "It is."))
    assert verdict.is_right
    assert verdict.samples["told_ms"] == [150]  # its first word is heard from 1,800 ms on
    assert verdict.samples["wait_ms"] == [250]


def test_other_words_at_the_backend_are_a_wrong_request():
    verdict = judged({8: "it", 9: "is"}, (1_650, "It is."), asked=("is it raining",))
    assert (verdict.figures["requests_right"], verdict.figures["requests"]) == (0, 1)
    assert [problem for problem in verdict.problems if problem.startswith("asked")] == ["asked 'is it raining'"]


def test_half_a_result_is_not_told_and_no_result_at_all_is_missed():
    assert judged({8: "it"}, (1_650, "It is.")).figures["results_spoken"] == 0
    nothing = judged({})
    assert (nothing.figures["results_due"], nothing.figures["results_spoken"]) == (1, 0)
    assert nothing.problems == ["a question was never answered"]


def test_a_result_that_begins_between_the_users_words_is_told_over_the_user():
    verdict = judged({16: "it", 17: "is"}, (3_100, "It is."))  # heard from 3,400 ms on, between two words
    assert verdict.figures["told_over_user"] == 1
    assert verdict.samples["told_ms"] == []


def test_a_result_within_another_sentence_is_told_over_itself():
    late = {9: "it", 10: "is"}
    assert judged({7: "one", 8: "moment", **late}, (1_500, "It is.")).figures["told_over_itself"] == 0
    assert judged({7: "let", 8: "me", **late}, (1_500, "It is.")).figures["told_over_itself"] == 1
    assert judged({6: "let", **late}, (1_500, "It is.")).figures["told_over_itself"] == 0  # it had fallen silent


def test_the_same_words_do_not_tell_two_results():
    verdict = judged({8: "it", 9: "is"}, (1_500, "It is."), (1_700, "It is."))
    assert (verdict.figures["results_due"], verdict.figures["results_spoken"]) == (2, 1)


def test_of_two_reports_with_the_same_words_the_one_that_is_still_wanted_is_told():
    """The first was taken to be told late, and the second not at all."""
    reference = written((6, f"ask 1: {QUESTION}"), (9, "amend 1: in rome"))
    asked = (QUESTION, f"{QUESTION}; correction: in rome")
    verdict = judged({20: "no"}, (1_700, "No."), (2_500, "No."), pieces=reference, asked=asked)
    assert verdict.is_right, verdict.problems


@pytest.mark.parametrize("act", ["cancel 1", "amend 1: in rome"])
def test_what_was_taken_back_before_it_was_told_is_not_wanted(act: str):
    reference = written((6, f"ask 1: {QUESTION}"), (9, act))
    asked = (QUESTION, f"{QUESTION}; correction: in rome")[: 1 + act.startswith("amend")]
    later = (2_500, "In rome it is not.") if act.startswith("amend") else None
    told = {20 + k: word for k, word in enumerate(["in", "rome", "it", "is", "not"])} if later else {}
    came = [(1_700.0, "It is."), *([later] if later else [])]
    silent = judged(told, *came, pieces=reference, asked=asked)
    assert silent.is_right, silent.problems
    stale = judged({10: "it", 11: "is", **told}, *came, pieces=reference, asked=asked)
    assert stale.figures["results_stale"] == 1
    assert not stale.is_right


# Everything real behind a model that hears perfectly


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return Playbook(play_mute).cases(SCENARIO, 5)


async def row(cases: list[Case], fault: str, front: Callable[[Episode], Engine]) -> list[LiveExchange]:
    exchanges: list[LiveExchange] = []
    async for _, backend in faulty_backends(cases, faults=(fault,), silence_ms=SILENCE_MS.get(fault, 30_000)):
        exchanges += await run_row(cases, front, backend, limits=QUICK, pace_ms=FAST_PACE_MS, at_once=len(cases))
    return exchanges


def perfect(episode: Episode) -> ScriptedEngine:
    return ScriptedEngine(DelegatingModel(episode))


@pytest.mark.parametrize("fault", FAULTS)
async def test_behind_a_perfect_model_every_request_is_right_and_every_result_or_failure_is_told(
    fault: str, cases: list[Case]
):
    pytest.importorskip("pydantic_ai")
    async with asyncio.timeout(WITHIN_S):
        exchanges = await row(cases, fault, perfect)
    verdicts = [judge(each) for each in exchanges]
    found = {name: figure.value for name, figure in summarise(verdicts).items()}
    assert [problem for verdict in verdicts for problem in verdict.problems] == []
    assert (found["request_accuracy"], found["result_spoken"], found["over_user"], found["over_itself"]) == (1, 1, 0, 0)
    assert found["failed"] == (1 if fault in ("stalling", "erroring", "malformed", "cut-off") else 0)
    for name, control in controls(exchanges).items():
        assert (control["request_accuracy"] or 0) < 0.2
        # Failures have the same few sentences everywhere, so that the reply to another case may well tell one.
        assert name == "shuffled" or (control["result_spoken"] or 0) < 0.2


async def test_a_deaf_model_asks_nothing_and_every_question_counts_as_unanswered(cases: list[Case]):
    pytest.importorskip("pydantic_ai")
    exchanges = await row(cases, "steady", lambda episode: ScriptedEngine())
    found = {name: figure.value for name, figure in summarise([judge(each) for each in exchanges]).items()}
    assert (found["request_accuracy"], found["result_spoken"], found["over_user"]) == (0, 0, None)


async def test_an_unknown_fault_is_refused(cases: list[Case]):
    pytest.importorskip("pydantic_ai")
    with pytest.raises(ValueError, match="choose from steady"):
        await row(cases, "haunted", perfect)
    assert SUITE == "delegation"
