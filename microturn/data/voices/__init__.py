"""Voices that speak with word times: the assistant's own, and families of user voices split into train and held out."""

from microturn.data.voices.families import Family, assistant_voice, sample_voice, user_voices
from microturn.data.voices.phonemes import dictionary
from microturn.data.voices.utterance import SpokenWord, Utterance, Voice

__all__ = ["Family", "SpokenWord", "Utterance", "Voice", "assistant_voice", "dictionary", "sample_voice", "user_voices"]
