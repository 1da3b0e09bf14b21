"""Spanish spelling to the sounds that the assistant's voice has.

hibari was made for English alone: given Spanish phonemes it garbles them, given the nearest English ones it speaks
Spanish with an English accent, intelligible if not pretty (docs/log.md). So this reads Spanish, by its regular
spelling and stress, into misaki's English alphabet: "casa" is ``kˈɑsə``, "señor" ``sAnjˈɔɹ``.
"""

import re

_VOWELS = "aeiouáéíóúü"
_PLAIN = str.maketrans("áéíóú", "aeiou")
_WEAK = "iuü"
_GLIDE = {"i": "j", "u": "w", "ü": "w"}
_FALLING = {"ai": "I", "ei": "A", "oi": "Y", "au": "W", "eu": "ɛu", "ou": "O"}
_CONSONANTS: tuple[tuple[str, str], ...] = (
    ("ch", "ʧ"),
    ("ll", "j"),
    ("rr", "ɹ"),
    ("qu(?=[eiéí])", "k"),
    ("gu(?=[eiéí])", "ɡ"),
    ("c(?=[eiéí])", "s"),
    ("g(?=[eiéí])", "h"),
    ("ñ", "nj"),
    ("h", ""),
    ("j", "h"),
    ("z", "s"),
    ("x", "ks"),
    ("[cq]", "k"),
    ("g", "ɡ"),
    ("r", "ɹ"),
    ("y", "j"),
    ("[bdfklmnpstvw]", ""),
)
"""Patterns and their sounds, the first that fits; an empty sound for ``h`` alone is silence, elsewhere the letter."""
_SPOKEN_ALONE = {"y": "i", "e": "A", "o": "O", "a": "ɑ", "u": "u"}


def read_spanish(word: str) -> str:
    """The sounds of a lower-case word, the main stress before its vowel. What is no Spanish letter is skipped."""
    if word in _SPOKEN_ALONE:
        return _SPOKEN_ALONE[word]
    text = re.sub("y$", "i", word)
    sounds, nuclei, accented = list[str](), list[int](), -1
    at = 0
    while at < len(text):
        if text[at] in _VOWELS:
            onset, nucleus, size = _syllable_core(text, at)
            sounds.append(onset)
            nuclei.append(len(sounds))
            if any(letter in "áéíóú" for letter in text[at : at + size]):
                accented = len(nuclei) - 1
            sounds.append(nucleus)
            at += size
        else:
            sound, size = _consonant(text, at)
            sounds.append(sound)
            at += size
    if len(nuclei) > 1 or accented >= 0:
        stressed = nuclei[accented if accented >= 0 else _stressed(word, len(nuclei))]
        sounds[stressed] = f"ˈ{sounds[stressed]}"
        if word.endswith("a") and accented != len(nuclei) - 1:
            sounds[-1] = "ə"
    return "".join(sounds)


def _stressed(word: str, num_nuclei: int) -> int:
    """Which nucleus carries the stress in a word without an accent."""
    return num_nuclei - 2 if word[-1] in "aeiouns" else num_nuclei - 1


def _syllable_core(text: str, at: int) -> tuple[str, str, int]:
    """A glide if there is one, the vowel or falling diphthong, and how many letters that took."""
    onset, size = "", 0
    if text[at] in _WEAK and at + 1 < len(text) and text[at + 1] in _VOWELS:
        onset, size = _GLIDE[text[at]], 1
    vowel = text[at + size].translate(_PLAIN)
    follower = text[at + size + 1 : at + size + 2]
    after = text[at + size + 2 : at + size + 3]
    if follower and follower in _WEAK and vowel + follower in _FALLING and (not after or after not in _VOWELS):
        return onset, _FALLING[vowel + follower], size + 2
    return onset, _vowel(vowel, text[at + size + 1 :]), size + 1


def _vowel(vowel: str, rest: str) -> str:
    """A vowel before the rest of its word: the nearest English one depends on whether the syllable is open."""
    is_last = not rest
    is_open = is_last or bool(re.match(f"[^{_VOWELS}r][{_VOWELS}]|ch|ll|ñ", rest)) or rest[0] in _VOWELS
    match vowel:
        case "a":
            return "ɑ"
        case "e":
            return "A" if is_open else "ɛ"
        case "o":
            return "ɔ" if rest[:1] == "r" or (not is_open and rest[0] in "nml") else "O"
        case "ü":
            return "u"
        case _:
            return vowel


def _consonant(text: str, at: int) -> tuple[str, int]:
    """The sound of the consonants at a place, and how many letters it took."""
    for pattern, sound in _CONSONANTS:
        if found := re.match(pattern, text[at:]):
            return (sound or found[0]) if found[0] != "h" else "", len(found[0])
    return "", 1
