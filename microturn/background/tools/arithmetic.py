"""A calculator: arithmetic on numbers, read as an expression or as it is spoken. Nothing is ever evaluated as code."""

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from microturn.background.numerals import digits_of
from microturn.background.tools.tool import Arguments, Tool, ToolError, ToolScope

Number = int | float
_LARGEST = 10.0**300
_LARGEST_EXPONENT = 1_000
_LARGEST_FACTORIAL = 170
_OPERATORS: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_FUNCTIONS: dict[str, Callable[[Number], Number]] = {
    "sqrt": math.sqrt,
    "abs": abs,
    "round": round,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "log": math.log10,
    "ln": math.log,
    "exp": math.exp,
}
_CONSTANTS = {"pi": math.pi, "e": math.e}
_SPOKEN = (
    (
        r"\bhow much is\b|\bwhat(?: is|'s| are| does)?\b|\bcalculate\b|\bcompute\b|\bwork out\b|\bplease\b|\bequals?\b",
        " ",
    ),
    (r"(?<![\w.])(\d+) and a half\b(?! of)", r" \1.5 "),
    (r"\bthe square root of\b|\bsquare root of\b", " sqrt "),
    (r"\bto the power of\b|\bto the power\b|\braised to\b|\^", " ** "),
    (r"\bsquared\b", " ** 2 "),
    (r"\bcubed\b", " ** 3 "),
    (r"\bdivided by\b|\bover\b|÷", " / "),
    (r"\bmultiplied by\b|\btimes\b|\bx\b|×|·", " * "),
    (r"\bplus\b|\badded to\b|\band\b", " + "),
    (r"\bminus\b|\bless\b|−", " - "),
    (r"\bmod(?:ulo)?\b", " mod "),
    (r"[?!,]|\.(?!\d)", " "),
)
_NUMBER = r"\d+(?:\.\d+)?"
_GROUP = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
_OPERAND = rf"(?:- )?(?:{_NUMBER}|(?:sqrt ?)?{_GROUP})(?: \*\* (?:- )?{_NUMBER})?"
_ROOT = re.compile(rf"\bsqrt ({_NUMBER})")
_PERCENT = re.compile(rf"(?<![\w.])({_NUMBER}) (?:percent\b|%)")
_PART_OF = re.compile(
    rf"(?:(?P<percent>\( {_NUMBER} / 100 \)) of|\b(?:(?P<count>an?|\d+) )?(?P<name>half|third|quarter)s? of|\bhalf) "
    rf"(?P<whole>{_OPERAND})(?![\w.]| (?:of|half|third|quarter))"
)
_BELOW = {"half": 2, "third": 3, "quarter": 4}
_UNCLEAR = re.compile(r"[+\-] \( [\d.]+ / 100 \)(?! \*)|[\d)] \(")
"""More or less by some percent, of which it is not said; a product without a sign."""
_SAFE_EXPRESSION = re.compile(r"[\d\s.+\-*/()%a-z]+")


class Sum(Arguments):
    """What to work out."""

    expression: Annotated[str, Field(min_length=1, max_length=300)]
    """Arithmetic such as ``3 * (4 + 5)``, ``sqrt(2)``, ``15 / 100 * 80``, ``2 ** 10``."""


def evaluate(expression: str) -> Number:
    """The value of an arithmetic expression.

    Raises:
        ToolError: not arithmetic, without a value, or too large.
    """
    try:
        tree = ast.parse(expression.strip(), mode="eval")
        value = _value(tree.body)
        if abs(value) > _LARGEST or value != value:
            raise OverflowError
    except ZeroDivisionError:
        raise ToolError("that divides by zero, which has no value") from None
    except OverflowError:
        raise ToolError("the result is too large for me") from None
    except (ValueError, TypeError):
        raise ToolError("that has no value among the real numbers") from None
    except (SyntaxError, MemoryError, RecursionError):
        raise ToolError(f"{expression[:60]!r} is not arithmetic: use numbers, + - * / ** and parentheses") from None
    return value


def shown(value: Number) -> str:
    """A number with at most ten digits after the point that matter."""
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return str(int(value)) if abs(value) < 10**15 else f"{value:.10e}".replace("e+", " times 10 to the power of ")
    if abs(value) < 1e-6 or abs(value) >= 1e15:
        mantissa, exponent = f"{value:.4e}".split("e")
        return f"{mantissa} times 10 to the power of {int(exponent)}"
    return f"{value:.6f}".rstrip("0").rstrip(".")


def understand(question: str) -> Sum | None:
    """The sum in a plain question such as "what is three times four"."""
    if re.search(r"\bin (?:hours|minutes|seconds)\b", question, re.IGNORECASE):
        return None
    text = f" {digits_of(question)} "
    for pattern, symbol in _SPOKEN:
        text = re.sub(pattern, symbol, text, flags=re.IGNORECASE)
    text = _with_parts(" ".join(text.split()))
    if _UNCLEAR.search(text):
        return None
    has_work = re.search(r"[+\-*/%]|sqrt", text.lstrip("- "))
    if not has_work or not re.search(r"\d", text) or not _SAFE_EXPRESSION.fullmatch(text):
        return None
    if set(re.findall(r"[a-z]+", text)) - _FUNCTIONS.keys() - _CONSTANTS.keys():
        return None
    try:
        ast.parse(text, mode="eval")
    except (SyntaxError, MemoryError, RecursionError, ValueError):
        return None
    return Sum(expression=" ".join(text.split()))


def _with_parts(text: str) -> str:
    """Percentages, halves and roots in parentheses, the last first: each is of what follows it."""
    text = _PERCENT.sub(r"( \1 / 100 )", _ROOT.sub(r"sqrt(\1)", text))
    while parts := [*_PART_OF.finditer(text)]:
        part = parts[-1]
        text = f"{text[: part.start()]}( {_share(part)} * {part['whole']} ){text[part.end() :]}"
    return re.sub(r"\bmod\b", "%", re.sub(r"\b(?:an? )?half\b", "0.5", text))


def _share(part: re.Match[str]) -> str:
    if part["percent"]:
        return part["percent"].strip("() ")
    if not part["name"]:
        return "0.5"
    count = part["count"] if part["count"] and part["count"].isdigit() else "1"
    return f"{count} / {_BELOW[part['name']]}"


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=bool()):
            raise SyntaxError
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left), _value(right))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            value = _OPERATORS[type(op)](_value(left), _value(right))
            if abs(value) > _LARGEST:
                raise OverflowError
            return value
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](_value(argument))
        case _:
            raise SyntaxError


def _power(base: Number, exponent: Number) -> Number:
    if abs(exponent) > _LARGEST_EXPONENT:
        raise OverflowError
    value = float(base) ** exponent if abs(base) > 1e6 else base**exponent
    if isinstance(value, complex):
        raise ValueError
    return value


async def _run(arguments: Sum, scope: ToolScope) -> str:
    return shown(evaluate(arguments.expression))


CALCULATE = Tool(
    name="calculate",
    description="Work out arithmetic exactly. Use it for every sum, product, percentage, root or power.",
    ability="do sums",
    arguments=Sum,
    run=_run,
    understand=understand,
)
