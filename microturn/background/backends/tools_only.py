"""The backend that needs nothing: built-in tools and the client's functions answer plain questions; it says what it
cannot do."""

from collections.abc import Mapping

from microturn.background.backend import Backend
from microturn.background.catalog import ToolLister
from microturn.background.jobs import Answer, BackendError
from microturn.background.package import ContextPackage, PackagePolicy
from microturn.background.plain_calls import PlainCall, plain_call
from microturn.background.summaries import Charge, Summariser
from microturn.background.tools.tool import AnyTool, Arguments, ToolError
from microturn.background.workbench import Workbench

_CORRECTION = "; correction: "
_Understood = tuple[AnyTool, Arguments]


class ToolsBackend:
    """Understands plain questions to the tools.

    Args:
        otherwise: Answers what no tool understands, where there is one.
    """

    def __init__(self, otherwise: Backend | None = None) -> None:
        self._otherwise = otherwise

    @property
    def name(self) -> str:
        """For logs and the page."""
        return f"tools, {self._otherwise.name}" if self._otherwise else "tools"

    @property
    def package_policy(self) -> PackagePolicy:
        """How large a context package it can take."""
        return self._otherwise.package_policy if self._otherwise else PackagePolicy(max_images=0)

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        """Let a function of the client's answer if it is meant by name, else the first tool that understands the
        question, else a function that takes any text."""
        call = plain_call([*bench.functions.values()], package.question.split(_CORRECTION))
        understood = None if call is not None and call.is_named else _understood(package.question, bench)
        if call is not None and understood is None:
            return await _answer_of(call, package, bench)
        if understood is None:
            if self._otherwise is not None:
                return await self._otherwise.answer(package, bench)
            raise BackendError(_apology(package.question, bench))
        tool, arguments = understood
        try:
            return Answer(text=await bench.call(tool.name, arguments.model_dump()))
        except ToolError as error:
            raise BackendError(str(error)) from error

    async def summarise(self, text: str, charge: Charge) -> str:
        """Let what lies behind do it. Raises BackendError where it cannot."""
        if isinstance(self._otherwise, Summariser):
            return await self._otherwise.summarise(text, charge)
        raise BackendError("Tools write no summaries.")

    async def list_tools(self) -> Mapping[str, str]:
        """The tools of what lies behind, where it has some of its own."""
        return await self._otherwise.list_tools() if isinstance(self._otherwise, ToolLister) else {}

    async def close(self) -> None:
        """Let go of what lies behind."""
        if self._otherwise is not None:
            await self._otherwise.close()


async def _answer_of(call: PlainCall, package: ContextPackage, bench: Workbench) -> Answer:
    """What a function gives. One that has given something is not called again for a correction: it may have done it."""
    if call.function.name in bench.answered:
        raise BackendError(_apology(package.question, bench))
    try:
        return Answer(text=await bench.call(call.function.name, call.arguments))
    except ToolError as error:
        raise BackendError(str(error)) from error


def _understood(question: str, bench: Workbench) -> _Understood | None:
    """The tool for a question. Of a corrected one, the last correction counts that makes a question by itself, or that
    changes what the question before it gives its tool.

    What was corrected since is no reason to change something: that may have been done before, and was not meant so.
    """
    *earlier, latest = question.split(_CORRECTION)
    before: _Understood | None = None
    for part in earlier:
        before = _amended(before, part) or _understood_part(part, bench) or before
    if (understood := _amended(before, latest) or _understood_part(latest, bench)) is not None:
        return understood
    return before if before is not None and before[0].is_repeatable else None


def _amended(before: _Understood | None, correction: str) -> _Understood | None:
    if before is None:
        return None
    tool, arguments = before
    amended: Arguments | None = tool.amend(arguments, correction)
    return None if amended is None else (tool, amended)


def _understood_part(part: str, bench: Workbench) -> _Understood | None:
    for tool in bench.tools.values():
        arguments: Arguments | None = tool.understand(part)
        if arguments is not None:
            return tool, arguments
    return None


def _apology(question: str, bench: Workbench) -> str:
    if _CORRECTION in question:
        return "I cannot correct that without a language model. Ask for the whole of it again."
    abilities = [tool.ability for tool in bench.tools.values()]
    can = f"I can {', '.join(abilities)}." if abilities else "No tool is set up."
    return f"I cannot answer that without a language model. {can}"
