"""Every scenario, played without a sound: what the model is taught follows from what it heard, and in time."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from mute_plays import mute_clips, mute_stage, play_on

from microturn.data.corpus import MuteVoice, UnfilmedStage
from microturn.data.episode import Episode
from microturn.data.human import Clip
from microturn.data.languages import LANGUAGES, german, spanish
from microturn.data.numbers import in_digits, spoken
from microturn.data.phrases import Phrases
from microturn.data.scenarios import (
    SCENARIOS,
    answer_when,
    change_of_mind,
    commentary,
    copy_typed,
    correct_me,
    count_aloud,
    count_briefly,
    count_fillers,
    count_repetitions,
    cued,
    delegate,
    dictation,
    every_seconds,
    harmless,
    in_seconds,
    instructed,
    interpret,
    keep_going,
    look_and_say,
    look_back,
    mix,
    on_film,
    read_aloud,
    remember,
    remember_shown,
    repeat_after_me,
    seeing,
    short_requests,
    spoken_cue,
    start_stop,
    take_turns,
    tell_when,
    transcribe,
)
from microturn.data.stage import WINDOW_EARLY_MS, Cast, Stage
from microturn.data.visual import View
from microturn.data.visual.story import Change
from microturn.data.voices import Utterance
from microturn.evals.suites.delegation import acts_of
from microturn.turns.background import ActKind
from microturn.turns.timing import TURN_MS

SENTENCES = ("the old man went to the sea", "she had your dark suit", "hello there")


def play(name: str, seed: int, part: str = "train") -> Episode:
    voice = MuteVoice()
    cast = Cast(user=voice, bystanders=lambda _: voice, assistant=voice, part=part, sentences=SENTENCES)
    stage = UnfilmedStage(np.random.default_rng([seed, len(name)]), cast)
    end_ms = SCENARIOS[name].play(stage, 400.0)
    return stage.render(name, seed, end_ms + 1000, lambda samples, _: samples)


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("seed", range(8))
def test_episodes_are_well_formed(name: str, seed: int) -> None:
    episode = play(name, seed)
    assert episode.duration_ms <= 60_000
    assert [t.index for t in episode.inputs] == list(range(len(episode.inputs)))
    assert "".join(o.hear for o in episode.outputs).split() == [w.text for w in episode.heard]
    said = "".join(o.say for o in episode.outputs).split()
    assert said[: len(episode.said)] == [w.text for w in episode.said]
    for output in episode.outputs:
        if output.say and not output.is_speaking:  # a word's text may lead its sound by one turn
            assert episode.outputs[output.index + 1].is_speaking or output.index + 1 == len(episode.outputs)


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("seed", range(8))
def test_the_model_is_silent_where_it_should_be(name: str, seed: int) -> None:
    episode = play(name, seed)
    for quiet in episode.quiets:
        turns = range(-(-int(quiet.from_ms) // TURN_MS), min(int(quiet.to_ms) // TURN_MS, len(episode.outputs)))
        assert not any(episode.outputs[k].is_speaking for k in turns)
    for stop in episode.stops:
        first = int(stop.word_end_ms + 100) // TURN_MS
        turns = range(first, min(int(stop.quiet_until_ms) // TURN_MS, len(episode.outputs)))
        assert not any(episode.outputs[k].is_speaking for k in turns)


@pytest.mark.parametrize("seed", range(16))
def test_stopping_speech_is_cleared(seed: int) -> None:
    episode = play("count-aloud", seed)
    for stop in episode.stops:
        turn = int(stop.word_end_ms + 100) // TURN_MS
        if episode.outputs[turn - 1].is_speaking:
            assert episode.outputs[turn].is_clear


@pytest.mark.parametrize("name", ["count-aloud", "count-briefly", "keep-going"])
def test_nobody_speaks_up_before_a_count_is_plainly_over(name: str) -> None:
    """A slow count's end was never to be seen: the next request came before one number more would have been due."""
    for seed in range(30):
        stage = mute_stage(seed)
        end_ms = SCENARIOS[name].play(stage, 400.0)
        episode = stage.render(name, seed, end_ms + 1000, lambda samples, _: samples)
        starts = [expectation.from_ms + WINDOW_EARLY_MS for expectation in episode.expectations]
        if starts and not episode.stops:  # what is counted in writing is over when it is written
            assert end_ms >= starts[-1] + (starts[-1] - starts[-2])


