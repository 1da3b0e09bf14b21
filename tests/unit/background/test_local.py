"""The backend with a process of its own: what lies around the model, with llama.cpp's server played by an endpoint."""

import os
from pathlib import Path

import pytest

pytest.importorskip("pydantic_ai")

from background_doubles import desk

from microturn.background.backends.local import LocalBackend, invents
from microturn.background.backends.tools_only import ToolsBackend
from microturn.background.limits import BudgetLimits
from microturn.background.summaries import OldLine, OldText
from microturn.testing.endpoint import EndpointReply, scripted_endpoint

ENGINE = """
import os

class Any:
    def __getattr__(self, name):
        self.__dict__[name] = Any()
        return self.__dict__[name]

CommonParams = Any

class Server:
    def __init__(self, params):
        self.listening_address = os.environ["ENDPOINT"]
"""
SAID = tuple(OldLine(turn=n, text=f"User: I have {n} dogs in Oslo", is_user=True) for n in range(200))
OLD = OldText(lines=SAID, drop_before_turn=200, previous="", instructions="")


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an engine that only says where the endpoint listens."""
    (tmp_path / "xllamacpp.py").write_text(ENGINE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    return tmp_path / "small.gguf"


async def test_it_writes_summaries_that_fit_its_window_and_are_paid_for(weights: Path, monkeypatch: pytest.MonkeyPatch):
    replies = [EndpointReply(text="The user has 7 dogs in Oslo.")]
    async with scripted_endpoint(replies) as endpoint:
        monkeypatch.setenv("ENDPOINT", endpoint.base_url.removesuffix("/v1"))
        async with desk(ToolsBackend(LocalBackend(weights)), budget=BudgetLimits(max_tokens=15)) as it:
            assert await it.coordinator.summarise("s", OLD) == "The user has 7 dogs in Oslo."
            assert (it.coordinator.num_summaries, it.coordinator.num_excerpts) == (1, 0)
            await it.coordinator.summarise("s", OLD)  # the tokens are spent
            assert (it.coordinator.num_summaries, it.coordinator.num_excerpts) == (1, 1)
        (request,) = endpoint.requests
    assert "I have 199 dogs" in str(request["messages"])
    assert "I have 0 dogs" not in str(request["messages"])
    assert not request.get("tools")


async def test_excerpts_stand_in_where_it_makes_something_up(weights: Path, monkeypatch: pytest.MonkeyPatch):
    async with scripted_endpoint([EndpointReply(text="The user has 912 dogs.")]) as endpoint:
        monkeypatch.setenv("ENDPOINT", endpoint.base_url.removesuffix("/v1"))
        async with desk(ToolsBackend(LocalBackend(weights))) as it:
            assert "I have 199 dogs in Oslo" in await it.coordinator.summarise("s", OLD)
            assert (it.coordinator.num_summaries, it.coordinator.num_excerpts) == (0, 1)


@pytest.mark.parametrize(
    ("summary", "is_so"),
    [
        ("Ada lives in Oslo and takes the 9 o'clock train to Bergen.", False),
        ("Ada also lives in Oslo; she takes the train.", False),
        ("Ada takes the 10 o'clock train.", True),
        ("Ada loves elephants, bicycles and cooking.", True),
        ("", False),
    ],
)
def test_what_is_made_up_is_noticed(summary: str, is_so: bool):
    text = "User: I am Ada and I live in Oslo. She lives there. Ada takes the 9 o'clock train to Bergen tomorrow."
    assert invents(summary, text) is is_so
