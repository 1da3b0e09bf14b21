"""Each patch is told by the sound that it ends on."""

from collections.abc import Callable

import numpy as np
import pytest

from microturn.data.voices.alphabets import symbols_of_arpabet, symbols_of_ipa
from microturn.features.phones import (
    NUM_PHONES,
    PAUSE,
    PHONE_AT_MS,
    UNKNOWN_PHONE,
    Phone,
    phone_symbol,
    phones_at,
    phones_by_patch,
    sharing,
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


def test_where_two_speak_at_once_the_later_is_told() -> None:
    phones = [Phone(symbol="s", start_ms=0, end_ms=100), Phone(symbol="A", start_ms=50, end_ms=80)]
    assert [phone_symbol(int(phone)) for phone in phones_at(phones, np.array([0.0, 49.0, 50.0, 90.0, 100.0]))] == [
        *("s", "s", "A", "s", "_")
    ]


def test_symbols_share_a_span() -> None:
    assert [(p.symbol, p.start_ms, p.end_ms) for p in sharing("ɜɹ", 10.0, 30.0)] == [("ɜ", 10, 20), ("ɹ", 20, 30)]
    assert [phone.symbol for phone in sharing("", 0.0, 1.0)] == [""]


@pytest.mark.parametrize(
    ("read", "name", "symbols"),
    [
        *((symbols_of_ipa, "uː", "u"), (symbols_of_ipa, "tʃ", "ʧ"), (symbols_of_ipa, "oːɹ", "Oɹ")),
        *((symbols_of_ipa, "ɚ", "əɹ"), (symbols_of_ipa, "ˈeɪ", "A"), (symbols_of_ipa, "", "")),
        *((symbols_of_arpabet, "er", "ɜɹ"), (symbols_of_arpabet, "EY1", "A"), (symbols_of_arpabet, "pau", "")),
    ],
)
def test_other_alphabets_are_read(read: Callable[[str], str], name: str, symbols: str) -> None:
    assert read(name) == symbols
    assert all(phones_at(list(sharing(s, 0, 1)), np.zeros(1)) != UNKNOWN_PHONE for s in symbols)


def test_ids_are_one_for_each_symbol() -> None:
    names = [phone_symbol(phone) for phone in range(NUM_PHONES)]
    assert len(set(names)) == NUM_PHONES
    assert (names[UNKNOWN_PHONE], names[PAUSE]) == ("?", "_")
    for phone, name in enumerate(names[2:], start=2):
        assert phones_by_patch([Phone(symbol=name, start_ms=0, end_ms=50)], 1) == np.array([phone])
    with pytest.raises(IndexError):
        phone_symbol(NUM_PHONES)
