from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.media.alignment import EYES, CropSettings, crop, face_box, pupils
from gan.media.measures import PAIRS, measure
from tests.properties import examples

HEIGHT, WIDTH = 240, 320


def points_about(left: tuple[float, float], right: tuple[float, float]) -> np.ndarray:
    """68 points whose eyes' middles are these; the others lie between, a little below."""
    eyes = np.array([left, right], np.float64)
    across = eyes[1] - eyes[0]
    down = np.array([-across[1], across[0]])
    points = np.tile(eyes.mean(axis=0), (68, 1)) + down * np.linspace(0.1, 1.2, 68)[:, None]
    for eye, middle in zip(EYES, eyes, strict=True):
        ring = np.linspace(0, 2 * np.pi, 6, endpoint=False)
        points[list(eye)] = middle + 0.08 * np.hypot(*across) * np.stack([np.cos(ring), np.sin(ring)], axis=1)
    return points


def dots(left: tuple[float, float], right: tuple[float, float]) -> np.ndarray:
    """A dark picture with a bright dot at each pupil: the left one red, the right one green."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for channel, (at_x, at_y) in enumerate((left, right)):
        image[..., channel] = 255 * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / 18)
    return image


def middle_of(picture: np.ndarray) -> np.ndarray:
    """x, y of the bright spot, as shares of the side."""
    values = picture.astype(np.float64)
    y, x = np.mgrid[: values.shape[0], : values.shape[1]] + 0.5
    return np.array([(x * values).sum(), (y * values).sum()]) / values.sum() / values.shape[0]


@pytest.mark.slow
@examples(30)
@given(
    x=st.floats(120, 200),
    y=st.floats(100, 140),
    distance=st.floats(24, 60),
    angle=st.floats(-0.6, 0.6),
    size=st.sampled_from([64, 150]),
)
def test_pupils_lie_where_they_are_wanted(x: float, y: float, distance: float, angle: float, size: int) -> None:
    half = distance / 2 * np.array([np.cos(angle), np.sin(angle)])
    left, right = (x - half[0], y - half[1]), (x + half[0], y + half[1])
    settings = CropSettings(by="eyes", eye_distance=0.3, eye_height=0.4)
    points = points_about(left, right)
    assert pupils(points) == pytest.approx(np.array([left, right]))
    face = crop(dots(left, right), points, np.zeros(4), settings, size)
    assert face.shape == (size, size, 3)
    found = np.stack([middle_of(face[..., channel]) for channel in (0, 1)])
    assert found == pytest.approx(np.array([[0.35, 0.4], [0.65, 0.4]]), abs=0.02)


@pytest.mark.parametrize("by", ["eyes", "box", "whole"])
@pytest.mark.parametrize(("left", "right"), [((100.0, 90.0), (150.0, 104.0)), ((5.0, 6.0), (60.0, 2.0))])
def test_a_mirrored_picture_gives_a_mirrored_face(by: str, left: tuple[float, float], right: tuple[float, float]) -> None:
    """The second face lies at the picture's corner, so that what is repeated beyond its edge is mirrored too."""
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    points = points_about(left, right)
    across = points.copy()
    a, b = np.array([*PAIRS, (40, 47), (41, 46)]).T
    across[:, 0] = WIDTH - across[:, 0]
    across[np.concatenate([a, b])] = across[np.concatenate([b, a])]
    box = np.array([left[0] - 20, left[1] - 20, right[0] + 20, left[1] + 70])
    turned = np.array([WIDTH - box[2], box[1], WIDTH - box[0], box[3]])
    settings = CropSettings(by=by)
    plain = crop(image, points, box, settings, 96)
    mirrored = crop(np.ascontiguousarray(image[:, ::-1]), across, turned, settings, 96)[:, ::-1]
    assert np.abs(plain.astype(int) - mirrored).mean() < 1.0
    one, other = measure(image, points), measure(np.ascontiguousarray(image[:, ::-1]), across)
    assert one.pupil_distance_px == pytest.approx(other.pupil_distance_px)
    assert one.pitch == pytest.approx(other.pitch)
    assert one.asymmetry == pytest.approx(other.asymmetry, abs=1e-6)
    assert one.sharpness == pytest.approx(other.sharpness, abs=0.05)


@pytest.mark.parametrize(
    ("settings", "box"),
    [
        (CropSettings(by="whole"), (0, 0, 1, 1)),
        (CropSettings(by="box", margin=0), (0, 0, 1, 1)),
        (CropSettings(by="box", margin=0.5), (0.1325, 0.1545, 0.8675, 0.8895)),
        (CropSettings(by="eyes", eye_distance=0.2, eye_height=0.4), (0.15, 0.182, 0.85, 0.882)),
    ],
)
def test_where_the_face_is_said_to_lie(settings: CropSettings, box: tuple[float, ...]) -> None:
    assert face_box(settings) == pytest.approx(box)


def test_the_box_is_cut_with_its_margin() -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[100:140, 100:140] = 255
    face = crop(image, np.zeros((68, 2)), np.array([100.0, 100.0, 140.0, 140.0]), CropSettings(by="box", margin=0.5), 80)
    assert face[22:58, 22:58].min() > 250
    assert face[:18].max() < 5
    assert face[62:].max() < 5


@pytest.mark.parametrize(("key", "value"), [("by", "nose"), ("eye_distance", 0.9), ("eye_height", 0.1), ("margin", 3.0)])
def test_settings_are_checked(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{key}.*: {value}.* came"):
        CropSettings(**{key: value})  # type: ignore[arg-type]
