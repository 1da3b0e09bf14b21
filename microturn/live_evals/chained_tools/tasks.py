"""Requests as people speak them: fillers, a false start that is taken back, and several steps that need each other.

A task's ``solve`` is the reference: it uses tools one after the other, and each call's arguments come from what was
asked or from what an earlier call brought. With ``is_corrected=False`` it does what was said before the correction.
"""

import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from microturn.live_evals.chained_tools.world import (
    ACCOUNTS,
    CITIES,
    DAYS,
    DOORS,
    PAYEES,
    PEOPLE,
    ROOMS,
    TITLES,
    Call,
    World,
)

Use = Callable[[str, Mapping[str, Any]], Awaitable[str]]
"""Uses a tool; gives its JSON."""
_OPENERS = ("um", "uh", "okay so", "hey", "right so", "well")
_REPAIRS = ("no wait", "sorry i mean", "uh no", "actually no make that", "no sorry", "hang on i mean")
_FILLERS = ("um", "uh", "like", "you know")
_NUMBERS = {2: "two", 3: "three", 4: "four", 18: "eighteen", 19: "nineteen", 20: "twenty", 21: "twenty one"}
_AMOUNTS = {20: "twenty", 40: "forty", 50: "fifty", 60: "sixty", 80: "eighty", 90: "ninety"}
_CURRENCIES = ("dollar", "pound", "franc")


@dataclass(frozen=True, kw_only=True)
class Task:
    """One request, in one world."""

    key: str
    kind: str
    """The row it belongs to."""
    words: str
    """As spoken, without punctuation."""
    seed: int
    solve: Callable[[Use, bool], Awaitable[str]]
    """Uses tools as asked, with the correction or without, and gives the answer."""
    facts: tuple[str, ...]
    """Words that an answer should hold."""

    def world(self) -> World:
        """The world before anything was done."""
        return World.of_seed(self.seed)


def draw_tasks(limit: int, seed: int = 0) -> list[Task]:
    """So many tasks, kind after kind; another seed draws others."""
    kinds = list(_KINDS.items())
    return [_make(*kinds[number % len(kinds)], seed * 100_000 + number) for number in range(limit)]


async def solved(task: Task, *, is_corrected: bool = True) -> tuple[World, str]:
    """The world after the reference has acted, and its answer."""
    world = task.world()

    async def use(tool: str, arguments: Mapping[str, Any]) -> str:
        return world.use(tool, arguments)

    return world, await task.solve(use, is_corrected)


def expected_calls(world: World) -> list[Call]:
    """What a solved world was asked."""
    return list(world.calls)


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """What a kind of task makes of a drawn seed."""

    words: str
    solve: Callable[[Use, bool], Awaitable[str]]
    facts: tuple[str, ...]


