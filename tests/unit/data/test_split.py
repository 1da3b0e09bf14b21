"""Evaluation never meets a voice, a room or a recording of training."""

import pytest

from microturn.data import split


def test_no_voice_is_on_both_sides() -> None:
    train, heldout = split.voice_bases("train"), split.voice_bases("heldout")
    assert train
    assert heldout
    assert not train & heldout


def test_speakers_that_two_synthesisers_share_are_on_one_side() -> None:
    # flite's kal16 is festival's kal; slt is in both.
    for flite_name, festival_name in (("slt", "slt"), ("kal16", "kal")):
        assert (flite_name in split.FLITE["train"]) == (festival_name in split.FESTIVAL["train"])


def test_the_assistant_is_never_a_user_by_another_synthesiser() -> None:
    # hibari was distilled from Kokoro's af_heart.
    assert "kokoro:af_heart" not in split.voice_bases("train") | split.voice_bases("heldout")


def test_siblings_of_an_espeak_variant_are_not_divided() -> None:
    def families(part: split.Part) -> set[str]:
        names = {name.rstrip("0123456789") for name in split.ESPEAK[part]}
        return names - {"f", "m"}  # numbered, but made as different speakers

    assert not families("train") & families("heldout")


def test_rooms_and_noises_are_disjoint() -> None:
    assert not set(split.RIR["train"]) & set(split.RIR["heldout"])
    assert split.NOISE["train"] != split.NOISE["heldout"]


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(ValueError, match="choose one of train, heldout"):
        split.check_part("test")
