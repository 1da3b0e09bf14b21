"""The bilingual worlds: sides that line up, agreement, no word in evaluation that training never translates."""

from itertools import pairwise

import numpy as np
import pytest

from microturn.data.corpus import MuteVoice
from microturn.data.episode import Episode
from microturn.data.languages import LANGUAGES, Chunk, Language, choose_sentence, german, spanish
from microturn.data.languages.aligned import chunks
from microturn.data.scenarios import SCENARIOS
from microturn.data.stage import Cast, Stage
from microturn.data.voices.german import read_german
from microturn.data.voices.phonemes import FOREIGN_READERS
from microturn.data.voices.spanish import read_spanish

SEEDS = range(16)


def new_stage(seed: int, part: str = "train") -> Stage:
    voice = MuteVoice()
    return Stage(np.random.default_rng(seed), Cast(user=voice, bystanders=lambda _: voice, assistant=voice, part=part))


def all_chunks(language: Language, part: str) -> list[Chunk]:
    lines = [*getattr(language.phrases, part), *getattr(language.templates, part)]
    stage = new_stage(1, part)
    return [chunk for line in lines for _ in range(12) for chunk in chunks(line, language.fill(stage), language)]


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
@pytest.mark.parametrize("part", ["train", "heldout"])
def test_every_line_has_as_many_chunks_on_either_side(language: Language, part: str) -> None:
    for chunk in all_chunks(language, part):
        assert chunk.source
        assert chunk.target
        assert "{" not in chunk.source + chunk.target


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
def test_evaluation_holds_no_word_that_training_never_translates(language: Language) -> None:
    words = {word for chunk in all_chunks(language, "train") for word in chunk.target.split()}
    slots = language.fill(new_stage(0))
    for line in (*language.phrases.heldout, *language.templates.heldout):
        fixed = line.split(" | ")[1].format(**dict.fromkeys(slots, "")).replace("/", " ").split()
        assert set(fixed) <= words, line


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_said_is_the_translation_of_what_was_heard(seed: int) -> None:
    episode = play(seed)
    said = [word.text for word in episode.said if word.text != "okay"]
    assert said == [word for chunk in episode.moments for word in chunk.label.split()]
    for chunk in episode.moments:
        starts = [word.start_ms for word in episode.said if word.text == chunk.label.split()[0]]
        assert any(0 < start - chunk.from_ms < 6_000 for start in starts)


def test_translation_begins_before_the_speaker_ends() -> None:
    over = [
        word
        for episode in map(play, SEEDS)
        for word in episode.said
        if any(user.start_ms < word.start_ms < user.end_ms for user in episode.heard)
    ]
    assert len(over) > 2 * len(SEEDS)


def play(seed: int) -> Episode:
    stage = new_stage(seed)
    end_ms = SCENARIOS["interpret"].play(stage, 400.0)
    return stage.render("interpret", seed, end_ms + 2_000, lambda samples, _: samples)


# --- Spanish ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "words"), [(0, "cero"), (16, "dieciséis"), (22, "veintidós"), (31, "treinta y uno"), (100, "cien")]
)
def test_spanish_numbers(number: int, words: str) -> None:
    assert spanish.spanish_number(number) == words


def test_spanish_agreement() -> None:
    assert spanish.agreed("rojo", "f") == "roja"
    assert spanish.agreed("verde", "f") == "verde"
    assert spanish.agreed("azul", "m", is_plural=True) == "azules"
    assert spanish.agreed("marrón", "f", is_plural=True) == "marrones"
    assert spanish.contract("de el coche") == "del coche"


def test_spanish_sentences_agree() -> None:
    stage = new_stage(3)
    for _ in range(200):
        for chunk in choose_sentence(stage, spanish.SPANISH):
            words = chunk.target.split()
            for article, noun in pairwise(words):
                genders = {n.gender for n in spanish.NOUNS if n.target == noun}
                if article in ("el", "la", "un", "una") and genders:
                    assert ({"f"} if article in ("la", "una") else {"m"}) == genders, chunk.target


@pytest.mark.parametrize(
    ("word", "sounds"),
    [
        ("casa", "kˈɑsə"),
        ("está", "ɛstˈɑ"),
        ("señor", "sAnjˈɔɹ"),
        ("guitarra", "ɡitˈɑɹə"),
        ("pingüino", "pinɡwˈinO"),
        ("cinco", "sˈinkO"),
        ("jueves", "hwˈAvɛs"),
        ("muy", "mwi"),
        ("y", "i"),
        ("hola", "ˈOlə"),
        ("queso", "kˈAsO"),
        ("días", "dˈiɑs"),
    ],
)
def test_spanish_is_read_by_its_rules(word: str, sounds: str) -> None:
    assert read_spanish(word) == sounds


def test_whatever_is_typed_is_read_without_an_error() -> None:
    for word in ("ñ", "xyz", "h", "ß", "123", "üü", "ay", "o'neill"):
        for read in FOREIGN_READERS.values():
            assert isinstance(read(word), str)


def test_every_language_that_is_translated_into_is_read() -> None:
    assert set(LANGUAGES) <= set(FOREIGN_READERS)


# --- German -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "eins"), (17, "siebzehn"), (21, "einundzwanzig"), (66, "sechsundsechzig"), (100, "hundert")],
)
def test_german_numbers(number: int, words: str) -> None:
    assert german.german_number(number) == words


def test_german_articles_and_endings_agree() -> None:
    stage = new_stage(4)
    for _ in range(60):
        slots = german.fill(stage)
        gender = next(noun.gender for noun in german.NOUNS if noun.target == slots["N"])
        assert slots["den"] == {"m": "den", "f": "die", "n": "das"}[gender]
        assert slots["Cen"].endswith({"m": "en", "f": "e", "n": "es"}[gender])


@pytest.mark.parametrize(
    ("word", "sounds"),
    [
        ("haus", "hˈWs"),
        ("schön", "ʃˈɜɹn"),
        ("ich", "ɪʃ"),
        ("straße", "ʃtɹˈɑsə"),
        ("hund", "hˈʊnt"),
        ("zwei", "tsvˈI"),
        ("vater", "fˈɑtəɹ"),
        ("buch", "bˈuk"),
        ("verstehe", "fɛɹstˈAhə"),
        ("sieben", "zˈibən"),
    ],
)
def test_german_is_read_by_its_rules(word: str, sounds: str) -> None:
    assert read_german(word) == sounds
