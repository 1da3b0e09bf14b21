"""The logic of `microturn talk`: the local microphone, or a file, against a server; captions in the terminal."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from openai.types.live import ErrorEvent, InfoEvent, OutputAudioDeltaEvent
from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from microturn.client.echo_gate import EchoGate
from microturn.client.live_client import WIRE_HZ, LiveClient, connect, samples_of
from microturn.client.recording import send_recording
from microturn.client.sound_card import SoundCard
from microturn.client.transcript import Line, Transcript
from microturn.errors import MediaError
from microturn.media.writing import WavWriter, pcm16
from microturn.protocol.extensions import Eagerness, TurnEvent

_STYLES = {"you": "cyan", "model": "magenta", "wrote": "blue"}
_MAX_LINES = 12
_HINT = "Speak. Ctrl-C ends."
_HINT_OF_GATE = (
    "Speak. While the model speaks, the microphone is shut to its echo, and opens if you are louder; "
    "with headphones, give --headphones. Ctrl-C ends."
)
Play = Callable[[NDArray[np.float32]], None]


def talk(
    url: str,
    *,
    key: str | None,
    file: Path | None,
    out: Path | None,
    cert: Path | None,
    input_device: str | None,
    output_device: str | None,
    has_headphones: bool = False,
    eagerness: Eagerness = "auto",
) -> None:
    """Hold a session until Ctrl-C, or until the file has been played.

    Args:
        file: played in place of the microphone; nothing sounds then, but ``out`` keeps it.
        out: WAV file for what the model says.
        cert: the certificate of a server that signed its own.
        has_headphones: the microphone does not hear the speaker, and is never shut.
        eagerness: how readily the model begins to speak, as in ``LiveClient.set_eagerness``.

    Raises:
        ValueError: not an address.
        MicroturnError: no server, no device, no file that can be used.
    """
    console = Console(stderr=True)
    client = connect(url, key=key, eagerness=eagerness, tls=_tls(cert))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(converse(client, console, file, out, (input_device, output_device), has_headphones))


async def converse(
    client: LiveClient,
    console: Console,
    file: Path | None,
    out: Path | None,
    devices: tuple[str | None, str | None],
    has_headphones: bool = False,
) -> None:
    """Hold a session; what was said is printed at its end, whatever ends it."""
    transcript = Transcript()
    try:
        await _hold(client, transcript, console, file, out, devices, has_headphones)
    finally:
        for line in transcript.lines:
            Console().print(_row(line))


async def _hold(
    client: LiveClient,
    transcript: Transcript,
    console: Console,
    file: Path | None,
    out: Path | None,
    devices: tuple[str | None, str | None],
    has_headphones: bool,
) -> None:
    gate = None if has_headphones else EchoGate()
    with _reply_file(out) as keep, _display(transcript, console) as show, contextlib.ExitStack() as stack:
        card = None if file is not None else stack.enter_context(SoundCard(*devices, gate))
        async with client as session:
            if session.resource and session.resource.store:
                console.print("This server records the conversation.", style="red")
            if card is not None:
                console.print(_HINT if gate is None else _HINT_OF_GATE, style="dim")
            sending = asyncio.create_task(_send(session, file, card))
            try:
                async for event in session:
                    transcript.add(event)
                    if isinstance(event, OutputAudioDeltaEvent):
                        keep(samples_of(event))
                        if card is not None:
                            card.speaker.push(samples_of(event))
                    elif isinstance(event, TurnEvent) and event.clear and card is not None:
                        card.speaker.clear()
                    elif isinstance(event, ErrorEvent):
                        console.print(f"error: {event.error.message}", style="red")
                    elif isinstance(event, InfoEvent) and event.code == "overload":
                        console.print(f"overload: {event.message}", style="yellow")
                    show()
            finally:
                sending.cancel()
                # What sending failed of is the reason why the events came to an end.
                with contextlib.suppress(asyncio.CancelledError):
                    await sending


async def _send(session: LiveClient, file: Path | None, card: SoundCard | None) -> None:
    """Send until there is no more, then end the session."""
    try:
        if file is not None:
            await send_recording(session, file)
        elif card is not None:
            await send_microphone(session, card)
    finally:
        await session.close()


async def send_microphone(session: LiveClient, card: SoundCard) -> None:
    """Send what is said from now on, as it comes: a microphone keeps its own pace, and a stall is made up at once."""
    async for samples in card.heard():
        await session.send_audio(samples)


@contextlib.contextmanager
def _reply_file(path: Path | None):
    """A function that appends to a WAV file, or to nothing."""
    if path is None:
        yield lambda samples: None
        return
    with WavWriter(path, rate_hz=WIRE_HZ) as file:
        yield lambda samples: file.write(pcm16(samples))


@contextlib.contextmanager
def _display(transcript: Transcript, console: Console):
    """A live view of the last lines; on anything but a terminal it stays silent."""

    def rendered() -> RenderableType:
        table = Table.grid(padding=(0, 1))
        for line in transcript.lines[-_MAX_LINES:]:
            table.add_row(_row(line))
        return table

    if not console.is_terminal:
        yield lambda: None
        return
    with Live(get_renderable=rendered, console=console, refresh_per_second=8, transient=True) as live:
        yield live.refresh


def _row(line: Line) -> Text:
    minutes, seconds = divmod(line.start_ms / 1000, 60)
    row = Text.assemble((f"{int(minutes)}:{seconds:04.1f} ", "dim"), (f"{line.who:>5}  ", _STYLES[line.who]), line.text)
    return row.append("  cut off", "red") if line.is_cut_off else row


def _tls(cert: Path | None) -> ssl.SSLContext | None:
    if cert is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(cert))
    except (OSError, ssl.SSLError) as error:
        raise MediaError(f"{cert} is not a readable certificate ({error}): give the server's own in PEM form") from None
