"""Words of a reply and their times."""

from dataclasses import replace

import numpy as np
from hand_made import reply

from microturn.evals.spoken import sounds, spoken_words, texts_by_turn, wordless_sounds
from microturn.turns.timing import OUT_SAMPLES_PER_TURN, out_samples


def timed(outputs) -> list[tuple[str, float]]:
    return [(word.text, word.start_ms) for word in spoken_words(outputs)]


def test_the_word_that_opens_a_stretch_of_sound_begins_with_it() -> None:
    assert timed(reply({5: " two"}, [range(5, 8)])) == [("two", 1000)]


def test_later_words_begin_a_text_lead_after_their_turn() -> None:
    outputs = reply({5: " breathe in", 6: " and", 7: " out"}, [range(5, 10)])
    assert timed(outputs) == [("breathe", 1000), ("in", 1200), ("and", 1400), ("out", 1600)]


def test_text_ahead_of_the_sound_begins_with_the_sound() -> None:
    assert timed(reply({4: " two"}, [range(5, 8)])) == [("two", 1000)]


def test_text_without_sound_is_not_spoken() -> None:
    assert timed(reply({5: " two"}, [])) == []
    assert timed(reply({5: " two", 7: " three"}, [range(5, 8)])) == [("two", 1000)], "cut before its sound came"


def test_a_word_in_pieces_counts_where_it_begins() -> None:
    assert texts_by_turn(["", " thir", "teen four", "", "teen"]) == [("thirteen", 1), ("fourteen", 2)]


def test_words_come_in_normal_form() -> None:
    assert timed(reply({5: " Okay, 21!"}, [range(5, 9)])) == [("okay", 1000), ("twenty", 1200), ("one", 1200)]


def test_sounds_are_stretches_of_speaking_turns_played_a_turn_later() -> None:
    first, second = sounds(reply({}, [range(3, 5), range(7, 8)]))
    assert (first.playback_start_ms, first.playback_end_ms) == (800, 1200)
    assert (second.playback_start_ms, second.playback_end_ms) == (1600, 1800)


def test_a_ring_is_no_speech_but_sound_without_mel_is() -> None:
    ringing, speaking = np.zeros((2, OUT_SAMPLES_PER_TURN), np.float32)
    ringing[: out_samples(25)] = 0.1
    speaking[: out_samples(150)] = 0.1
    outputs = reply({5: " two", 7: " three"}, [range(5, 6), range(7, 9)])
    outputs[6] = replace(outputs[6], audio=ringing)
    assert timed(outputs) == [("two", 1000), ("three", 1400)], "three opens a stretch of its own"
    assert len(sounds(outputs)) == 2
    outputs[6] = replace(outputs[6], audio=speaking)
    assert len(sounds(outputs)) == 1


def test_sound_that_nobody_announced_is_found() -> None:
    outputs = reply({5: " two"}, [range(5, 7), range(20, 22)])
    assert [word.start_ms for word in wordless_sounds(outputs, spoken_words(outputs))] == [4000]