class _Speaker:
    """Draws words."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def two(self, choices: Any) -> tuple[Any, Any]:
        """What is meant, and what was said first."""
        right, wrong = self.rng.sample(list(choices), 2)
        return right, wrong

    def repaired(self, wrong: str, right: str) -> str:
        """A false start and its correction."""
        return f"{wrong} {self.rng.choice(_REPAIRS)} {right}"

    def said(self, text: str) -> str:
        """A sentence with an opener and a filler somewhere."""
        words = text.split()
        words.insert(self.rng.randrange(2, len(words)), self.rng.choice(_FILLERS))
        return " ".join([self.rng.choice(_OPENERS), *words])


def _make(kind: str, draft: Callable[[_Speaker], _Draft], seed: int) -> Task:
    made = draft(_Speaker(seed))
    return Task(key=f"{kind}-{seed}", kind=kind, words=made.words, seed=seed, solve=made.solve, facts=made.facts)


async def _json(use: Use, tool: str, **arguments: Any) -> Any:
    return json.loads(await use(tool, arguments))


def _flight(speaker: _Speaker) -> _Draft:
    (city, first), day = speaker.two(CITIES), speaker.rng.choice(DAYS)

    async def solve(use: Use, is_corrected: bool) -> str:
        found = await _json(use, "search_flights", city=city if is_corrected else first, day=day)
        flight = min(found, key=lambda each: each["price"])
        await use("book_flight", {"flight_id": flight["flight_id"]})
        return f"I booked flight {flight['flight_id']} to {flight['city']} on {day} for {flight['price']} euros."

    words = f"book me the cheapest flight to {speaker.repaired(first, city)} on {day}"
    return _Draft(words=speaker.said(words), solve=solve, facts=(city,))


def _trip(speaker: _Speaker) -> _Draft:
    (city, first), day = speaker.two(CITIES), speaker.rng.choice(DAYS)
    nights, first_nights = speaker.two((2, 3, 4))

    async def solve(use: Use, is_corrected: bool) -> str:
        found = await _json(use, "search_hotels", city=city if is_corrected else first)
        hotel = min(found, key=lambda each: each["price"])
        stay = nights if is_corrected else first_nights
        await use("book_hotel", {"hotel_id": hotel["hotel_id"], "day": day, "nights": stay})
        await use("add_event", {"title": f"trip to {hotel['city']}", "day": day, "time": "09:00"})
        return f"You have {stay} nights in {hotel['city']} from {day}, and it is in your calendar."

    stay = speaker.repaired(_NUMBERS[first_nights], _NUMBERS[nights])
    words = (
        f"find the cheapest hotel in {speaker.repaired(first, city)} and book it from {day} for {stay} nights "
        f"and put trip to {city} in my calendar that day at nine in the morning"
    )
    return _Draft(words=speaker.said(words), solve=solve, facts=(city,))


def _warmth(speaker: _Speaker) -> _Draft:
    (room, first), (degrees, first_degrees) = speaker.two(ROOMS), speaker.two((18, 19, 20, 21))

    async def solve(use: Use, is_corrected: bool) -> str:
        chosen, goal = (room, degrees) if is_corrected else (first, first_degrees)
        now = (await _json(use, "read_temperature", room=chosen))["degrees"]
        if now >= goal:
            return f"The {chosen} has {now:.0f} degrees already."
        await use("set_thermostat", {"room": chosen, "degrees": goal})
        return f"The {chosen} had {now:.0f} degrees, I set it to {goal}."

    goal = speaker.repaired(_NUMBERS[first_degrees], _NUMBERS[degrees])
    words = f"if the {speaker.repaired(first, room)} is colder than {goal} degrees set it to that"
    return _Draft(words=speaker.said(words), solve=solve, facts=(room,))


def _locking(speaker: _Speaker) -> _Draft:
    (door, first), (title, room) = speaker.two(DOORS), (speaker.rng.choice(TITLES), speaker.rng.choice(ROOMS))

    async def solve(use: Use, is_corrected: bool) -> str:
        (event,) = await _json(use, "find_events", text=title)
        chosen = door if is_corrected else first
        await use("lock_at", {"door": chosen, "day": event["day"], "time": event["time"]})
        await use("set_light", {"room": room, "is_on": False})
        return f"The {chosen} locks on {event['day']} at {event['time']}, and the {room} is dark."

    words = f"lock the {speaker.repaired(first, door)} when my {title} begins and turn off the light in the {room} now"
    return _Draft(words=speaker.said(words), solve=solve, facts=(door,))


def _moving(speaker: _Speaker) -> _Draft:
    (day, first), title = speaker.two(DAYS), speaker.rng.choice(TITLES)

    async def solve(use: Use, is_corrected: bool) -> str:
        (event,) = await _json(use, "find_events", text=title)
        goal = day if is_corrected else first
        await use("move_event", {"event_id": event["event_id"], "day": goal, "time": event["time"]})
        return f"Your {title} is on {goal} at {event['time']} now."

    words = f"move my {title} to {speaker.repaired(first, day)} at the same time"
    return _Draft(words=speaker.said(words), solve=solve, facts=(day,))


def _bill(speaker: _Speaker) -> _Draft:
    (account, first), (payee, first_payee) = speaker.two(ACCOUNTS), speaker.two(PAYEES)

    async def solve(use: Use, is_corrected: bool) -> str:
        bills = await _json(use, "list_bills")
        wanted = payee if is_corrected else first_payee
        bill = next(each for each in bills if each["payee"] == wanted)
        source = account if is_corrected else first
        await use("pay_bill", {"bill_id": bill["bill_id"], "account": source})
        return f"I paid {bill['amount']} euros for {wanted} from {source}."

    words = f"pay the {speaker.repaired(first_payee, payee)} bill from {speaker.repaired(first, account)}"
    return _Draft(words=speaker.said(words), solve=solve, facts=(payee,))


def _sending(speaker: _Speaker) -> _Draft:
    (amount, first), (person, _), currency = speaker.two(_AMOUNTS), speaker.two(PEOPLE), speaker.rng.choice(_CURRENCIES)

    async def solve(use: Use, is_corrected: bool) -> str:
        euros = amount if is_corrected else first
        value = (await _json(use, "convert_currency", amount=euros, source="euro", target=currency))["amount"]
        await use("transfer_money", {"person": person, "amount": value, "currency": currency})
        return f"I sent {person} {value} {currency}s."

    words = (
        f"how much is {speaker.repaired(_AMOUNTS[first], _AMOUNTS[amount])} euros in {currency}s "
        f"and send {person} exactly that many {currency}s"
    )
    return _Draft(words=speaker.said(words), solve=solve, facts=(person,))


def _affordable(speaker: _Speaker) -> _Draft:
    (city, first), day = speaker.two(CITIES), speaker.rng.choice(DAYS)

    async def solve(use: Use, is_corrected: bool) -> str:
        money = (await _json(use, "read_balance", account="checking"))["euros"]
        found = await _json(use, "search_flights", city=city if is_corrected else first, day=day)
        flight = min(found, key=lambda each: each["price"])
        if flight["price"] > money:
            return f"The cheapest flight to {flight['city']} is {flight['price']} euros, you have {money:.0f}."
        await use("book_flight", {"flight_id": flight["flight_id"]})
        return f"You have enough. I booked flight {flight['flight_id']} to {flight['city']}."

    words = (
        f"check my checking account and if there is enough for it book the cheapest flight to "
        f"{speaker.repaired(first, city)} on {day} otherwise just tell me"
    )
    return _Draft(words=speaker.said(words), solve=solve, facts=(city,))


_KINDS: dict[str, Callable[[_Speaker], _Draft]] = {
    "travel": _flight,
    "travel+calendar": _trip,
    "home": _warmth,
    "home+calendar": _locking,
    "calendar": _moving,
    "finance": _bill,
    "finance-chain": _sending,
    "finance+travel": _affordable,
}
