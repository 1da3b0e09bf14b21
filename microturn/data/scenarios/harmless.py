"""What may be said with no answer: talk that no listener could take for a command, a question or a greeting."""

from microturn.data.phrases import VERBS
from microturn.data.scenarios.short_requests import COURTESIES

COMMANDS = frozenset(
    (
        *("stop", "wait", "pause", "enough", "hold", "halt", "quiet", "silence", "plenty", "hurry", "proceed"),
        *("continue", "resume", "again", "faster", "slower", "slow"),
        *("speed", "skip", "jump", "go", "carry", "keep", "start", "over", "begin", "count", "say", "repeat", "read"),
    )
)
"""Words that a bystander does not use, for they might be meant for the model."""
ASKING = frozenset(
    (
        *("what", "who", "whose", "whom", "which", "when", "where", "why", "how", "please", "let", "help", "turn"),
        *("is", "are", "am", "was", "were", "do", "does", "did", "has", "have", "had", "shall", "should", "may"),
        *("can", "could", "will", "would", "might", "must", "come", "bring", "send", "open", "close"),
    )
)
"""What questions and requests begin with, beside the verbs of what a model can do."""
GREETINGS = (*COURTESIES, "good afternoon", "bye")


def is_harmless(text: str) -> bool:
    """No word of it could be taken for a command."""
    return COMMANDS.isdisjoint(text.split())


def asks_nothing(sentence: str) -> bool:
    """Whether it begins as no question, request or greeting does, and holds no command: nobody could mean to be
    answered."""
    first, *_ = sentence.split()
    return first not in VERBS | ASKING and is_harmless(sentence) and not begins_with_greeting(sentence)


def begins_with_greeting(sentence: str) -> bool:
    """Whether its first words are what everybody answers."""
    return any(f"{sentence} ".startswith(f"{greeting} ") for greeting in GREETINGS)
