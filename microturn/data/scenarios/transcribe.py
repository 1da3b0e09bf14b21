"""Write down what is said and answer none of it, because a typed instruction asked for that: dense lessons in hearing.

What is said is what the other scenarios ask, so that their words are learnt from many voices without the cost of the
answers, and words in no order, so that they are heard and not guessed. Speakers change between breaths.
"""

from microturn.data import everyday
from microturn.data.numbers import spoken
from microturn.data.phrases import Phrases
from microturn.data.scenarios import count_aloud, every_seconds, in_seconds, repeat_after_me
from microturn.data.scenarios.jumble import any_word, jumble
from microturn.data.scenarios.scenario import Scenario
from microturn.data.stage import Stage
from microturn.turns.micro_turn import Role, TextEvent

BEGIN = Phrases(
    train=(
        "only write down what you hear",
        "just write down what is said",
        "transcribe only",
        "write everything down and say nothing",
        "take notes and do not answer",
        "be silent and transcribe",
        "listen and write do not speak",
        "please transcribe this",
    ),
    heldout=("only transcribe", "write down what you hear and do not answer", "just take notes"),
)
END = Phrases(
    train=("that is all", "you can answer again", "stop transcribing", "thank you that is enough", "now talk to me"),
    heldout=("now you can answer again", "that is all thank you"),
)
KINDS = (
    *(("jumble", 0.2), ("request", 0.2), ("altered", 0.08), ("change", 0.06)),
    *(("numbers", 0.06), ("sentence", 0.08), ("everyday", 0.25), ("recording", 0.07)),
)
LONGEST_CLIP_MS = 7000
MANY_TRIES = 20


def play(stage: Stage, at_ms: float) -> float:
    """A few breaths between two typed instructions."""
    stage.event(_typed(stage, BEGIN), at_ms)
    now_ms = end_ms = at_ms + stage.between(250, 800)
    for _ in range(stage.whole(4, 9)):
        end_ms = breath(stage, now_ms)
        now_ms = end_ms + stage.between(60, 600)
    stage.event(_typed(stage, END), end_ms + 600)
    stage.quiet(at_ms, end_ms + 600)
    return end_ms + 1000


def breath(stage: Stage, at_ms: float) -> float:
    """Somebody says something. Returns when it ends."""
    names, chances = zip(*KINDS, strict=True)
    kind = str(stage.rng.choice(names, p=chances))
    if kind == "recording":
        clip = stage.clip(lambda clip: clip.duration_ms <= LONGEST_CLIP_MS, MANY_TRIES)
        if clip:
            stage.play(clip, at_ms, level_db=stage.between(-10, 0))
            return at_ms + clip.duration_ms
    voice = stage.cast.user if stage.chance(0.4) else stage.cast.bystanders(stage.rng)
    return stage.user(words(stage, kind), at_ms, voice=voice, level_db=stage.between(-12, 0))


def words(stage: Stage, kind: str) -> str:
    """What is said in a breath."""
    if kind == "request":
        return request(stage)
    if kind == "altered":
        return altered(stage, request(stage))
    if kind == "change":
        return change(stage)
    if kind == "jumble":
        return jumble(stage, stage.whole(2, 12))
    if kind == "everyday":
        return everyday.phrase(stage.rng)
    if kind == "sentence" and stage.cast.sentences:
        return stage.pick(stage.cast.sentences)
    return " ".join(spoken(stage.whole(0, 100 if stage.chance(0.6) else 20)) for _ in range(stage.whole(1, 6)))


def request(stage: Stage) -> str:
    """Something that another scenario asks for."""
    seconds, thing = spoken(stage.whole(2, 12)), every_seconds.something(stage)
    kind = stage.pick(("count", "count", "count", "every", "in", "repeat"))
    if kind == "every":
        return stage.pick(every_seconds.REQUEST).format(x=thing, n=seconds)
    if kind == "in":
        return stage.pick(in_seconds.REQUEST).format(x=thing, n=seconds)
    if kind == "repeat":
        return stage.pick(repeat_after_me.REQUEST).format(x=repeat_after_me.choose_words(stage))
    pace_ms = int(stage.pick([str(pace) for pace in count_aloud.PACES]))
    asked, _ = count_aloud.choose_numbers(stage, most=12)
    return f"{asked} {stage.pick(count_aloud.PACES[pace_ms])}".strip()


def altered(stage: Stage, asked: str) -> str:
    """A request whose words are partly others, or in another order: what the rest of it foretells is not what comes."""
    words = asked.split()
    if stage.chance(0.3):
        return " ".join(stage.rng.permutation(words))
    return " ".join(any_word(stage) if stage.chance(0.3) else word for word in words)


def change(stage: Stage) -> str:
    """What is said to a model that counts."""
    if stage.chance(0.2):
        return stage.pick(count_aloud.SKIP_TO).format(n=spoken(stage.whole(0, 100)))
    banks = (
        *(count_aloud.STOP, count_aloud.STOP, count_aloud.GO_ON),
        *(count_aloud.START_AGAIN, count_aloud.SLOWER, count_aloud.FASTER),
    )
    return stage.pick(banks[stage.whole(0, len(banks) - 1)])


def _typed(stage: Stage, bank: Phrases) -> TextEvent:
    return TextEvent(role=Role.USER if stage.chance(0.6) else Role.SYSTEM, text=stage.pick(bank))


TRANSCRIBE = Scenario(
    name="transcribe",
    summary="asked in writing to take notes, writes down whatever is said by whomever, and answers none of it",
    play=play,
    weight=2.0,
)
