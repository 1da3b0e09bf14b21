"""Writes the example recordings and their README: one a behaviour, spoken by a synthetic user.

    .venv/bin/python examples/make.py             all of them
    .venv/bin/python examples/make.py time cue    some of them; the README lists what is there

What the user says and does comes from the scenarios, in the phrasings that are held out for evaluation, said by warped
hibari voices (Apache-2.0) in a quiet room. The same code gives the same files.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from microturn.data.episode import Episode
from microturn.data.languages import LANGUAGES
from microturn.data.scenarios import SCENARIOS
from microturn.data.stage import Cast, Stage
from microturn.data.voices import assistant_voice
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


EXAMPLES = (
    Example(name="time", scenario="every-seconds", behaviour="says something every so many seconds"),
    Example(name="cue", scenario="spoken-cue", behaviour="speaks up whenever a cue falls", accept=has_moment),
    Example(name="correct-me", scenario="correct-me", behaviour="corrects the user's mistakes", accept=has_moment),
    Example(name="turns", scenario="take-turns", behaviour="answers at once, waits through pauses", accept=talks),
    Example(name="interruption", scenario="count-aloud", behaviour="stops when told to", accept=is_stopped),
    Example(name="correction", scenario="change-of-mind", behaviour="does what was meant last", accept=talks),
    Example(name="background-sound", scenario="keep-going", behaviour="counts on while others talk", accept=talks),
    Example(name="silence", scenario="not-for-me", behaviour="keeps silent: nothing is asked of it", accept=talks),
    Example(name="repeat", scenario="repeat-after-me", behaviour="repeats what it hears"),
    Example(name="text", scenario="read-aloud", behaviour="reads aloud what is typed and reported"),
    Example(name="instructions", scenario="instructed", behaviour="keeps to what is asked in writing", accept=is_told),
    Example(name="transcript", scenario="dictation", behaviour="writes down what is said", accept=talks),
    Example(name="memory", scenario="remember", behaviour="remembers what it was told", accept=talks),
    Example(name="translation", scenario="interpret", behaviour="translates while the user speaks", accept=talks),
    Example(
        name="delegation", scenario="delegate", behaviour="asks the background model, tells the result", accept=is_told
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
        "heard": " ".join(word.text for word in episode.heard),
        "reply": " ".join(word.text for word in episode.said),
        "has_text": bool(events),
    }
    index = read_index() | {example.name: entry}
    (FOLDER / "index.json").write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_index() -> dict[str, dict[str, str | bool]]:
    """What has been written so far."""
    path = FOLDER / "index.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def typed_lines(name: str) -> list[str]:
    """What reaches the model in writing: from the user, the application and the background."""
    events = [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    return [f"{event['role']}: “{event['text']}”" for event in events]


def write_readme() -> None:
    """The table of what is there."""
    rows = ["| | the user says | in writing | a good reply | try it |", "|---|---|---|---|---|"]
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
        rows.append(f"| {entry['behaviour']} | {heard} | {typed} | {reply} | {command} |")
    head = (__doc__ or "").split("\n\n")
    (FOLDER / "README.md").write_text(
        "# Examples\n\nRecordings of what an interaction model does, the user's side alone. `microturn run` plays one "
        "to nano and draws what happens; `ogg` holds sound, `webm` pictures too, `jsonl` texts with their times. "
        "A good reply is the scenario's own, without its times; what nano has not learnt yet it does not do, and it "
        "cannot see yet.\n\n" + "\n".join(rows) + f"\n\n{head[2].strip()}\n\n    .venv/bin/python examples/make.py\n",
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
