"""Points and chips of faces in whole frames."""

import importlib.util

import dlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.extractors.dlib import find_weights
from evaluation.landmarks import FILE, FILE5, chips, points5_in, points68_in
from gan.data.toy.faces import draw_picture, render_face
from gan.data.toy.speakers import draw_speaker
from tests.properties import examples

BOXES = np.array([(79.0, 120.0, 204.0, 246.0, 1.0)])  # as DlibHog locates the face of `frame`


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    """A face of 200 px from (40, 60) on."""
    picture = np.full((300, 320, 3), 96, dtype=np.uint8)
    picture[60:260, 40:240] = render_face(draw_speaker(0, 1), draw_picture(np.random.default_rng(3)), 200)
    return picture


@pytest.fixture(scope="module")
def large(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Twice the size, where the points are looked for in the frame itself."""
    return np.ascontiguousarray(frame.repeat(2, 0).repeat(2, 1)), BOXES * 2


@pytest.mark.parametrize(("points_in", "file"), [(points68_in, FILE), (points5_in, FILE5)])
def test_a_large_face_has_dlibs_own_points(points_in, file, large) -> None:
    picture, boxes = large
    left, top, right, bottom = boxes[0, :4].astype(int).tolist()
    shape = dlib.shape_predictor(str(find_weights(file)))(picture, dlib.rectangle(left, top, right - 1, bottom - 1))
    found = points_in(picture, boxes)
    assert found.dtype == np.float32
    assert np.array_equal(found[0] - 0.5, [(point.x, point.y) for point in shape.parts()])


def test_the_eyes_are_found(frame: np.ndarray) -> None:
    assert points68_in(frame, BOXES)[0, 36:48].mean(0) == pytest.approx((140, 160), abs=4)


@pytest.mark.slow
def test_the_size_of_a_face_hardly_moves_its_pupils() -> None:
    """Median over faces: at half the size 0.015 pupil distances (worst 0.06), at a quarter, about 11 px apart, 0.027 (0.18)."""
    rng, moved = np.random.default_rng(3), {2: [], 4: []}
    for index in range(8):
        face = render_face(draw_speaker(0, index), draw_picture(rng), 200)
        boxes = BOXES[:, :4] - (40, 60, 40, 60)
        whole = points68_in(face, boxes)[0]
        for times, found in moved.items():
            small = np.rint(face.reshape(200 // times, times, 200 // times, times, 3).mean((1, 3))).astype(np.uint8)
            points = points68_in(small, boxes / times)[0] * times
            eyes = [(points[eye].mean(0), whole[eye].mean(0)) for eye in (slice(36, 42), slice(42, 48))]
            apart = np.linalg.norm(eyes[0][1] - eyes[1][1])
            found += [np.linalg.norm(here - there) / apart for here, there in eyes]
    assert np.median(moved[2]) < 0.05
    assert np.median(moved[4]) < 0.08


def test_five_and_sixty_eight_agree_about_the_corners_of_the_eyes(frame: np.ndarray) -> None:
    five, all_points = points5_in(frame, BOXES)[0], points68_in(frame, BOXES, median=True)[0]
    assert np.abs(five[:4] - all_points[[45, 42, 36, 39]]).max() < 8


@pytest.mark.parametrize("points_in", [points68_in, points5_in])
def test_chips_are_dlibs_own(points_in, frame: np.ndarray) -> None:
    points = points_in(frame, np.concatenate([BOXES, BOXES]))
    shape = dlib.full_object_detection(
        dlib.rectangle(0, 0, 9, 9), dlib.points([dlib.point(*map(int, point)) for point in np.rint(points[0] - 0.5)])
    )
    found = chips(frame, points)
    assert found.shape == (2, 150, 150, 3)
    assert np.array_equal(found[0], dlib.get_face_chip(frame, shape, size=150, padding=0.25))
    assert np.array_equal(found[0], found[1])


def test_without_a_box_there_is_nothing(frame: np.ndarray) -> None:
    none = np.zeros((0, 5), dtype=np.float32)
    assert points68_in(frame, none).shape == (0, 68, 2)
    assert points5_in(frame, none).shape == (0, 5, 2)
    assert chips(frame, points5_in(frame, none)).shape == (0, 150, 150, 3)


def test_a_view_of_a_frame_is_read_as_its_copy(frame: np.ndarray) -> None:
    view = np.stack([frame, frame], axis=2)[:, :, 0]
    points = points5_in(frame, BOXES)
    assert np.array_equal(points5_in(view, BOXES), points)
    assert np.array_equal(chips(view, points), chips(frame, points))


@examples(30)
@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.tuples(st.integers(-100, 150), st.integers(-100, 150), st.integers(0, 300)),
)
def test_any_box_in_any_frame_has_points_and_a_chip(size, box) -> None:
    left, top, side = box
    picture = np.full((*size, 3), 128, dtype=np.uint8)
    points = points5_in(picture, np.array([(left, top, left + side, top + side)]))
    assert np.isfinite(points).all()
    assert chips(picture, points).shape == (1, 150, 150, 3)


def test_without_its_weights_the_command_is_named(frame: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install face_recognition_models"):
        points5_in(frame, BOXES)
