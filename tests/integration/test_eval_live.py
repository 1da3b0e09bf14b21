"""``eval --model ws://…``: a running server is a subject like any other, and what it says is heard where it said it."""

import asyncio

import numpy as np
import pytest
from server_harness import WatchedEngine, running_server, says

from microturn.errors import MicroturnError
from microturn.evals.live_subject import LiveSubject
from microturn.evals.spoken import sounds, spoken_words
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Piece, PieceKind, Role, TextEvent, scripted
from microturn.turns.timing import IN_SAMPLES_PER_TURN


def answers(turn: MicroTurnInput) -> MicroTurnOutput:
    if turn.index == 3:
        return says(3, " yes", hear=" hello", pieces=(Piece(kind=PieceKind.TEXT, text=" note"),))
    return MicroTurnOutput(index=turn.index)


def session(num_turns: int) -> list[MicroTurnInput]:
    events = {1: (TextEvent(role=Role.USER, text="typed"), TextEvent(role=Role.SYSTEM, text="be brief"), scripted("x"))}
    return [
        MicroTurnInput(index=k, audio=np.full(IN_SAMPLES_PER_TURN, 0.1, np.float32), events=events.get(k, ()))
        for k in range(num_turns)
    ]


async def test_a_servers_answer_is_heard_in_its_micro_turn() -> None:
    async with running_server(WatchedEngine(answers)) as server:
        subject = LiveSubject(server.url.replace("http", "ws"))
        one, other = await asyncio.to_thread(subject.answer, [session(14), session(12)])
        texts = [e.text for turn in server.engine.sessions[0].inputs for e in turn.events]
    assert (len(one), len(other)) == (14, 12)
    for outputs in (one, other):
        assert "".join(output.hear for output in outputs) == " hello"
        assert [piece.text for output in outputs for piece in output.pieces] == [" note"]
        (sound,) = sounds(outputs)
        assert sound.first_turn >= 3
        assert [word.text for word in spoken_words(outputs)] == ["yes"]
    assert texts == ["typed", "be brief", "say: x"]


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(MicroturnError, match="is a server running there"):
        LiveSubject("ws://127.0.0.1:9").answer([session(2)])
