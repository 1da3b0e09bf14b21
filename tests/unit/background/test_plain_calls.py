"""Functions of the client from plain words: what is filled in, what is not called, and which of several is meant."""

from typing import Any

import pytest

from microturn.background.functions import Function, fault_in
from microturn.background.plain_calls import plain_call


def function(name: str, description: str = "", required: list[str] | None = None, **properties: Any) -> Function:
    parameters = {"type": "object", "properties": properties, "required": required or [*properties]}
    return Function(name=name, description=description, parameters=parameters)


TEXT, NUMBER, WHOLE, SWITCH = ({"type": kind} for kind in ("string", "number", "integer", "boolean"))
ROOM = {"type": "string", "enum": ["kitchen", "living_room", "room of Anna"]}
WEATHER = function("get_weather", "The weather at a place.", place=TEXT)
LIGHT = function("set_light", "Switches a lamp.", room=ROOM, is_on=SWITCH)
HEAT = function("setThermostat", "Heats a room.", room=ROOM, degrees={**NUMBER, "minimum": 5, "maximum": 30})
HANG_UP = Function(name="hang_up", description="Ends the call.")
HOME = (WEATHER, LIGHT, HEAT, HANG_UP)


@pytest.mark.parametrize(
    ("question", "called"),
    [
        ("weather in oslo", ("get_weather", {"place": "weather in oslo"})),
        ("anything else", ("get_weather", {"place": "anything else"})),
        ("turn the kitchen light on", ("set_light", {"room": "kitchen", "is_on": True})),
        ("light off in the living room please", ("set_light", {"room": "living_room", "is_on": False})),
        ("twenty one and a half", ("get_weather", {"place": "twenty one and a half"})),
        ("thermostat in the kitchen to twenty one", ("setThermostat", {"room": "kitchen", "degrees": 21})),
        (
            "thermostat in anna's room, the room of anna, to 19.5",
            ("setThermostat", {"room": "room of Anna", "degrees": 19.5}),
        ),
        ("hang up", ("hang_up", {})),
        ("please hang up now", ("hang_up", {})),
    ],
)
def test_the_function_that_is_meant_is_filled_in(question: str, called: tuple[str, dict[str, Any]]):
    call = plain_call(HOME, [question])
    assert call is not None
    assert (call.function.name, call.arguments) == called


@pytest.mark.parametrize(
    "question",
    [
        "light on",  # in no room
        "kitchen and living room light on",  # in two
        "kitchen light on and off",
        "thermostat in the kitchen to fifty",  # beyond its bounds
        "thermostat in the kitchen from 19 to 21",
        "who was it that called",
    ],
)
def test_what_is_not_plain_is_not_called(question: str):
    assert plain_call(HOME[1:], [question]) is None


@pytest.mark.parametrize(
    ("parts", "called"),
    [
        (["kitchen light on", "no, the living room"], {"room": "living_room", "is_on": True}),
        (["kitchen light on", "i mean off"], {"room": "kitchen", "is_on": False}),
    ],
)
def test_of_corrections_the_last_that_names_a_value_counts(parts: list[str], called: dict[str, Any]):
    call = plain_call(HOME, parts)
    assert call is not None
    assert call.arguments == called


def test_a_free_text_is_the_whole_question_with_its_corrections():
    call = plain_call([WEATHER], ["weather in oslo", "tomorrow"])
    assert call is not None
    assert call.arguments == {"place": "weather in oslo; tomorrow"}


def test_two_texts_or_two_numbers_are_not_guessed_at():
    mail = function("send_mail", to=TEXT, text=TEXT)
    sums = function("add", a=WHOLE, b=WHOLE)
    assert plain_call([mail, sums], ["add one and two"]) is None


def test_defaults_constants_and_choices_that_may_be_left_out():
    order = function(
        "order_pizza",
        required=["kind", "shop", "count"],
        kind={"enum": ["margherita", "funghi"]},
        shop={"const": 7},
        count={**WHOLE, "default": 1},
        size={"enum": ["small", "large"]},
    )
    assert _arguments(order, "order a large funghi") == {"kind": "funghi", "shop": 7, "count": 1, "size": "large"}
    assert _arguments(order, "order three margherita") == {"kind": "margherita", "shop": 7, "count": 3}


def test_schemas_that_are_none_are_not_called():
    for parameters in ({"properties": 3}, {"properties": {"a": 3}}, {"required": ["a"]}, {"required": 5}):
        assert plain_call([Function(name="do_it", parameters=parameters)], ["something"]) is None


SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "enum": ["oslo", "rome"]},
        "nights": {"type": "integer", "minimum": 1},
        "guests": {"type": "array", "items": {"type": "object", "properties": {"age": {"type": "number"}}}},
        "note": {"type": ["string", "null"]},
    },
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"city": "oslo", "nights": 2, "guests": [{"age": 3.5}], "note": None}, ""),
        ({"city": "oslo", "nights": 2.0}, ""),
        ({"nights": 2}, "city is required"),
        ({"city": "paris"}, "city must be one of oslo, rome"),
        ({"city": "oslo", "nights": "two"}, "nights must be of type integer"),
        ({"city": "oslo", "nights": True}, "nights must be of type integer"),
        ({"city": "oslo", "nights": 0}, "nights must be at least 1"),
        ({"city": "oslo", "guests": [{"age": 1}, {"age": "x"}]}, "guests[1].age must be of type number"),
        ({"city": "oslo", "stars": 5}, "stars is not an argument: use city, nights, guests, note"),
        ([], "the arguments must be of type object"),
    ],
)
def test_what_does_not_fit_a_schema_is_named(arguments: Any, fault: str):
    assert fault_in(SCHEMA, arguments) == fault


def test_a_schema_without_end_or_sense_is_let_pass():
    endless: dict[str, Any] = {"type": "array"}
    endless["items"] = endless
    value: Any = []
    for _ in range(50):
        value = [value]
    assert fault_in(endless, value) == ""
    assert fault_in({"type": 7, "properties": 3, "required": 4, "enum": "x", "minimum": "y"}, {"a": 1}) == ""


def _arguments(one: Function, question: str) -> dict[str, Any] | None:
    call = plain_call([one], [question])
    return None if call is None else call.arguments