def test_numbers_asked_for_in_writing_are_written_to_the_last_and_not_said() -> None:
    for seed in range(30):
        stage = mute_stage(seed)
        with stage.typing():
            end_ms = count_briefly.lists(stage, 400.0)
        episode = stage.render("count-briefly", seed, end_ms + 1000, lambda samples, _: samples)
        asked = [in_digits(event.text) for turn in episode.inputs for event in turn.told]
        written = "".join(
            piece.text + ("|" if piece.is_end else "") for output in episode.outputs for piece in output.pieces
        )
        lists = [in_digits(text).split() for text in written.split("|")[:-1]]
        assert not any(output.is_speaking for output in episode.outputs)
        assert len(lists) == len(asked) >= 3
        for request, numbers in zip(asked, lists, strict=True):
            figures = [word for word in request.split() if word.isdigit()]
            assert [numbers[0], numbers[-1]] == figures[:2]
            assert len({int(b) - int(a) for a, b in pairwise(numbers)}) <= 1


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        ("stop counting please", "stop"),
        ("that is enough for now", "enough"),
        ("okay hold on a moment", "on"),
        ("can you please be quiet now", "quiet"),
        ("leave it there", "there"),
    ],
)
def test_stop_means_stop_whatever_is_said_after_it(command: str, meant: str) -> None:
    """Training counted on through the "please" of "stop please", and stopped at once where nothing came after it."""
    words = MuteVoice().say(command).words
    meant_ms = count_aloud.stop_meant_ms(words, words[-1].end_ms)
    assert meant_ms == next(word.end_ms for word in words if word.text == meant)


@pytest.mark.parametrize("name", ["count-aloud", "break-off"])
def test_nobody_is_asked_to_go_on_with_a_count_that_is_over(name: str) -> None:
    """One "go on" in twenty was met with silence, for every number had been said."""
    for seed in range(150):
        episode = play(name, seed)
        ends_ms = [*(stop.word_end_ms for stop in episode.stops[1:]), episode.duration_ms]
        for stop, until_ms in zip(episode.stops, ends_ms, strict=False):  # none without a stop
            asked = [w for w in episode.heard if stop.word_end_ms + 800 < w.start_ms < until_ms - 800]
            again = " ".join(word.text for word in asked)
            if "go on" in again or "keep counting" in again or "continue" in again:
                assert any(stop.quiet_until_ms <= word.start_ms < until_ms for word in episode.said)


def test_what_changes_a_count_does_not_stop_it() -> None:
    rng = np.random.default_rng(1)
    for bank in (count_aloud.SKIP_TO, count_aloud.SLOWER, count_aloud.FASTER, keep_going.BACKCHANNEL):
        for phrase in {bank.choose(part, rng) for part in ("train", "heldout") for _ in range(300)}:
            assert count_aloud.stop_meant_ms(MuteVoice().say(phrase).words, -1.0) == -1.0, phrase


@pytest.mark.parametrize("name", ["spoken-cue", "count-fillers", "correct-me", "interpret", "change-of-mind"])
def test_training_leaves_nothing_to_go_on_when_the_next_scenario_begins(name: str) -> None:
    """Requests were obeyed in the middle of an interpretation that nobody had ended, and cues no longer answered."""
    ends = {*cued.STOP.train, *interpret.END.train}
    for seed in range(20):
        episode = play(name, seed)
        if name == "change-of-mind" and "every" not in [word.text for word in episode.heard]:
            continue
        heard = " ".join(word.text for word in episode.heard)
        assert episode.stops or any(end in heard for end in ends)


def test_what_is_dictated_asks_for_nothing() -> None:
    stage = mute_stage(0)
    stage.model("one two three", 2)
    assert stage.has_spoken
    said = [dictation.command(stage) for _ in range(300)] + [dictation.things(stage) for _ in range(300)]
    assert not {"go on", "start again", "start over", "continue", "hello", "keep going"} & set(said)
    rng = np.random.default_rng(1)
    for bank in (count_aloud.GO_ON, count_aloud.START_AGAIN):
        assert all(dictation.might_resume(bank.choose(part, rng)) for part in ("train", "heldout") for _ in range(300))


ASKING_CLIPS = ("hello", "good morning", "hello operator", "thank you", "what time is it", "read it", "stop")
TALKING_CLIPS = ("wildfire", "the night is cool", "think engine")


@pytest.mark.parametrize("name", ["not-for-me", "dictation", "keep-going"])
def test_no_recording_that_asks_for_something_is_left_without_an_answer(name: str) -> None:
    played: set[str] = set()

    class Noted(Stage):
        def clip(self, fits: Callable[[Clip], bool], tries: int = 1) -> Utterance | None:
            found = super().clip(fits, tries)
            played.update([found.text] if found else [])
            return found

    for seed in range(30):
        stage = mute_stage(seed, kind=Noted, clips=mute_clips(*ASKING_CLIPS, *TALKING_CLIPS))
        SCENARIOS[name].play(stage, 400.0)
    assert played
    assert played <= set(TALKING_CLIPS)


