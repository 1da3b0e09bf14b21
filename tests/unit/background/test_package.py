"""The context package: what it holds, and what it gives up first."""

import dataclasses
import datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from microturn.background.conversation import MAX_FRAMES, Conversation
from microturn.background.package import EarlierResult, PackagePolicy, Surroundings, build_package
from microturn.turns.background import BackgroundRequest, Speaker, Utterance, parse_act
from microturn.turns.micro_turn import MicroTurnOutput, Role, TextEvent
from microturn.turns.timing import OUT_SAMPLES_PER_TURN
from microturn.turns.video import VideoFrame

NOW = Surroundings(now=datetime.datetime(2026, 5, 11, 9, 30, tzinfo=datetime.UTC), locale="en-GB")
words = st.text("abcdefgh ", min_size=1, max_size=120)


def talk(texts: list[str]) -> tuple[Utterance, ...]:
    speakers = (Speaker.USER, Speaker.MODEL)
    return tuple(
        Utterance(speaker=speakers[i % 2], text=text, start_ms=1_000 * i, end_ms=1_000 * i + 800)
        for i, text in enumerate(texts)
    )


def request(**context) -> BackgroundRequest:
    return BackgroundRequest(session_id="s", act=parse_act("ask 1: where is it"), time_ms=9_000, **context)


def test_it_holds_both_sides_texts_results_time_and_place():
    text = build_package(
        request(conversation=talk(["hello", "hi"]), events=(TextEvent(role=Role.USER, text="see my list"),)),
        question="where is it",
        results=[EarlierResult(job=1, question="who", text="Ada")],
        surroundings=NOW,
    ).text
    assert "where is it" in text
    assert "Monday 11 May 2026, 09:30 UTC" in text
    assert "en-GB" in text
    assert "[0.0-0.8 s] User: hello\n[1.0-1.8 s] Assistant: hi" in text
    assert "User typed: see my list" in text
    assert "1. who -> Ada" in text


def test_who_interrupted_whom_is_told():
    spoken = (
        Utterance(speaker=Speaker.MODEL, text="one two three", start_ms=0, end_ms=3_000),
        Utterance(speaker=Speaker.USER, text="stop", start_ms=2_000, end_ms=2_400),
    )
    text = build_package(request(conversation=spoken), question="q", surroundings=NOW).text
    assert "[2.0-2.4 s, interrupting] User: stop" in text
    assert "[0.0-3.0 s] Assistant" in text


@given(
    st.lists(words, max_size=60),
    st.lists(words, max_size=20),
    st.lists(words, max_size=10),
    words,
    st.integers(100, 2_000),
)
def test_it_always_fits_and_always_holds_the_question(spoken, typed, found, question, max_tokens):
    package = build_package(
        request(conversation=talk(spoken), events=tuple(TextEvent(role=Role.USER, text=t) for t in typed)),
        question=question,
        results=[EarlierResult(job=i, question="q", text=t) for i, t in enumerate(found)],
        surroundings=NOW,
        policy=PackagePolicy(max_tokens=max_tokens),
    )
    assert question in package.text
    assert package.num_tokens <= max_tokens
    # What is kept of the conversation is its end, in order.
    kept = [line for line in package.text.splitlines() if line.startswith("[") and " s] " in line]
    starts = [float(line[1:].split("-")[0]) for line in kept]
    assert starts == [float(i) for i in range(len(spoken) - len(kept), len(spoken))]


def test_results_go_first_then_texts_then_old_utterances():
    def built(max_tokens: int):
        return build_package(
            request(conversation=talk(["u" * 90] * 9), events=(TextEvent(role=Role.USER, text="t" * 300),)),
            question="q",
            results=[EarlierResult(job=1, question="q", text="r" * 300)],
            surroundings=NOW,
            policy=PackagePolicy(max_tokens=max_tokens),
        ).text

    whole = len(built(10_000)) // 3
    for cut, lost, kept in ((60, "rrr", "ttt"), (170, "ttt", "Conversation"), (280, "[0.0-0.8", "[8.0-8.8")):
        text = built(whole - cut)
        assert lost not in text
        assert kept in text
        assert "left out]" in text


