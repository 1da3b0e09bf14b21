"""A background that answers from a script: words, tables, code, cards, a question to the user."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from page_harness import page_server

from microturn.background.coordinator import Coordinator
from microturn.background.jobs import Answer
from microturn.background.package import ContextPackage, PackagePolicy
from microturn.background.permissions import Permission, PermissionPolicy
from microturn.background.tools import builtin_tools
from microturn.background.workbench import Workbench
from microturn.testing.scripted_engine import ScriptedEngine, script
from microturn.turns.micro_turn import MicroTurnOutput, Piece, PieceKind

RED = "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR4nGO44GBAEmIY1TCqYfhqAAC/xkAQXKcmQgAAAABJRU5ErkJggg=="
ANSWER = f"""It will be *cold* in Oslo: minus three on Monday, see [the forecast](https://weather.example/oslo).

| day | high | low |
|-----|-----:|----:|
| Mon |   -3 |  -9 |
| Tue |    1 |  -4 |

<img src="https://evil.example/x.png" onerror="document.title='pwned'"><script>document.title='pwned'</script>

![red](data:image/png;base64,{RED}) ![spy](https://evil.example/spy.png) [click](javascript:document.title='pwned')

```python
print("-3 °C" < "0 °C")
```

```card
{{"type": "chart", "title": "Highs", "unit": "°C", "labels": ["Mon", "Tue", "Wed", "Thu"], "values": [-3, 1, 4, 2]}}
```

```card
{{"type": "checklist", "title": "Packing", "items": [{{"text": "gloves"}}, {{"text": "<b>hat</b>", "done": true}}]}}
```

```card
{{"type": "button", "title": "not a card"}}
```
"""


class Oracle:
    """Answers at once, or uses the tool that is asked for, or writes a story until it may end it."""

    name = "oracle"
    package_policy = PackagePolicy()

    def __init__(self) -> None:
        self.may_end = asyncio.Event()

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        if "timer" in package.question:
            return Answer(text=await bench.call("set_timer", {"seconds": 300, "label": "tea"}), num_tokens=12)
        if "notes" in package.question:
            return Answer(text=await bench.call("forget_notes", {}), num_tokens=7)
        if "story" in package.question:
            bench.write("Once upon *a time*\n\n- there was a ")
            await self.may_end.wait()
            return Answer(text="Once upon *a time*\n\n- there was a hen")
        return Answer(text=ANSWER, num_tokens=1_234, cost_usd=0.0123)

    async def close(self) -> None:
        pass


def act(index: int, text: str) -> MicroTurnOutput:
    return MicroTurnOutput(index=index, pieces=(Piece(kind=PieceKind.ACT, text=text),))


ACTS = [
    act(2, "ask 1: how cold will it be in oslo"),
    act(6, "ask 2: set a timer for the tea"),
    act(10, "ask 3: forget my notes"),
    act(14, "ask 4: tell me a story"),
]


@asynccontextmanager
async def oracle_server(oracle: Oracle, engine: Any = None) -> AsyncIterator[str]:
    """The address of a server with this background, around an engine that asks it what ``ACTS`` say."""
    permissions = PermissionPolicy(rules={"calculate": Permission.DENY})
    async with (
        Coordinator(oracle, builtin_tools(), permissions=permissions) as coordinator,
        page_server(engine or ScriptedEngine(script(ACTS)), background=coordinator) as address,
    ):
        yield address