def test_recordings_are_repeated_once_they_have_ended() -> None:
    texts = ("the night is cool", "wildfire", "press 1 now", "a b c d e f g h i")
    repeated: set[str] = set()
    for seed in range(40):
        episode = play_on(mute_stage(seed, sentences=SENTENCES, clips=mute_clips(*texts)), "repeat-after-me", seed)
        for expectation in episode.expectations:
            if expectation.text in texts:
                repeated.add(expectation.text)
                ends_ms = [word.end_ms for word in episode.heard if word.text == expectation.text.split()[-1]]
                assert min(ends_ms) < expectation.from_ms + WINDOW_EARLY_MS
    assert repeated == {"the night is cool", "wildfire"}


def test_a_courtesy_may_be_recorded() -> None:
    hello = short_requests.Asked(opening="hello", answer="hello")
    stages = [mute_stage(seed, clips=mute_clips("hello")) for seed in range(12)]
    for stage in stages:
        take_turns.at_once(stage, hello, 400.0)
        assert [word.text for word in stage.heard] == ["hello"]
    assert any(isinstance(stage.cast.user, MuteVoice) and not stage.cast.user.texts for stage in stages)


def test_sums_are_handed_over_only_if_they_are_too_large_to_know() -> None:
    sums = [delegate.choose_question(mute_stage(seed)).words for seed in range(600)]
    sums = [in_digits(words).split() for words in sums if " plus " in words]
    assert sums
    assert all(int(words[-1]) > 12 and int(words[-3]) > 12 for words in sums)


def test_who_talks_while_a_text_is_read_has_ended_when_the_next_comes() -> None:
    for seed in range(60):
        episode = play("read-aloud", seed)
        for turn in episode.inputs:
            came_ms = turn.index * TURN_MS
            assert not turn.events or not any(word.start_ms < came_ms < word.end_ms for word in episode.heard)


def test_counting_goes_on_whoever_talks() -> None:
    num_talked_over = 0
    for seed in range(8):
        episode = play("keep-going", seed)
        first_said_ms = episode.said[0].start_ms
        talk = [word.text for word in episode.heard if word.start_ms > first_said_ms]
        num_talked_over += bool(talk)
        assert harmless.is_harmless(" ".join(talk))
        assert not any(output.is_clear for output in episode.outputs)
        request = [word.text for word in episode.heard if word.start_ms < first_said_ms]
        assert episode.said[-1].text in request  # it counted to the end that was asked for
    assert num_talked_over >= 4, "somebody talks while the model counts, if it counts for long enough"


def test_while_it_counts_the_user_asks_for_nothing() -> None:
    sentences = ("what do you think of it", "tell me about him", "good evening", "she had your dark suit")
    user, others = MuteVoice(), MuteVoice()
    for seed in range(40):
        cast = Cast(user=user, bystanders=lambda _: others, assistant=MuteVoice(), part="train", sentences=sentences)
        SCENARIOS["keep-going"].play(Stage(np.random.default_rng(seed), cast), 400.0)
    assert set(user.texts) & set(sentences) == {"she had your dark suit"}
    assert set(others.texts) == set(sentences)


def test_a_pace_that_is_kept_is_a_pace_that_was_asked_for() -> None:
    """Keep-going once counted quickly, unasked, in three plays of ten."""
    plays = [play("keep-going", seed, "heldout") for seed in range(40)]
    for episode in plays:
        starts = [expectation.from_ms for expectation in episode.expectations]
        request = [word.text for word in episode.heard if word.start_ms < episode.said[0].start_ms]
        assert "quickly" in request or min(b - a for a, b in pairwise(starts)) >= 1000
    assert any("quickly" in [word.text for word in episode.heard] for episode in plays)


def test_a_skip_stays_within_what_was_asked_for() -> None:
    num_skips = 0
    for seed in range(150):
        episode = play("count-aloud", seed, "heldout")
        heard = [word.text for word in episode.heard]
        if "skip" not in heard and "jump" not in heard:
            continue
        num_skips += 1
        request = " ".join(word.text for word in episode.heard if word.start_ms < episode.said[0].start_ms)
        numbers = [in_digits(expectation.text) for expectation in episode.expectations]
        asked = [int(word) for word in in_digits(request).split() if word.isdigit()]
        assert max(int(number) for number in numbers) <= max(asked)
    assert num_skips >= 5


