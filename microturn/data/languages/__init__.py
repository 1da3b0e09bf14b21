"""The small bilingual worlds in which nano translates: aligned phrases and sentence templates, one file a language."""

from microturn.data.languages.aligned import Chunk, Language, Noun, choose_sentence
from microturn.data.languages.german import GERMAN
from microturn.data.languages.spanish import SPANISH

LANGUAGES: dict[str, Language] = {language.code: language for language in (SPANISH, GERMAN)}

__all__ = ["LANGUAGES", "Chunk", "Language", "Noun", "choose_sentence"]
