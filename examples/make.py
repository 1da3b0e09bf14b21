"""Writes the example recordings and their README: one a behaviour, spoken by a synthetic user.

    .venv/bin/python examples/make.py             all of them
    .venv/bin/python examples/make.py time cue    some of them; the README lists what is there

What the user says and does comes from the scenarios, in the phrasings that are held out for evaluation, said by warped
hibari voices (Apache-2.0) in a quiet room. The same code gives the same files.
"""

import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from microturn.data.episode import Episode
from microturn.data.languages import LANGUAGES
from microturn.data.scenarios import SCENARIOS
from microturn.data.stage import Cast, Stage
from microturn.data.voices import SpokenWord, assistant_voice
from microturn.data.voices.hibari import HibariVoice
from microturn.turns.timing import IN_HZ, MAX_FPS, TURN_MS, turn_start_ms

FOLDER = Path(__file__).parent
SENTENCES = (
    "the garden is full of birds in the morning",
    "we should leave before it gets dark",
    "she keeps her letters in a wooden box",
    "nobody knows where the old road ends",
)
USERS = (
    HibariVoice(f0_scale=0.6, formants=0.88),
    HibariVoice(f0_scale=0.68, formants=0.92, tilt_db=-3.0),
    HibariVoice(f0_scale=1.18, formants=1.1),
)
BYSTANDER = HibariVoice(f0_scale=0.8, formants=0.84, breath_db=3.0)
RESULTS = FOLDER.parent / "evals" / "results"
PAUSE_MS = 400
"""So long a silence divides what the user says."""
SHORTEST_S, LONGEST_S, LONGEST_WATCHED_S = 6, 26, 18
MANY_SEEDS = 200
OPUS_BIT_RATE, VP9_BIT_RATE = 20_000, 20_000


def is_any(_: Episode) -> bool:
    return True


def is_stopped(episode: Episode) -> bool:
    return bool(episode.stops) and len(episode.said) > 3


def has_moment(episode: Episode) -> bool:
    return bool(episode.moments)


def is_told(episode: Episode) -> bool:
    return any(turn.events for turn in episode.inputs)


def talks(episode: Episode) -> bool:
    return len(episode.heard) > 12


@dataclass(frozen=True, kw_only=True)
class Example:
    """One recording."""

    name: str
    scenario: str
    behaviour: str
    """For the README."""
    accept: Callable[[Episode], bool] = is_any
    """The first play that it accepts is taken."""
    measured: tuple[str, str, str] | None = None
    """Where nano's own figure stands: a file of results, a suite, one of its shares; None: it is blind."""