def test_the_latest_pictures_go_along():
    conversation = Conversation()
    frames = [VideoFrame(time_ms=1_000.0 * i, pixels=np.zeros((2, 2, 3), np.uint8)) for i in range(40)]
    for frame in frames:
        conversation.add_frame(frame)
    pictures = conversation.request("s", parse_act("ask 1: x"), 0).key_frames
    assert len(pictures) == MAX_FRAMES
    assert pictures[-1] is frames[-1]
    policy = PackagePolicy(max_images=1)
    package = build_package(request(key_frames=pictures), question="q", surroundings=NOW, policy=policy)
    assert package.images == (frames[-1],)


def test_a_conversation_joins_the_words_of_turns():
    conversation = Conversation()
    for index, hear, say in (
        (10, " how", ""),
        (11, " are you", ""),
        (13, "", " fine"),
        (14, "", " thanks"),
        (40, " ok", ""),
    ):
        conversation.add_output(MicroTurnOutput(index=index, hear=hear, say=say))
    spoken = conversation.request("s", parse_act("ask 1: x"), 9_000).conversation
    assert [(u.speaker, u.text) for u in spoken] == [
        (Speaker.USER, "how are you"),
        (Speaker.MODEL, "fine thanks"),
        (Speaker.USER, "ok"),
    ]
    assert (spoken[0].start_ms, spoken[0].end_ms) == (1_800, 2_200)


def said_in(*outputs: MicroTurnOutput) -> list[str]:
    """What the model counts as having said after these micro-turns."""
    conversation = Conversation()
    for output in outputs:
        conversation.add_output(output)
    utterances = conversation.request("s", parse_act("ask 1: x"), 0).conversation
    return [each.text for each in utterances if each.speaker is Speaker.MODEL]


def test_words_that_were_withdrawn_before_they_sounded_were_not_said():
    one, two = MicroTurnOutput(index=4, say=" one"), MicroTurnOutput(index=5, say=" two")
    assert said_in(one, two, MicroTurnOutput(index=6, is_clear=True)) == ["one"]
    assert said_in(one, two, MicroTurnOutput(index=7, is_clear=True)) == ["one two"]  # they sounded meanwhile
    assert said_in(one, two, MicroTurnOutput(index=6, is_clear=True, say=" three")) == ["one three"]
    assert said_in(one, MicroTurnOutput(index=5, is_clear=True)) == []
    late = MicroTurnOutput(index=40, say=" late")
    assert said_in(one, late, MicroTurnOutput(index=41, is_clear=True)) == ["one"]
    assert said_in(one, MicroTurnOutput(index=5, is_clear=True), MicroTurnOutput(index=6, is_clear=True)) == []


def test_the_first_words_of_an_utterance_sound_at_once_and_cannot_be_withdrawn():
    first = MicroTurnOutput(index=4, say=" one", audio=np.zeros(OUT_SAMPLES_PER_TURN, np.float32))
    second = dataclasses.replace(first, index=5, say=" two")
    assert said_in(first, MicroTurnOutput(index=5, is_clear=True)) == ["one"]
    assert said_in(first, second, MicroTurnOutput(index=6, is_clear=True)) == ["one"]


def test_words_that_were_withdrawn_are_in_no_package_and_no_summary():
    conversation = Conversation()
    for index in range(8):
        conversation.add_output(MicroTurnOutput(index=20 * index, say=f" word {index}"))
        conversation.add_output(MicroTurnOutput(index=20 * index + 1, is_clear=bool(index % 2)))
    old = conversation.oldest_half()
    assert old is not None
    lines = " ".join(line.text for line in old.lines)
    assert "word 0" in lines
    assert "word 1" not in lines
    package = build_package(conversation.request("s", parse_act("ask 1: x"), 0), question="x", surroundings=NOW)
    assert "word 6" in package.text
    assert "word 7" not in package.text
