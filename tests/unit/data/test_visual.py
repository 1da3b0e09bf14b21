"""Rendered scenes show what they say they show, and evaluation never sees training's."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from microturn.data import split
from microturn.data.split import PARTS, Part
from microturn.data.video_track import VideoTrack
from microturn.data.visual import Films, Scene
from microturn.data.visual.backgrounds import _KINDS
from microturn.data.visual.camera import Camera
from microturn.data.visual.films import FilmView
from microturn.data.visual.looks import LOOKS
from microturn.data.visual.motions import MOTIONS as THING_MOTIONS
from microturn.data.visual.patch_labels import COLOUR, MOVEMENT, UNKNOWN, WHAT
from microturn.data.visual.people import MOTIONS as PERSON_MOTIONS
from microturn.data.visual.people import RAISED_LEFT
from microturn.data.visual.story import Change, Story
from microturn.data.visual.tracks import WAVES, Track
from microturn.errors import MediaError
from microturn.turns.pcm import PcmChunk
from microturn.turns.slicer import Slicer
from microturn.turns.timing import IN_SAMPLES_PER_TURN

STILL = Camera()


def scene(seed: int, part: Part = "train") -> Scene:
    return Scene(np.random.default_rng(seed), part, camera=STILL)


def change(view: Scene, before_ms: float, after_ms: float) -> float:
    """Share of pixels that are not the same."""
    return float((view.frame(before_ms) != view.frame(after_ms)).any(-1).mean())


@pytest.mark.parametrize("table", ["LOOKS", "TEXTURES", "WAVES", "THING_MOTIONS", "PERSON_MOTIONS", "SHADES"])
def test_no_visual_is_on_both_sides_and_each_can_be_drawn(table: str) -> None:
    sides = getattr(split, table)
    if table in ("LOOKS", "SHADES"):
        for name in sides["train"]:
            assert sides["heldout"][name]
            assert not set(sides["train"][name]) & set(sides["heldout"][name])
    else:
        assert not set(sides["train"]) & set(sides["heldout"])
    known = {"TEXTURES": _KINDS, "WAVES": WAVES, "THING_MOTIONS": THING_MOTIONS, "PERSON_MOTIONS": PERSON_MOTIONS}
    if table in known:
        assert {name for part in PARTS for name in sides[part]} == set(known[table])
    if table == "LOOKS":
        assert {name: set(looks) for name, looks in LOOKS.items()} == {
            name: {look for part in PARTS for look in sides[part][name]} for name in LOOKS
        }


@pytest.mark.parametrize("part", PARTS)
def test_every_thing_is_to_be_seen(part: Part) -> None:
    for seed, name in enumerate(LOOKS):
        view = scene(seed, part)
        thing = view.add_thing(name, is_outside=True)
        shown_ms = view.enter(thing, 1_000)
        assert 0.01 < change(view, 500, shown_ms + 1_500) < 0.5, name


@pytest.mark.parametrize("kind", list(Change))
def test_every_change_shows_when_it_is_said_to(kind: Change) -> None:
    for seed in range(3):
        view = scene(seed)
        story = Story(view, num_things=2, has_person=kind in (Change.HAND_UP, Change.HAND_DOWN, Change.PERSON_LEAVES))
        for state, first in ((Change.LIGHT_ON, Change.LIGHT_OFF), (Change.HAND_DOWN, Change.HAND_UP)):
            if kind is state:
                story.happen(first, 0.0)
        view._occluder = None
        happening = story.happen(kind, 3_000)
        assert change(view, 2_000, 2_900) == 0.0
        assert change(view, 2_900, happening.time_ms + 100) > 0.001, happening.label


@pytest.mark.parametrize("part", PARTS)
def test_a_repetition_ends_where_it_began(part: Part) -> None:
    for motion in split.THING_MOTIONS[part] + split.PERSON_MOTIONS[part]:
        view = scene(len(motion), part)
        actor = view.add_thing() if motion in THING_MOTIONS else view.add_person(is_close=False)
        cycle = view.repeat(actor, motion, 1_000, 3, 1_000)
        assert len(cycle.ends_ms) == 3
        middle = [(a + b) / 2 for a, b in zip(cycle.starts_ms, cycle.ends_ms, strict=True)]
        quarter = [(3 * a + b) / 4 for a, b in zip(cycle.starts_ms, cycle.ends_ms, strict=True)]
        rest_ms = cycle.ends_ms[-1] + 500
        assert all(
            change(view, rest_ms, m) + change(view, rest_ms, q) > 0.001 for m, q in zip(middle, quarter, strict=True)
        )
        assert change(view, rest_ms, rest_ms + 700) == 0.0


def test_the_same_seed_and_time_give_the_same_picture() -> None:
    first, second = (Scene(np.random.default_rng(5), "train") for _ in range(2))
    for view in (first, second):
        view.pose(view.add_person(), RAISED_LEFT, 700)
    for time_ms in (0.0, 800.0, 333.3):
        assert np.array_equal(first.frame(time_ms), second.frame(time_ms))


def test_a_track_glides_on_from_where_it_is() -> None:
    track = Track(0.0)
    track.send(1_000, 10.0, glide_ms=1_000)
    track.send(1_500, 0.0, glide_ms=1_000)
    assert [round(track.at(t)[0], 2) for t in (0, 1_000, 1_500, 2_000, 9_000)] == [0.0, 0.0, 5.0, 2.5, 0.0]


def test_a_camera_goes_on_and_off_as_the_slicer_would_have_it() -> None:
    track = VideoTrack(np.random.default_rng(1))
    view = scene(1)
    for at_ms, shown in ((700.0, view), (2_000.0, None), (5_000.0, view)):
        track.show(shown, at_ms)
    slicer = Slicer()
    taken_ms = [track._first_ms + i * track._step_ms for i in range(100)]
    frames = [track._taken(t) for t in taken_ms if 700 <= t < 2_000 or t >= 5_000]
    for turn in range(40):
        for frame in frames:
            if turn * 200 <= frame.time_ms < (turn + 1) * 200:
                slicer.push_frame(frame)
        samples = np.zeros(IN_SAMPLES_PER_TURN, np.float32)
        slicer.push_audio(PcmChunk(start_sample=turn * IN_SAMPLES_PER_TURN, samples=samples))
        expected = [frame.time_ms for frame in slicer.cut().frames]
        assert [frame.time_ms for frame in track.frames_of(turn)] == expected


def shown(view: Scene, time_ms: float) -> set[tuple[str, str]]:
    """What the labels of a moment say is to be seen, each with its colour."""
    return {(WHAT[what], COLOUR[colour]) for what, colour, _ in view.labels(time_ms) if what not in (0, UNKNOWN)}


def test_every_patch_is_labelled_with_what_is_drawn_on_it() -> None:
    view = scene(2)
    empty = view.frame(0.0).astype(int)
    thing = view.add_thing("ball", "blue")
    drawn = (np.abs(view.frame(0.0) - empty) > 8).any(-1).reshape(3, 40, 4, 40).mean((1, 3))
    labels = view.labels(0.0).reshape(3, 5, 3)
    assert (labels[:, 4] == UNKNOWN).all()  # the empty column
    is_labelled = labels[:, :4, 0] == WHAT.index("ball")
    assert is_labelled[drawn > 0.25].all()
    assert not is_labelled[drawn == 0.0].any()
    assert shown(view, 0.0) == {("ball", "blue")}
    gone_ms = view.leave(thing, 1_000) + 1_000
    assert shown(view, gone_ms) == set()


def test_what_is_hidden_has_no_label() -> None:
    """A cup behind somebody, and legs that go on below a picture that does not fill the frame."""
    view = scene(3)
    view.camera = Camera(picture=(160, 40))
    cup = view.add_thing("cup", "red")
    assert ("cup", "red") in shown(view, 0.0)
    person = view.add_person(is_close=True)
    x, y = person.place.last
    cup.place = Track(x, y + 1.5 * person.head)
    assert shown(view, 0.0) == {("a person", "none")}
    is_person = view.labels(0.0).reshape(3, 5, 3)[:, :4, 0] == WHAT.index("a person")
    assert is_person.any(1).tolist() == [False, True, False]


def test_labels_change_when_the_change_is_plain_to_see() -> None:
    view = scene(4)
    thing = view.add_thing("cup", "red")
    plain_ms = view.recolour(thing, "green", 1_000)
    assert shown(view, plain_ms - 1) == {("cup", "red")}
    assert shown(view, plain_ms) == {("cup", "green")}
    dark_ms = view.dim(4_000) + 200
    assert shown(view, dark_ms) == {("darkness", "none")}
    person = view.add_person(is_close=False)
    view.brighten(6_000)
    up_ms = view.pose(person, RAISED_LEFT, 8_000) + 500
    assert [("a raised hand", "none") in shown(view, t) for t in (7_900, up_ms)] == [False, True]
    assert ("a person", "none") in shown(view, 7_900)


def test_labels_tell_the_quarter_of_a_repetition() -> None:
    view = scene(6)
    thing = view.add_thing("star", "white")
    view.repeat(thing, "slide", 1_000, 1, 1_000)
    (cycle, *_), *_ = thing.motions
    quarters = [cycle.starts_ms[0] + share * (cycle.ends_ms[0] - cycle.starts_ms[0]) for share in (0.1, 0.4, 0.6, 0.9)]
    found = [{MOVEMENT[m] for what, _, m in view.labels(t) if what == WHAT.index("star")} for t in (500, *quarters)]
    assert found == [{name} for name in ("still", "first quarter", "second quarter", "third quarter", "last quarter")]


def write_clip(path: Path, num_frames: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for i in range(num_frames):
            pixels = np.full((240, 320, 3), 40 + 20 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def test_real_clips_are_read_from_a_folder_with_a_manifest(tmp_path: Path) -> None:
    folder = tmp_path / split.FILMS["train"]
    (folder / "asl_repeats").mkdir(parents=True)
    (folder / "gesture_stills").mkdir()
    write_clip(folder / "asl_repeats/wave.mp4", 8)
    Image.new("RGB", (320, 240), (200, 10, 10)).save(folder / "gesture_stills/up.jpg")
    (folder / "manifest.jsonl").write_text(
        '{"file": "asl_repeats/wave.mp4", "kind": "sign", "gesture": "wave", "rep_end_s": [0.4, 0.8]}\n'
        '{"file": "gesture_stills/up.jpg", "kind": "still", "gesture": "up", "view": "body", "person": "a"}\n'
    )
    films = Films.load("train", tmp_path)
    (repeats,), (still,) = films.of("repeats"), films.of("still", "body up")
    assert repeats.ends_ms == (400.0, 800.0)
    assert repeats.frames().shape == (8, 120, 160, 3)
    view = FilmView(np.random.default_rng(0), STILL)
    view.show(still, 0.0)
    view.show(repeats, 1_000.0)
    levels = [int(view.frame(t).mean()) for t in (500.0, 1_050.0, 1_750.0, 9_000.0)]
    assert levels[0] == pytest.approx(73, abs=5)
    assert levels[1] < levels[2] == levels[3]
    assert (view.labels(500.0) == UNKNOWN).all()
    assert not len(Films.load("heldout", tmp_path))
    (folder / "asl_repeats/wave.mp4").write_bytes(b"no clip")
    (folder / "manifest.jsonl").write_text("no json\n")
    with pytest.raises(MediaError, match="fetch it again"):
        Films.load("train", tmp_path)