EXAMPLES = (
    Example(
        name="time",
        scenario="every-seconds",
        behaviour="says something every so many seconds",
        measured=("nano.json", "time", "accuracy/every-seconds"),
    ),
    Example(
        name="cue",
        scenario="spoken-cue",
        behaviour="speaks up whenever a cue falls",
        accept=has_moment,
        measured=("nano-more.json", "cue", "accuracy/spoken-cue"),
    ),
    Example(
        name="correct-me",
        scenario="correct-me",
        behaviour="corrects the user's mistakes",
        accept=has_moment,
        measured=("nano-more.json", "cue", "accuracy/correct-me"),
    ),
    Example(
        name="turns",
        scenario="take-turns",
        behaviour="answers at once, waits through pauses",
        accept=talks,
        measured=("nano-turns.json", "turns", "take_rate"),
    ),
    Example(
        name="interruption",
        scenario="count-aloud",
        behaviour="stops when told to",
        accept=is_stopped,
        measured=("nano.json", "interruption", "success"),
    ),
    Example(
        name="correction",
        scenario="change-of-mind",
        behaviour="does what was meant last",
        accept=talks,
        measured=("nano-more.json", "correction", "accuracy"),
    ),
    Example(
        name="background-sound",
        scenario="keep-going",
        behaviour="counts on while others talk",
        accept=talks,
        measured=("nano.json", "background-sound", "accuracy"),
    ),
    Example(
        name="silence",
        scenario="not-for-me",
        behaviour="keeps silent: nothing is asked of it",
        accept=talks,
        measured=("nano.json", "silence", "accuracy"),
    ),
    Example(
        name="repeat",
        scenario="repeat-after-me",
        behaviour="repeats what it hears",
        measured=("nano.json", "repeat", "accuracy"),
    ),
    Example(
        name="text",
        scenario="read-aloud",
        behaviour="reads aloud what is typed and reported",
        measured=("nano.json", "text", "accuracy/read-aloud"),
    ),
    Example(
        name="instructions",
        scenario="instructed",
        behaviour="keeps to what is asked in writing",
        accept=is_told,
        measured=("nano-more.json", "instructions", "accuracy"),
    ),
    Example(
        name="transcript",
        scenario="dictation",
        behaviour="writes down what is said",
        accept=talks,
        measured=("nano.json", "transcript", "wer"),
    ),
    Example(
        name="memory",
        scenario="remember",
        behaviour="remembers what it was told",
        accept=talks,
        measured=("nano-more.json", "memory", "recall"),
    ),
    Example(
        name="translation",
        scenario="interpret",
        behaviour="translates while the user speaks",
        accept=talks,
        measured=("nano-more.json", "translation", "word_accuracy"),
    ),
    Example(
        name="delegation",
        scenario="delegate",
        behaviour="asks the background model, tells the result",
        accept=is_told,
        measured=("nano-more.json", "delegation", "request_accuracy"),
    ),
    Example(name="sight", scenario="tell-when", behaviour="speaks when what it waits for is seen", accept=has_moment),
    Example(name="count", scenario="count-repetitions", behaviour="counts repetitions aloud", accept=has_moment),
    Example(name="commentary", scenario="commentary", behaviour="names what changes", accept=has_moment),
)


def play(example: Example) -> Episode:
    """The first play of the scenario that makes a good example."""
    scenario = SCENARIOS[example.scenario]
    for seed in range(MANY_SEEDS):
        rng = np.random.default_rng([seed, sum(example.name.encode())])
        cast = Cast(
            user=USERS[int(rng.integers(len(USERS)))],
            bystanders=lambda _: BYSTANDER,
            assistant=assistant_voice(),
            interpreters={code: assistant_voice(code) for code in LANGUAGES},
            part="heldout",
            sentences=SENTENCES,
        )
        stage = Stage(rng, cast)
        end_ms = scenario.play(stage, 600.0)
        longest_s = LONGEST_WATCHED_S if scenario.needs_sight else LONGEST_S
        if not SHORTEST_S * 1000 <= end_ms <= longest_s * 1000:
            continue
        episode = stage.render(example.scenario, seed, end_ms + 1_200, lambda samples, _: samples)
        if example.accept(episode):
            return episode
    raise ValueError(f"no play of '{example.scenario}' fits the example '{example.name}' in {MANY_SEEDS} seeds")


