"""German spelling to the sounds that the assistant's voice has.

As with Spanish, the nearest English sounds: "haus" is ``hˈWs``, "schön" ``ʃˈɜɹn``, "ich" ``ɪʃ``. Vowels that English
lacks take a neighbour: ü is said as i, ö as in "bird", ch after a dark vowel as k.
"""

import re

_VOWELS = "aeiouäöüy"
_LONG = {"a": "ɑ", "e": "A", "i": "i", "o": "O", "u": "u", "ä": "ɛ", "ö": "ɜɹ", "ü": "i", "y": "i"}
_SHORT = {"a": "ɑ", "e": "ɛ", "i": "ɪ", "o": "ɔ", "u": "ʊ", "ä": "ɛ", "ö": "ɜɹ", "ü": "ɪ", "y": "ɪ"}
_TWO = {"ei": "I", "ai": "I", "au": "W", "eu": "Y", "äu": "Y", "ie": "i", "aa": "ɑ", "ee": "A", "oo": "O"}
_UNSTRESSED_PREFIX = re.compile("ver(?=[^aeiouäöü])|be(?=rüh|komm|such|zahl)|ge(?=burt|scheh|fund|mach|sag)|er(?=zähl)")
_CONSONANTS: tuple[tuple[str, str], ...] = (
    ("tsch", "ʧ"),
    ("sch", "ʃ"),
    ("chs", "ks"),
    ("ck", "k"),
    ("tz", "ts"),
    ("ph", "f"),
    ("pf", "f"),
    ("qu", "kv"),
    ("th|dt|tt", "t"),
    ("ng", "ŋ"),
    ("nk", "ŋk"),
    ("ss|ß", "s"),
    ("bb", "b"),
    ("dd", "d"),
    ("ff", "f"),
    ("gg", "ɡ"),
    ("ll", "l"),
    ("mm", "m"),
    ("nn", "n"),
    ("pp", "p"),
    ("rr", "ɹ"),
    ("z", "ts"),
    ("v", "f"),
    ("w", "v"),
    ("x", "ks"),
    ("c", "k"),
    ("r", "ɹ"),
)
_FINAL = {"b": "p", "d": "t", "g": "k"}
_IRREGULAR = {
    "das": "dɑs", "es": "ɛs", "von": "fɔn", "mit": "mɪt", "und": "ʊnt", "an": "ɑn", "in": "ɪn", "im": "ɪm", "am": "ɑm",
    "ist": "ɪst", "bin": "bɪn", "hat": "hɑt", "was": "vɑs", "der": "dɛɹ", "den": "dAn", "dem": "dAm", "er": "ɛɹ",
    "hotel": "hOtˈɛl", "musik": "muzˈik", "papier": "pɑpˈiɹ", "kaffee": "kˈɑfA", "spanien": "ʃpˈɑnjən", "buch": "bˈuk",
    "gitarre": "ɡitˈɑɹə", "maria": "mɑɹˈiə", "entschuldigung": "ɛntʃˈʊldɪɡʊŋ",
}  # fmt: skip
"""Short words with short vowels, and words from elsewhere."""
_UNSTRESSED = frozenset(
    (
        *("die", "ein", "eine", "einen", "eines", "mein", "meine", "meinen", "meinem", "dein", "ich", "du", "wir"),
        *(
            "sie",
            "mir",
            "mich",
            "dir",
            "dich",
            "sind",
            "habe",
            "haben",
            "zu",
            "auf",
            "aus",
            "bis",
            "nicht",
            "sehr",
            "dem",
        ),
    )
)
"""Small words that lean on the next."""


def read_german(word: str) -> str:
    """The sounds of a lower-case word, the main stress before its vowel. What is no German letter is skipped."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    skipped = 1 if _UNSTRESSED_PREFIX.match(word) else -1 if word in _UNSTRESSED else 0
    sounds, num_vowels, at = list[str](), 0, 0
    while at < len(word):
        if word[at] in _VOWELS:
            sound, size = _vowel(word, at, is_stressed=num_vowels == skipped)
            sounds.append(f"ˈ{sound}" if num_vowels == skipped else sound)
            num_vowels += 1
        else:
            sound, size = _consonant(word, at)
            sounds.append(sound)
        at += size
    return "".join(sounds)


def _vowel(word: str, at: int, *, is_stressed: bool) -> tuple[str, int]:
    """A vowel or diphthong and how many letters it took, a silent h included."""
    if word[at : at + 2] in _TWO:
        size = 3 if re.match("h(?![aeiouäöü])", word[at + 2 :]) else 2
        return _TWO[word[at : at + 2]], size
    letter, rest = word[at], word[at + 1 :]
    if letter == "e" and not is_stressed and re.match("(?:[nlrstm]{0,2}|lt|nd)$", rest):
        return "ə", 1
    if rest.startswith("h") and not re.match("h[aeiouäöü]", rest):
        return _LONG[letter], 2
    is_long = bool(re.match(f"(?:[^{_VOWELS}]?$|[^{_VOWELS}x][{_VOWELS}]|ß|h)", rest)) and (is_stressed or not rest)
    return (_LONG if is_long else _SHORT)[letter], 1


def _consonant(word: str, at: int) -> tuple[str, int]:
    """The sound of the consonants at a place, and how many letters it took."""
    rest, before = word[at:], word[at - 1] if at else ""
    if rest == "g" and before == "i":
        return "ʃ", 1
    if rest.startswith("ch") and not rest.startswith("chs"):
        return ("k" if before in "aou" and before else "ʃ"), 2
    if at == 0 and re.match("s[tp]", rest):
        return "ʃ", 1
    if re.match(f"s[{_VOWELS}]", rest):
        return "z", 1
    for pattern, sound in _CONSONANTS:
        if found := re.match(pattern, rest):
            return sound, len(found[0])
    if len(rest) == 1 and rest in _FINAL:
        return _FINAL[rest], 1
    letter = rest[0]
    return ("ɡ" if letter == "g" else letter if letter in "bdfhjklmnpst" else ""), 1
