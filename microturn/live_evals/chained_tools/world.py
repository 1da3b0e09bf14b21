"""A small world to act in: travel, home, calendar and finance, in memory, the same for the same seed.

Its tools are tools like any other (``background/tools/tool.py``): those that change something ask for permission unless
a session's rules say otherwise. Nothing here reaches out of the process.
"""

import json
import random
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from pydantic import Field

from microturn.background.tools.tool import AnyTool, Arguments, Tool, ToolError, ToolScope

CITIES = ("lisbon", "geneva", "oslo", "vienna", "dublin", "athens")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
ROOMS = ("kitchen", "bedroom", "study", "living room")
DOORS = ("front door", "back door", "garage")
PEOPLE = ("maria", "tom", "ada", "john")
PAYEES = ("electricity", "water", "internet", "rent")
ACCOUNTS = ("checking", "savings")
TITLES = ("dentist", "haircut", "team meeting", "piano lesson")
EURO_RATES = {"euro": 1.0, "dollar": 0.9, "pound": 1.2, "franc": 1.05}
"""Euros for one of each."""

Name = Annotated[str, Field(min_length=1, max_length=60)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One use of a tool."""

    tool: str
    arguments: Mapping[str, Any]


class SearchFlights(Arguments):
    """Flights from the user's own city."""

    city: Name
    """Where to."""
    day: Name
    """Name of a day of this week."""


class BookFlight(Arguments):
    """A flight to book."""

    flight_id: Name
    """As the search gave it."""


class SearchHotels(Arguments):
    """Hotels in a city."""

    city: Name
    """Where."""


class BookHotel(Arguments):
    """A hotel to book."""

    hotel_id: Name
    """As the search gave it."""
    day: Name
    """Name of the day of arrival."""
    nights: Annotated[int, Field(ge=1, le=30)]
    """How many."""


class Room(Arguments):
    """A room of the house."""

    room: Name
    """Which."""


class SetThermostat(Room):
    """A temperature for a room."""

    degrees: Annotated[float, Field(ge=5, le=30)]
    """In degrees Celsius."""


class SetLight(Room):
    """A room's light."""

    is_on: bool
    """Whether it shall be on."""


class LockAt(Arguments):
    """A door to lock later."""

    door: Name
    """Which."""
    day: Name
    """Name of a day of this week."""
    time: Annotated[str, Field(pattern=r"^\d\d:\d\d$")]
    """Such as 08:30."""


class FindEvents(Arguments):
    """Events of the calendar."""

    text: Annotated[str, Field(max_length=60)]
    """Words of the title; empty for all of them."""


class AddEvent(Arguments):
    """An event to add."""

    title: Name
    """What it is."""
    day: Name
    """Name of a day of this week."""
    time: Annotated[str, Field(pattern=r"^\d\d:\d\d$")]
    """Such as 08:30."""


class MoveEvent(Arguments):
    """An event to move."""

    event_id: Name
    """As the search gave it."""
    day: Name
    """The new day."""
    time: Annotated[str, Field(pattern=r"^\d\d:\d\d$")]
    """The new time, such as 08:30."""


class Account(Arguments):
    """An account."""

    account: Name
    """``checking`` or ``savings``."""


class Nothing(Arguments):
    """No arguments."""


class PayBill(Account):
    """A bill to pay."""

    bill_id: Name
    """As the list gave it."""


class Convert(Arguments):
    """Money to convert."""

    amount: Annotated[float, Field(gt=0, le=1e9)]
    """How much."""
    source: Name
    """Of which currency: euro, dollar, pound or franc."""
    target: Name
    """Into which."""


class Transfer(Arguments):
    """Money to send from the checking account."""

    person: Name
    """To whom."""
    amount: Annotated[float, Field(gt=0, le=1e9)]
    """How much."""
    currency: Name
    """Of what: euro, dollar, pound or franc."""


@dataclass(kw_only=True)
class World:
    """Everything that tools can look at and change."""

    flights: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    hotels: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    events: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    bills: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    temperatures: dict[str, float] = field(default_factory=dict[str, float])
    accounts: dict[str, float] = field(default_factory=dict[str, float])
    lights: dict[str, bool] = field(default_factory=dict[str, bool])
    done: list[str] = field(default_factory=list[str])
    """What was booked, set, locked, paid and sent, as JSON. The order does not matter."""
    calls: list[Call] = field(default_factory=list[Call])

    @classmethod
    def of_seed(cls, seed: int) -> "World":
        """A world with something of everything in it."""
        rng = random.Random(seed)
        times = [f"{hour:02d}:{minute}" for hour in range(7, 20) for minute in ("00", "30")]
        prices = rng.sample(range(60, 400), len(CITIES) * len(DAYS) * 2)
        flights = [
            {"flight_id": f"F{100 + n}", "city": city, "day": day, "time": rng.choice(times), "price": prices[n]}
            for n, (city, day) in enumerate([(city, day) for city in CITIES for day in DAYS for _ in range(2)])
        ]
        hotel_prices = rng.sample(range(50, 300), len(CITIES) * 2)
        hotels = [
            {"hotel_id": f"H{10 + n}", "city": city, "price": hotel_prices[n]}
            for n, city in enumerate([city for city in CITIES for _ in range(2)])
        ]
        events = {
            f"E{n + 1}": {"title": title, "day": rng.choice(DAYS), "time": rng.choice(times)}
            for n, title in enumerate(TITLES)
        }
        bills = {f"B{n + 1}": {"payee": payee, "amount": rng.randint(20, 200)} for n, payee in enumerate(PAYEES)}
        return cls(
            flights=flights,
            hotels=hotels,
            events=events,
            bills=bills,
            temperatures={room: float(rng.randint(15, 25)) for room in ROOMS},
            accounts={"checking": float(rng.choice((40, 5_000))), "savings": 9_000.0},
            lights=dict.fromkeys(ROOMS, True),
        )

    def state(self) -> dict[str, Any]:
        """What has come of it all, to compare with another world."""
        kept = {name: value for name, value in asdict(self).items() if name not in ("calls", "done")}
        return deepcopy(kept) | {"done": sorted(self.done)}

    def use(self, tool: str, arguments: Mapping[str, Any]) -> str:
        """Use a tool; what it says is JSON. Raises ToolError as a tool does, ValidationError for wrong arguments."""
        spec = SPECS[tool]
        return self.call(tool, spec.arguments.model_validate(dict(arguments)))

    def call(self, tool: str, arguments: Arguments) -> str:
        """The same with arguments that were checked."""
        given = arguments.model_dump()
        self.calls.append(Call(tool=tool, arguments=given))
        return json.dumps(SPECS[tool].run(self, arguments))

    def _did(self, what: str, **fields: Any) -> dict[str, Any]:
        self.done.append(json.dumps({"what": what, **fields}, sort_keys=True))
        return {"done": what, **fields}

    def search_flights(self, asked: SearchFlights) -> object:
        return [each for each in self.flights if (each["city"], each["day"]) == (plain(asked.city), plain(asked.day))]

    def book_flight(self, asked: BookFlight) -> object:
        flight = _one(self.flights, "flight_id", asked.flight_id)
        return self._did("book_flight", **flight)

    def search_hotels(self, asked: SearchHotels) -> object:
        return [each for each in self.hotels if each["city"] == plain(asked.city)]

    def book_hotel(self, asked: BookHotel) -> object:
        hotel = _one(self.hotels, "hotel_id", asked.hotel_id)
        return self._did("book_hotel", **hotel, day=_known(asked.day, DAYS), nights=asked.nights)

    def read_temperature(self, asked: Room) -> object:
        return {"degrees": self.temperatures[_known(asked.room, ROOMS)]}

    def set_thermostat(self, asked: SetThermostat) -> object:
        return self._did("set_thermostat", room=_known(asked.room, ROOMS), degrees=asked.degrees)

    def set_light(self, asked: SetLight) -> object:
        self.lights[_known(asked.room, ROOMS)] = asked.is_on
        return {"room": plain(asked.room), "is_on": asked.is_on}

    def lock_at(self, asked: LockAt) -> object:
        door, day = _known(asked.door, DOORS), _known(asked.day, DAYS)
        return self._did("lock_at", door=door, day=day, time=asked.time)

    def find_events(self, asked: FindEvents) -> object:
        found = {key: event for key, event in self.events.items() if plain(asked.text) in event["title"]}
        return [{"event_id": key, **event} for key, event in found.items()]

    def add_event(self, asked: AddEvent) -> object:
        return self._did("add_event", title=plain(asked.title), day=_known(asked.day, DAYS), time=asked.time)

    def move_event(self, asked: MoveEvent) -> object:
        event = self.events[_known(asked.event_id, self.events)]
        event |= {"day": _known(asked.day, DAYS), "time": asked.time}
        return event

    def read_balance(self, asked: Account) -> object:
        return {"euros": self.accounts[_known(asked.account, ACCOUNTS)]}

    def list_bills(self, asked: Nothing) -> object:
        return [{"bill_id": key, **bill} for key, bill in self.bills.items()]

    def pay_bill(self, asked: PayBill) -> object:
        bill_id, account = _known(asked.bill_id, self.bills), _known(asked.account, ACCOUNTS)
        bill = self.bills.pop(bill_id)
        self.accounts[account] -= bill["amount"]
        return self._did("pay_bill", **bill, account=plain(asked.account))

    def convert_currency(self, asked: Convert) -> object:
        euros = asked.amount * EURO_RATES[_known(asked.source, EURO_RATES)]
        return {"amount": round(euros / EURO_RATES[_known(asked.target, EURO_RATES)], 2)}

    def transfer_money(self, asked: Transfer) -> object:
        person, currency = _known(asked.person, PEOPLE), _known(asked.currency, EURO_RATES)
        self.accounts["checking"] -= round(asked.amount * EURO_RATES[currency], 2)
        return self._did("transfer", person=person, amount=asked.amount, currency=currency)


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """One tool of the world."""

    description: str
    arguments: type[Arguments]
    run: Callable[[World, Any], object]
    is_acting: bool = False


SPECS: dict[str, Spec] = {
    name: Spec(description=description, arguments=arguments, run=run, is_acting=is_acting)
    for name, description, arguments, run, is_acting in (
        ("search_flights", "Flights to a city on a day, with prices.", SearchFlights, World.search_flights, False),
        ("book_flight", "Book a flight that was found.", BookFlight, World.book_flight, True),
        ("search_hotels", "Hotels in a city, with the price of a night.", SearchHotels, World.search_hotels, False),
        ("book_hotel", "Book a hotel that was found.", BookHotel, World.book_hotel, True),
        ("read_temperature", "How warm a room is.", Room, World.read_temperature, False),
        ("set_thermostat", "Set a room's temperature.", SetThermostat, World.set_thermostat, True),
        ("set_light", "Switch a room's light on or off.", SetLight, World.set_light, True),
        ("lock_at", "Lock a door at a given time.", LockAt, World.lock_at, True),
        ("find_events", "Events of the user's calendar by title.", FindEvents, World.find_events, False),
        ("add_event", "Add an event to the calendar.", AddEvent, World.add_event, True),
        ("move_event", "Move an event of the calendar.", MoveEvent, World.move_event, True),
        ("read_balance", "How much money an account holds.", Account, World.read_balance, False),
        ("list_bills", "Bills that are not paid yet.", Nothing, World.list_bills, False),
        ("pay_bill", "Pay a bill from an account.", PayBill, World.pay_bill, True),
        ("convert_currency", "What an amount is in another currency.", Convert, World.convert_currency, False),
        ("transfer_money", "Send money to a person.", Transfer, World.transfer_money, True),
    )
}


def world_tools(worlds: Mapping[str, World]) -> list[AnyTool]:
    """The tools, each acting in the world of the session that uses it."""

    def tool(name: str, spec: Spec) -> AnyTool:
        async def run(arguments: Arguments, scope: ToolScope) -> str:
            return worlds[scope.session_id].call(name, arguments)

        return Tool(
            name=name,
            description=spec.description,
            ability=spec.description.rstrip("."),
            arguments=spec.arguments,
            run=run,
            is_acting=spec.is_acting,
        )

    return [tool(name, spec) for name, spec in SPECS.items()]


def plain(text: str) -> str:
    """A name without regard to case, underscores and plain plurals of currencies."""
    words = " ".join(text.replace("_", " ").lower().split())
    return words.removesuffix("s") if words.removesuffix("s") in EURO_RATES else words


def _known(name: str, names: Any) -> str:
    for each in names:
        if plain(each) == plain(name):
            return each
    raise ToolError(f"there is no {name[:60]!r}: use one of {', '.join(names)}")


def _one(rows: list[dict[str, Any]], key: str, name: str) -> dict[str, Any]:
    return next(row for row in rows if row[key] == _known(name, [row[key] for row in rows]))
