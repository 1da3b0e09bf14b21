"""What happens in a scene: changes that are possible as things stand, one after the other, each with words for it."""

from dataclasses import dataclass
from enum import StrEnum

from microturn.data.visual.people import RAISED_LEFT, RAISED_RIGHT, STANDING, Person
from microturn.data.visual.scene import MAX_THINGS, Scene
from microturn.data.visual.things import Thing


class Change(StrEnum):
    """What may happen."""

    APPEARS = "appears"
    LEAVES = "leaves"
    MOVES = "moves"
    RECOLOURS = "recolours"
    LIGHT_OFF = "light off"
    LIGHT_ON = "light on"
    HAND_UP = "hand up"
    HAND_DOWN = "hand down"
    PERSON_COMES = "person comes"
    PERSON_LEAVES = "person leaves"


_OF_A_THING = frozenset({Change.LEAVES, Change.MOVES, Change.RECOLOURS})
SETTLE_MS = 1_200
"""After a change the next one may begin."""


@dataclass(frozen=True, kw_only=True)
class Happening:
    """One change, and when it is plain to see."""

    change: Change
    thing: Thing | None
    time_ms: float
    label: str
    """``the red ball leaves``."""


class Story:
    """A scene, and who is in it."""

    def __init__(self, scene: Scene, *, num_things: int, has_person: bool) -> None:
        self.scene = scene
        self.present: list[Thing] = [scene.add_thing() for _ in range(num_things)]
        self.person: Person | None = scene.add_person() if has_person else None
        if self.person is not None:  # people stand behind things
            scene.actors.remove(self.person)
            scene.actors.insert(0, self.person)
        self.is_light = True
        self.is_hand_up = False

    def possible(self) -> list[Change]:
        """What can happen now. In the dark only the light can change."""
        if not self.is_light:
            return [Change.LIGHT_ON]
        changes = [Change.LIGHT_OFF]
        if len(self.scene.things) < MAX_THINGS:
            changes.append(Change.APPEARS)
        if self.present:
            changes += [Change.LEAVES, Change.MOVES, Change.RECOLOURS]
        if self.person is None:
            changes.append(Change.PERSON_COMES)
        else:
            changes += [Change.HAND_DOWN if self.is_hand_up else Change.HAND_UP, Change.PERSON_LEAVES]
        return changes

    def happen(self, change: Change, at_ms: float, *, thing: Thing | None = None, name: str | None = None) -> Happening:
        """Let something happen; to a thing of choice, or a thing of a name. Returns what, and when it shows."""
        match change:
            case Change.APPEARS:
                thing = thing or self.scene.add_thing(name, is_outside=True)
                self.present.append(thing)
                time_ms, label = self.scene.enter(thing, at_ms), f"{with_article(thing.description)} appears"
            case Change.LEAVES | Change.MOVES | Change.RECOLOURS:
                time_ms, label, thing = self._change_thing(change, thing or self._any_thing(), at_ms)
            case Change.LIGHT_OFF | Change.LIGHT_ON:
                self.is_light = change is Change.LIGHT_ON
                time_ms = self.scene.brighten(at_ms) if self.is_light else self.scene.dim(at_ms)
                label = f"the light goes {'on' if self.is_light else 'off'}"
            case _:
                time_ms, label = self._change_person(change, at_ms)
        return Happening(change=change, thing=thing, time_ms=time_ms, label=label)

    def any_change(
        self, at_ms: float, *, but: frozenset[Change] = frozenset(), sparing: Thing | None = None
    ) -> Happening | None:
        """Something happens, unless nothing can but what is excluded. A thing can be spared."""
        others = [thing for thing in self.present if thing is not sparing]
        spared = frozenset() if others else _OF_A_THING
        options = [change for change in self.possible() if change not in but | spared]
        if not options:
            return None
        change = options[int(self.scene.rng.integers(len(options)))]
        thing = others[int(self.scene.rng.integers(len(others)))] if change in _OF_A_THING else None
        return self.happen(change, at_ms, thing=thing)

    def _change_thing(self, change: Change, thing: Thing, at_ms: float) -> tuple[float, str, Thing]:
        if change is Change.LEAVES:
            self.present.remove(thing)
            return self.scene.leave(thing, at_ms), f"the {thing.description} leaves", thing
        if change is Change.MOVES:
            return self.scene.move(thing, at_ms), f"the {thing.description} moves", thing
        colour = self.scene.fresh_colour(*thing.place.last[:2])
        return self.scene.recolour(thing, colour, at_ms), f"the {thing.name} turns {colour}", thing

    def _change_person(self, change: Change, at_ms: float) -> tuple[float, str]:
        scene = self.scene
        if change is Change.PERSON_COMES:
            self.person = scene.add_person(is_outside=True)
            self.is_hand_up = False
            scene.actors.remove(self.person)
            scene.actors.insert(0, self.person)
            return scene.enter(self.person, at_ms), "a person comes in"
        assert self.person is not None, f"{change} needs a person"
        if change is Change.PERSON_LEAVES:
            person, self.person = self.person, None
            return scene.leave(person, at_ms), "the person leaves"
        self.is_hand_up = change is Change.HAND_UP
        raised = RAISED_LEFT if scene.rng.random() < 0.5 else RAISED_RIGHT
        time_ms = scene.pose(self.person, raised if self.is_hand_up else STANDING, at_ms)
        return time_ms, f"a hand goes {'up' if self.is_hand_up else 'down'}"

    def _any_thing(self) -> Thing:
        return self.present[int(self.scene.rng.integers(len(self.present)))]


def with_article(words: str) -> str:
    """``an orange ball``."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def something_happens(story: Story, from_ms: float, to_ms: float) -> list[Happening]:
    """Changes that nobody asks about, a few seconds apart."""
    happenings: list[Happening] = []
    now_ms = from_ms
    while now_ms < to_ms - SETTLE_MS:
        happening = story.any_change(now_ms)
        if happening is not None:
            happenings.append(happening)
        now_ms += SETTLE_MS + float(story.scene.rng.exponential(3_000))
    return happenings
