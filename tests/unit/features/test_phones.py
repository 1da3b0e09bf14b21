"""Each patch is told by the sound that it ends on."""

import numpy as np
import pytest

from microturn.features.phones import (
    NUM_PHONES,
    PAUSE,
    PHONE_AT_MS,
    UNKNOWN_PHONE,
    Phone,
    phone_symbol,
    phones_by_patch,
)


def symbols(phones: list[Phone], num_patches: int) -> str:
    return "".join(phone_symbol(int(phone)) for phone in phones_by_patch(phones, num_patches))


def test_a_patch_has_the_phone_that_sounds_near_its_end() -> None:
    phones = [Phone(symbol="s", start_ms=60, end_ms=140), Phone(symbol="A", start_ms=140, end_ms=260)]
    assert symbols(phones, 6) == "_ssAA_"
    assert 0 < PHONE_AT_MS < 50


def test_what_begins_before_the_first_patch_and_ends_after_the_last_is_cut_off() -> None:
    assert symbols([Phone(symbol="n", start_ms=-80, end_ms=900)], 3) == "nnn"


def test_a_sound_that_is_in_no_list_is_unknown_and_so_is_speech_that_nobody_transcribed() -> None:
    assert symbols([Phone(symbol="ɮ", start_ms=0, end_ms=100)], 3) == "??_"
    assert symbols([], 2) == "??"


def test_ids_are_one_for_each_symbol() -> None:
    names = [phone_symbol(phone) for phone in range(NUM_PHONES)]
    assert len(set(names)) == NUM_PHONES
    assert (names[UNKNOWN_PHONE], names[PAUSE]) == ("?", "_")
    for phone, name in enumerate(names[2:], start=2):
        assert phones_by_patch([Phone(symbol=name, start_ms=0, end_ms=50)], 1) == np.array([phone])
    with pytest.raises(IndexError):
        phone_symbol(NUM_PHONES)
