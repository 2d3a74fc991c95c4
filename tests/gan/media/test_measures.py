"""Measures of a face from its points and pixels, and what the filter says of them."""

import math
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from gan.data.corpus import FACE_FACTS
from gan.media.measures import PAIRS, FaceFilter, FaceFilterSettings, Measures, measure, quality
from tests.properties import examples

GOOD = Measures(60.0, 0.03, 0.04, 0.36, 0.05, 0.4, 120.0, 35.0, 0.0)
ALL = FaceFilterSettings(0, 1, 0, 1, 1, -math.inf, 0, 255, 0, 1)


def points(mouth: float = 0.0, nose: float = 0.4, turn: float = 0.0) -> np.ndarray:
    """68 points of a mirrored face, 40 px between the eyes, round the middle of 128 px. turn: by which points move aside."""
    random = np.random.default_rng(0)
    face = np.zeros((68, 2))
    for left, right in PAIRS:
        x, y = random.uniform(0.1, 1), random.uniform(-0.5, 1)
        face[left], face[right] = (-x, y), (x, y)
    for left, right in ((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)):
        face[left], face[right] = (-0.5, 0), (0.5, 0)
    face[8], face[27:31, 1] = (0, 1.1), np.linspace(0, nose, 4)
    face[61:64], face[[67, 66, 65]] = (
        [(x, 0.7 - mouth / 2) for x in (-0.1, 0, 0.1)],
        [(x, 0.7 + mouth / 2) for x in (-0.1, 0, 0.1)],
    )
    face[27:36, 0] += turn
    return face * 40 + 64


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 190, (128, 128, 3)).astype(np.uint8)


def test_the_fields_are_those_of_a_corpus_in_its_order():
    names = [field.name for field in fields(Measures)]
    at = FACE_FACTS.names.index(names[0])
    assert list(FACE_FACTS.names[at : at + len(names)]) == names


def test_a_straight_face():
    found = measure(picture(), points(mouth=0.2))
    assert found.pupil_distance_px == pytest.approx(40)
    assert found.asymmetry == pytest.approx(0, abs=1e-9)
    assert found.jaw == pytest.approx(0, abs=1e-9)
    assert found.pitch == pytest.approx(0.4 / 1.1)
    assert found.mouth_open == pytest.approx(0.2)


@examples(20)
@given(
    angle=st.floats(-1, 1), scale=st.floats(0.3, 3), aside=st.floats(-30, 30), turn=st.floats(-0.2, 0.2), mouth=st.floats(0, 0.5)
)
def test_shape_is_the_same_in_any_place_size_and_turn(angle, scale, aside, turn, mouth):
    face = points(mouth, turn=turn)
    rotation = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    one, other = measure(picture(), face), measure(picture(), (face - 64) @ rotation * scale + 64 + aside)
    assert other.pupil_distance_px == pytest.approx(one.pupil_distance_px * scale)
    for name in ("asymmetry", "jaw", "pitch", "mouth_open"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), abs=1e-6)


def test_blur_is_told_and_light_is_not():
    face = picture()
    soft = np.array(Image.fromarray(face).filter(ImageFilter.GaussianBlur(1)))
    one, blurred, dark = (measure(image, points()) for image in (face, soft, face // 2))
    assert blurred.sharpness < one.sharpness - 0.5
    assert dark.sharpness == pytest.approx(one.sharpness, abs=0.05)
    assert dark.level == pytest.approx(one.level / 2, abs=1)


@pytest.mark.parametrize("value", [0, 255])
def test_one_colour(value):
    found = measure(np.full((128, 128, 3), value, np.uint8), points())
    assert (found.level, found.contrast, found.clipped) == (value, 0, 1)
    assert np.isfinite(list(asdict(found).values())).all()


def test_points_in_one_place_are_measured():
    assert np.isfinite(list(asdict(measure(picture(), np.full((68, 2), 64.0))).values())).all()


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("small", {"pupil_distance_px": 29.0}),
        ("turned", {"asymmetry": 0.2}),
        ("tilted", {"pitch": 0.2}),
        ("tilted", {"pitch": 0.5}),
        ("open mouth", {"mouth_open": 0.3}),
        ("dark", {"level": 30.0}),
        ("bright", {"level": 230.0}),
        ("bright", {"clipped": 0.3}),
        ("flat", {"contrast": 5.0}),
        ("blurred", {"sharpness": -0.7}),
    ],
)
def test_why_a_picture_is_left_out(reason, change):
    sieve, bad = FaceFilter(FaceFilterSettings()), replace(GOOD, **change)
    assert sieve.reason(GOOD) == ""
    assert sieve.reason(bad) == sieve.reason(asdict(bad)) == reason
    assert FaceFilter(ALL).reason(bad) == ""


def test_what_is_not_known_breaks_no_rule():
    assert FaceFilter(FaceFilterSettings()).reason(dict.fromkeys(asdict(GOOD), math.nan)) == ""


@pytest.mark.parametrize("limit", [{"most_asymmetry": -1.0}, {"least_level": math.nan}, {"least_sharpness": math.nan}])
def test_a_limit_that_is_none(limit):
    with pytest.raises(ValueError, match=next(iter(limit))) as caught:
        FaceFilterSettings(**limit)
    assert "\n" not in str(caught.value)


def test_limits_in_the_wrong_order():
    with pytest.raises(ValueError, match=r"least_pitch, faces\.most_pitch"):
        FaceFilterSettings(least_pitch=0.5, most_pitch=0.3)


@pytest.mark.parametrize(
    "worse",
    [
        {"pupil_distance_px": 40.0},
        {"asymmetry": 0.05},
        {"pitch": 0.3},
        {"mouth_open": 0.1},
        {"sharpness": 0.2},
        {"clipped": 0.01},
    ],
)
def test_quality_falls_with_each_fault(worse):
    assert quality(replace(GOOD, **worse)) < quality(GOOD)