def test_a_count_that_was_broken_off_may_be_taken_up_at_the_number_that_was_cut_or_after_it() -> None:
    varied = [e for e in (play("count-aloud", seed, "heldout") for seed in range(200)) if e.variants]
    assert varied
    for episode in varied:
        (variant,) = episode.variants
        own = [e.text for e in episode.expectations if e.from_ms + WINDOW_EARLY_MS >= variant.from_ms]
        other = [e.text for e in variant.expectations]
        assert own[1:] == other[: len(own) - 1] or other[1:] == own[: len(other) - 1]


def test_questions_for_the_background_are_counted_from_one() -> None:
    voice = MuteVoice()
    cast = Cast(user=voice, bystanders=lambda _: voice, assistant=voice, part="train", sentences=SENTENCES)
    stage = Stage(np.random.default_rng(3), cast)
    now_ms = SCENARIOS["delegate"].play(stage, 400.0)
    now_ms = SCENARIOS["delegate"].play(stage, now_ms + 500)
    episode = stage.render("delegate", 3, now_ms + 1000, lambda samples, _: samples)
    asked = [act.job for _, act in acts_of(episode.outputs) if act.kind is ActKind.ASK]
    assert asked == list(range(1, len(asked) + 1))
    assert len(asked) >= 2


def test_breaking_off_after_the_end_of_the_stage_changes_nothing() -> None:
    voice = MuteVoice()
    stage = Stage(np.random.default_rng(0), Cast(user=voice, bystanders=lambda _: voice, assistant=voice, part="train"))
    stage.model("hello", 2)
    stage.cut(60_000 // TURN_MS + 5)
    assert stage.render("none", 0, 3_000, lambda samples, _: samples).said


def test_talk_that_is_for_nobody_asks_for_nothing() -> None:
    assert harmless.asks_nothing("the old man went to the sea")
    asking = ("tell me what it is", "what do you think of my statue", "please come here", "he said stop")
    for sentence in (*asking, "hello", "good morning to you all", "thank you"):
        assert not harmless.asks_nothing(sentence)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_typed_is_written_word_for_word_and_nothing_is_said(seed: int) -> None:
    episode = play("copy-typed", seed)
    typed = [event.text for turn in episode.inputs for event in turn.events]
    written = "".join(p.text + ("|" if p.is_end else "") for o in episode.outputs for p in o.pieces).split("|")[:-1]
    assert typed
    for request, text in zip(typed, written, strict=True):
        assert request.endswith(text)
        assert text.startswith(" "), "words keep the space, and so the tokens, that they were typed with"
    assert not any(output.is_speaking for output in episode.outputs)


@pytest.mark.parametrize("seed", range(8))
def test_transcribing_is_dense_and_silent(seed: int) -> None:
    episode = play("transcribe", seed)
    assert len(episode.heard) > 10
    assert not any(output.is_speaking for output in episode.outputs)


@pytest.mark.parametrize("seed", range(16))
def test_what_is_read_aloud_came_as_text(seed: int) -> None:
    episode = play("read-aloud", seed)
    came = [(turn.index, event.text) for turn in episode.inputs for event in turn.events]
    assert came
    said = " ".join(word.text for word in episode.said)
    for turn, text in came:
        assert any(word.start_ms > turn * TURN_MS for word in episode.said)
        assert text.split()[-1] in said or episode.stops  # what was broken off lacks its end
    assert not any(output.is_speaking for output in episode.outputs[: came[0][0] + 1])


@pytest.mark.parametrize("seed", range(24))
def test_typed_requests_are_answered_as_if_they_were_spoken(seed: int) -> None:
    episode = play("type-requests", seed)
    assert not episode.heard
    typed = [(turn.index, event.text) for turn in episode.inputs for event in turn.events]
    first_turn = next(output.index for output in episode.outputs if output.is_speaking)
    assert typed[0][0] < first_turn <= typed[0][0] + 4


def test_numbers_are_typed_in_digits() -> None:
    assert (
        in_digits("count from one to twenty three by fives in one hundred five") == "count from 1 to 23 by fives in 105"
    )
    assert all(in_digits(spoken(number)) == str(number) for number in range(1000))


@pytest.mark.parametrize("seed", range(24))
def test_instructions_are_kept_and_taken_back(seed: int) -> None:
    episode = play("instructed", seed)
    told = [event.text for turn in episode.inputs for event in turn.events]
    said = " ".join(word.text for word in episode.said)
    assert said
    if not told:
        courtesies = set(short_requests.COURTESIES.values())
        assert any(said.startswith(words) for words in (*courtesies, "one two three"))
    elif len(told) == 1:
        assert told[0].endswith(said) or f" {said} " in told[0]
        assert not episode.heard, "it greets before anybody has spoken"
    else:
        assert told[1] in instructed.NO_MORE.train
        wanted = {code for code, language in LANGUAGES.items() if language.english_name in told[0]}
        tables = [instructed.FOREIGN[code] for code in wanted] or [instructed.BRIEFLY]
        numbers = [instructed.NUMBERS[code] for code in wanted] or [spoken]
        known = {w for table in tables for reply in table.values() for w in reply.split()}
        known |= {word for say in numbers for n in range(1, 7) for word in say(n).split()}
        assert set(said.split()) <= known


def test_training_is_late_at_times_and_evaluation_never() -> None:
    def turns(*, is_late_at_times: bool) -> list[int]:
        voice = MuteVoice()
        cast = Cast(user=voice, bystanders=lambda _: voice, assistant=voice, part="train")
        stage = Stage(np.random.default_rng(1), cast, is_late_at_times=is_late_at_times)
        return [stage.stop_turn(1000.0) for _ in range(400)]

    on_time = set(turns(is_late_at_times=False))
    assert len(on_time) == 1
    counted = Counter(turn - min(on_time) for turn in turns(is_late_at_times=True))
    assert set(counted) == {0, 1, 2}
    assert counted[0] > 200
    assert counted[1] > counted[2], "what is due is the likeliest at each turn"


@pytest.mark.parametrize("change", [Change.LEAVES, Change.LIGHT_ON, Change.PERSON_LEAVES])
def test_nothing_vanishes_from_sight_while_the_model_waits_for_something_to_vanish(change: Change) -> None:
    class Unwatched(Stage):
        def watch(self, view: View | None, at_ms: float) -> None:
            pytest.fail("the camera goes off")

    for seed in range(20):
        stage = mute_stage(seed, kind=Unwatched)
        story, thing = tell_when.prepare(stage, change)
        end_ms = tell_when.other_things(stage, story, change, thing, 2_000.0)
        assert len({story.scene.light.at(time_ms)[0] for time_ms in np.arange(1_000.0, end_ms + 1, 50.0)}) == 1


def test_the_same_seed_plays_the_same() -> None:
    first, second = play("count-aloud", 7), play("count-aloud", 7)
    assert [o.say for o in first.outputs] == [o.say for o in second.outputs]
    assert first.heard == second.heard


def banks() -> list[tuple[str, Phrases]]:
    heard = (count_aloud, every_seconds, in_seconds, repeat_after_me, keep_going, read_aloud, copy_typed, transcribe)
    seen = (tell_when, start_stop, count_repetitions, commentary, look_and_say, on_film, seeing)
    cues = (cued, spoken_cue, count_fillers, correct_me)
    turns = (short_requests, take_turns, change_of_mind, instructed)
    remembered = (remember, look_back, remember_shown)
    modules = (*heard, *seen, *cues, *turns, *remembered, interpret, spanish, german)
    found = [(f"{m.__name__}.{n}", v) for m in modules for n, v in vars(m).items() if isinstance(v, Phrases)]
    found += [(f"tell when {change}", bank) for change, bank in tell_when.CONDITIONS.items()]
    found += [(f"answer when {change}", bank) for change, bank in answer_when.QUESTIONS.items()]
    return found + [(f"pace {ms}", bank) for ms, bank in count_aloud.PACES.items() if ms != 1000]


ONE_WORD = {"stop", "slower", "faster", "go on", "start again", "skip to {n}", "start stop", "repetitions", "wrong"}
"""Commands without another way to say them: both parts hold them, in voices of their own."""


@pytest.mark.parametrize(("name", "bank"), banks())
def test_evaluation_never_sees_a_phrasing_of_training(name: str, bank: Phrases) -> None:
    assert not (set(bank.train) & set(bank.heldout)) - ONE_WORD


def test_a_model_that_cannot_see_is_not_taught_to_say_what_it_sees() -> None:
    blind, sighted = mix(can_see=False), mix(can_see=True)
    assert not any(scenario.needs_sight for scenario in blind)
    assert {scenario.name for scenario in sighted} == set(SCENARIOS)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_seen_is_spoken_of_after_it_shows(seed: int) -> None:
    for name in ("answer-when", "start-stop", "count-repetitions", "commentary"):
        episode = play(name, seed)
        assert episode.moments
        for moment in episode.moments:
            words = moment.label.split()
            spoken_ms = [w.start_ms for w in episode.said if w.text == words[0] and w.start_ms >= moment.from_ms]
            assert spoken_ms, (name, moment)