def write(example: Example, episode: Episode) -> None:
    """The user's side: sound and pictures in one file, texts in another."""
    frames = [frame for turn in episode.inputs for frame in turn.frames]
    path = FOLDER / f"{example.name}.{'webm' if frames else 'ogg'}"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("libopus", rate=48_000, layout="mono")
        sound.bit_rate = OPUS_BIT_RATE
        if frames:
            height, width = frames[0].pixels.shape[:2]
            picture = container.add_stream("libvpx-vp9", rate=MAX_FPS, width=width, height=height, pix_fmt="yuv420p")
            picture.bit_rate = VP9_BIT_RATE
            picture.time_base = Fraction(1, 1000)
            for frame in frames:
                shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.pixels), format="rgb24")
                shown.pts, shown.time_base = round(frame.time_ms), Fraction(1, 1000)
                container.mux(picture.encode(shown))
            container.mux(picture.encode(None))
        pcm = np.concatenate([turn.audio for turn in episode.inputs])
        whole = av.AudioFrame.from_ndarray((pcm * 32_767).astype(np.int16)[None], format="s16", layout="mono")
        whole.sample_rate, whole.pts = IN_HZ, 0
        for part in (*av.AudioResampler("s16", "mono", 48_000, frame_size=960).resample(whole), None):
            container.mux(sound.encode(part))
    events = [
        {"at_ms": turn_start_ms(turn.index) + TURN_MS // 2, "role": str(event.role), "text": event.text}
        for turn in episode.inputs
        for event in turn.events
    ]
    if events:
        lines = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events)
        (FOLDER / f"{example.name}.jsonl").write_text(lines, encoding="utf-8")
    entry = {
        "behaviour": example.behaviour,
        "file": path.name,
        "heard": in_breaths(episode.heard),
        "reply": " ".join(word.text for word in episode.said),
        "has_text": bool(events),
    }
    index = read_index() | {example.name: entry}
    (FOLDER / "index.json").write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def in_breaths(words: Sequence[SpokenWord]) -> str:
    """What was said, with a dot at every pause."""
    text, end_ms = "", math.inf
    for word in words:
        text += (" · " if word.start_ms - end_ms > PAUSE_MS else " ") + word.text
        end_ms = word.end_ms
    return text.strip()


def read_index() -> dict[str, dict[str, str | bool]]:
    """What has been written so far."""
    path = FOLDER / "index.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def typed_lines(name: str) -> list[str]:
    """What reaches the model in writing: from the user, the application and the background."""
    events = [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    return [f"{event['role']}: “{event['text']}”" for event in events]


def how_often(example: Example) -> str:
    """Nano's own figure, in words."""
    if example.measured is None:
        return "no: it cannot see yet"
    file, suite, metric = example.measured
    figure = json.loads((RESULTS / file).read_text(encoding="utf-8"))["suites"][suite]["metrics"][metric]
    is_of_words = "word" in metric or metric == "wer"
    share = 1 - figure["value"] if metric == "wer" else figure["value"]
    return f"{round(share * figure['count'])} of {figure['count']}{' words' if is_of_words else ''}"


def write_readme() -> None:
    """The table of what is there."""
    rows = ["| | the user says | in writing | a good reply | nano does it | try it |", "|---|---|---|---|---|---|"]
    index = read_index()
    for example in EXAMPLES:
        if example.name not in index:
            continue
        entry = index[example.name]
        text = f" --text examples/{example.name}.jsonl" if entry["has_text"] else ""
        command = f"`.venv/bin/microturn run examples/{entry['file']}{text} --out out/{example.name}`"
        heard = f"“{entry['heard']}”" if entry["heard"] else "nothing"
        typed = "<br>".join(typed_lines(example.name)) if entry["has_text"] else ""
        reply = f"“{entry['reply']}”" if entry["reply"] else "silence"
        row = (entry["behaviour"], heard, typed, reply, how_often(example), command)
        rows.append(f"| {' | '.join(map(str, row))} |")
    head = (__doc__ or "").split("\n\n")
    (FOLDER / "README.md").write_text(
        "# Examples\n\nRecordings of what an interaction model does, the user's side alone. `microturn run` plays one "
        "to nano and draws what happens; `ogg` holds sound, `webm` pictures too, `jsonl` texts with their times. "
        "A good reply is the scenario's own, without its times; nano's may be another. How often nano does such a "
        "thing without a fault, in voices that it never heard, is what `evals/results` has.\n\n"
        + "\n".join(rows)
        + f"\n\n{head[2].strip()}\n\n    .venv/bin/python examples/make.py\n",
        encoding="utf-8",
    )


def main(names: list[str]) -> None:
    """Writes the examples of these names, or all."""
    known = [example.name for example in EXAMPLES]
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"no example '{unknown[0]}': choose from {', '.join(known)}")
    for example in EXAMPLES:
        if not names or example.name in names:
            episode = play(example)
            write(example, episode)
            print(f"{example.name}: {episode.duration_ms / 1000:.1f} s")
    write_readme()


if __name__ == "__main__":
    main(sys.argv[1:])
