"""Packed episodes survive a shard, and a shard that was damaged says so."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from microturn.data.corpus import MuteVoice
from microturn.data.packed import LETTERS, PackedEpisode, from_arrays, letters, pack, sounds, to_arrays
from microturn.data.scenarios import SCENARIOS
from microturn.data.shards import list_shards, read_episode, read_index, write_shard
from microturn.data.stage import Cast, Stage
from microturn.data.visual import Scene
from microturn.data.visual.camera import Camera
from microturn.data.visual.patch_labels import UNKNOWN, WHAT
from microturn.data.voices import SpokenWord
from microturn.errors import MediaError
from microturn.features.phones import UNKNOWN_PHONE, Phone, phone_symbol
from microturn.features.tokenizer import Tokenizer
from microturn.turns.vocabulary import Kind


@pytest.fixture(scope="module")
def packed() -> PackedEpisode:
    voice = MuteVoice()
    stage = Stage(np.random.default_rng(3), Cast(user=voice, bystanders=lambda _: voice, assistant=voice, part="train"))
    end_ms = SCENARIOS["repeat-after-me"].play(stage, 300.0)
    rng = np.random.default_rng(0)
    noisy = stage.render("repeat-after-me", 3, end_ms, lambda s, _: s + 0.1 * rng.standard_normal(len(s)))
    return pack(noisy, Tokenizer.train([" repeat after me"] * 9, 300))


def test_what_is_read_is_what_was_written(tmp_path: Path, packed: PackedEpisode) -> None:
    write_shard(tmp_path / "00000.tar", [("a", "repeat-after-me", packed), ("b", "repeat-after-me", packed)])
    (shard,) = list_shards(tmp_path)
    read = [(entry, read_episode(shard, entry)) for entry in read_index(shard)]
    assert [entry.key for entry, _ in read] == ["a", "b"]
    for entry, episode in read:
        assert entry.num_positions == packed.num_positions
        assert np.array_equal(episode.letter_N, packed.letter_N)
        assert np.array_equal(episode.sound_N, packed.sound_N)
        for field in fields(packed.run):
            got, want = getattr(episode.run, field.name), getattr(packed.run, field.name)
            assert got.dtype == want.dtype
            np.testing.assert_allclose(got, want, atol=0.01 if field.name == "speech_NP" else 0)


def test_ids_and_turns_of_more_than_two_bytes_survive(packed: PackedEpisode) -> None:
    assert to_arrays(packed)["token"].itemsize == 2
    run = replace(packed.run, token_T=packed.run.token_T + 201_000, turn_T=packed.run.turn_T + 70_000)
    read = from_arrays(to_arrays(replace(packed, run=run)))
    assert np.array_equal(read.run.token_T, run.token_T)
    assert np.array_equal(read.run.turn_T, run.turn_T)


def test_an_unfinished_shard_is_not_listed(tmp_path: Path, packed: PackedEpisode) -> None:
    def interrupted():
        yield "a", "x", packed
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path / "00000.tar", interrupted())
    assert list_shards(tmp_path) == []


def test_a_damaged_shard_names_its_remedy(tmp_path: Path, packed: PackedEpisode) -> None:
    shard = tmp_path / "00000.tar"
    write_shard(shard, [("a", "x", packed)])
    shard.write_bytes(shard.read_bytes()[:-12_000])
    with pytest.raises(MediaError, match="render it again"):
        read_episode(shard, read_index(shard)[0])


def test_letters_follow_the_words_a_tenth_of_a_second_late() -> None:
    words = [SpokenWord(text="ten", start_ms=100, end_ms=399), SpokenWord(text="a", start_ms=500, end_ms=540)]
    spelt = "".join(("-" + LETTERS)[c] for c in letters(words, 16))
    assert spelt == "----tteenn--a---"


def test_phones_follow_what_is_heard_as_late_as_letters() -> None:
    phones = [Phone(symbol="ɛ", start_ms=100, end_ms=299), Phone(symbol="n", start_ms=299, end_ms=340)]
    assert "".join(phone_symbol(int(phone)) for phone in sounds(phones, 10)) == "___ɛɛɛɛn__"


def test_shards_of_before_phones_know_none(packed: PackedEpisode) -> None:
    arrays = to_arrays(packed)
    del arrays["sound"]
    assert set(from_arrays(arrays).sound_N) == {UNKNOWN_PHONE}


def test_frames_survive_as_what_jpeg_leaves_of_them(tmp_path: Path) -> None:
    voice = MuteVoice()
    stage = Stage(np.random.default_rng(3), Cast(user=voice, bystanders=lambda _: voice, assistant=voice, part="train"))
    scene = Scene(np.random.default_rng(1), "train", camera=Camera())
    scene.add_thing()
    stage.watch(scene, 500.0)
    stage.watch(None, 1_400.0)
    tokenizer = Tokenizer.train([" repeat after me"] * 9, 300)
    seen = pack(stage.render("watching", 3, 4_000, lambda samples, _: samples), tokenizer)
    turns = np.unique(seen.run.turn_T[seen.run.kind_T == Kind.IMAGE])
    assert list(turns) == list(range(2, 11))  # the last frame, taken before 1400 ms, stands in for a second
    assert len(seen.patches()) == (seen.run.kind_T == Kind.IMAGE).sum() == 15 * len(turns)
    write_shard(tmp_path / "00000.tar", [("a", "watching", seen)])
    (entry,) = read_index(tmp_path / "00000.tar")
    read = read_episode(tmp_path / "00000.tar", entry)
    assert read.frames_K2HWC.shape == seen.frames_K2HWC.shape
    assert np.abs(read.frames_K2HWC.astype(int) - seen.frames_K2HWC).mean() < 6
    assert (tmp_path / "00000.tar").stat().st_size < seen.frames_K2HWC.nbytes / 5
    assert np.array_equal(read.run.kind_T, seen.run.kind_T)
    assert np.array_equal(read.label_N3, seen.label_N3)
    assert set(read.label_N3[:, 0]) == {0, 255, WHAT.index(scene.things[0].name)}


def test_frames_that_nobody_labelled_have_labels_that_say_so() -> None:
    voice = MuteVoice()
    stage = Stage(np.random.default_rng(3), Cast(user=voice, bystanders=lambda _: voice, assistant=voice, part="train"))
    stage.watch(Scene(np.random.default_rng(1), "train"), 0.0)
    episode = stage.render("watching", 3, 1_000, lambda samples, _: samples)
    tokenizer = Tokenizer.train([" repeat after me"] * 9, 300)
    seen = pack(replace(episode, labels=()), tokenizer)
    assert seen.label_N3.shape == (len(seen.patches()), 3)
    assert (seen.label_N3 == UNKNOWN).all()
    arrays = {name: value for name, value in to_arrays(pack(episode, tokenizer)).items() if name != "label"}
    assert (from_arrays(arrays).label_N3 == UNKNOWN).all()  # a shard of before
    with pytest.raises(ValueError, match="all or none"):
        pack(replace(episode, labels=episode.labels[1:]), tokenizer)
