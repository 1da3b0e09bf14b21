from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from microturn.features.patches import frame_patches, letterbox, num_patches, pair_patches

# What InklingImageProcessor (transformers 5.23, torchvision 0.28) makes of picture(height, width): kept in a file so
# that the proof does not need torchvision, whose wheels must match torch's to the letter.
INKLING = Path(__file__).with_name("inkling_patches.npz")


def picture(height: int, width: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    return np.stack([(3 * x + y) % 256, (x * y) % 256, (7 * y + 5 * x * x) % 256], -1).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), [(41, 79), (40, 40), (1, 3)])
def test_patches_are_inklings_recorded(height: int, width: int) -> None:
    with np.load(INKLING) as recorded:
        expected = recorded[f"{height}x{width}"]
    ours = frame_patches(picture(height, width))
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize(("height", "width"), [(120, 160), (45, 80), (97, 123)])
def test_patches_are_inklings_computed(height: int, width: int) -> None:
    pytest.importorskip("torchvision", reason="Inkling's own processor needs torchvision", exc_type=ImportError)
    from transformers.models.inkling.image_processing_inkling import InklingImageProcessor

    batch = InklingImageProcessor()([picture(height, width)], return_tensors="np", input_data_format="channels_last")
    ours = pair_patches(picture(height, width), picture(height, width))
    np.testing.assert_array_equal(ours, batch["pixel_values"])


def test_nano_sees_fifteen_tokens_the_extra_column_included() -> None:
    assert num_patches(120, 160) == 15
    patches = frame_patches(np.full((120, 160, 3), 255, np.uint8))
    assert patches.shape == (15, 40, 40, 3)
    assert np.all(patches[4] < -1.4)  # beyond the frame's right edge
    assert np.all(patches[3] > 1.9)


def test_a_pair_keeps_its_order() -> None:
    dark, bright = np.zeros((40, 39, 3), np.uint8), np.full((40, 39, 3), 255, np.uint8)
    pair = pair_patches(dark, bright)
    assert pair.shape == (1, 2, 40, 40, 3)
    assert np.all(pair[0, 0, :, :39] < 0)
    assert np.all(pair[0, 1, :, :39] > 0)
    with pytest.raises(ValueError, match="one size"):
        pair_patches(dark, bright[:20])


@pytest.mark.parametrize(("height", "width"), [(480, 640), (720, 1280), (1280, 720), (120, 160), (1, 1), (3, 4000)])
def test_letterbox_fits_any_shape(height: int, width: int) -> None:
    boxed = letterbox(np.full((height, width, 3), 200, np.uint8))
    assert boxed.shape == (120, 160, 3)
    assert boxed.dtype == np.uint8
    seen = (boxed[..., 0] > 0).nonzero()
    seen_height, seen_width = np.ptp(seen[0]) + 1, np.ptp(seen[1]) + 1
    scale = min(160 / width, 120 / height)
    assert abs(seen_height - height * scale) <= 1
    assert abs(seen_width - width * scale) <= 1
    # In the middle, to a pixel.
    assert abs((seen[0].min() + seen[0].max()) / 2 - 59.5) <= 1
    assert abs((seen[1].min() + seen[1].max()) / 2 - 79.5) <= 1


def test_empty_and_grey_frames_are_refused() -> None:
    for shape in ((0, 0, 3), (40, 40), (40, 40, 4)):
        with pytest.raises(ValueError, match="RGB"):
            frame_patches(np.zeros(shape, np.uint8))
