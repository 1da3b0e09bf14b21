"""The checks of the machine and its devices, each from nothing to findings. None of them changes anything."""

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from microturn.client.sound_card import load_sounddevice
from microturn.doctor.finding import Finding, Verdict
from microturn.errors import MicroturnError, MissingDependencyError

_MIN_CORES = 2


def check_machine() -> Iterator[Finding]:
    """Python, the system, and the cores that this process may use."""
    version = platform.python_version()
    yield Finding(subject="python", verdict=Verdict.GOOD, text=f"{version} on {platform.system()} {platform.machine()}")
    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    few = num_cores < _MIN_CORES
    yield Finding(
        subject="cores",
        verdict=Verdict.NOTE if few else Verdict.GOOD,
        text=f"{num_cores} for this process",
        remedy=f"nano is made for {_MIN_CORES}: free another, or see whether the speed below is enough" if few else "",
    )


def check_sound() -> Iterator[Finding]:
    """Microphones and speakers that `microturn talk` could use. The page has the browser's own."""
    try:
        library = load_sounddevice()
        devices = [dict(device) for device in library.query_devices()]
    except MissingDependencyError as error:
        yield Finding(subject="sound", verdict=Verdict.NOTE, text="only `microturn talk` needs it", remedy=str(error))
        return
    for subject, channels in (("microphone", "max_input_channels"), ("speaker", "max_output_channels")):
        named = [f"{number}: {device['name']}" for number, device in enumerate(devices) if device[channels]]
        yield Finding(
            subject=subject,
            verdict=Verdict.GOOD if named else Verdict.NOTE,
            text="; ".join(named) or "none",
            remedy="" if named else "connect one for `microturn talk`, or use the page in a browser that has one",
        )


def check_weights(folder: Path | None) -> Iterator[Finding]:
    """Whether the checkpoint is whole and loads."""
    from microturn.engine.loading import FILES, SEEING_FOLDER, load_checkpoint, nano_folder

    try:
        folder = folder or nano_folder()
        checkpoint = load_checkpoint(folder)
    except MicroturnError as error:
        yield Finding(
            subject="weights",
            verdict=Verdict.BAD,
            text=str(error),
            remedy="install microturn again, or choose another --model",
        )
        return
    read = [folder / name for name in FILES] + list((folder / SEEING_FOLDER).glob("*"))
    megabytes = sum(path.stat().st_size for path in read) / 1e6
    yield Finding(
        subject="weights",
        verdict=Verdict.GOOD,
        text=f"{folder}, {megabytes:.0f} MB, {checkpoint.model_hash}",
    )


def check_terminal_encoding() -> Iterator[Finding]:
    """Whether captions in any language can be shown."""
    encoding = (sys.stdout.encoding or "none").lower()
    if "utf" not in encoding:
        yield Finding(
            subject="terminal",
            verdict=Verdict.NOTE,
            text=f"shows {encoding} only",
            remedy="set LC_ALL=C.UTF-8 for captions in every language",
        )
