import importlib.util

import numpy as np
import pytest

from evaluation import landmarks
from evaluation.landmarks import landmarks68
from gan.data.corpus import Corpus
from tests.evaluation.world import BOX, person

EYES, NOSE, MOUTH, JAW = slice(36, 48), slice(27, 36), slice(48, 68), slice(0, 17)


@pytest.fixture(scope="module")
def faces(tiny: Corpus) -> dict[int, np.ndarray]:
    return {size: tiny.pixels(np.arange(0, 200, 25), size) for size in (64, 128)}


def test_points_lie_on_a_face_in_order(faces: dict[int, np.ndarray], tiny: Corpus) -> None:
    points = landmarks68(faces[128], tiny.face_box)
    assert points.shape == (8, 68, 2)
    assert points.dtype == np.float32
    assert (points[..., 0] > tiny.face_box[0]).all()
    assert (points[..., 0] < tiny.face_box[2]).all()
    eyes, nose, mouth = (points[:, part].mean(1) for part in (EYES, NOSE, MOUTH))
    assert (eyes[:, 1] < nose[:, 1]).all()
    assert (nose[:, 1] < mouth[:, 1]).all()
    assert (mouth[:, 1] < points[:, 8, 1]).all(), "the chin is below the mouth"
    assert (points[:, 36:42, 0].max(1) < points[:, 42:48, 0].min(1)).all(), "the first eye is the left one in the picture"
    assert np.abs(eyes[:, 0] - 0.5).max() < 0.06


def test_eyes_lie_on_eyes(faces: dict[int, np.ndarray], tiny: Corpus) -> None:
    """The iris is darker than the cheek below it, at the eyes found."""
    points = landmarks68(faces[128], tiny.face_box)
    darker = 0
    for face, shape in zip(faces[128].mean(-1), points, strict=True):
        eye = shape[36:42].mean(0)
        column, row = (eye * 128).astype(int)
        cheek = face[row + 10 : row + 14, column - 3 : column + 4].mean()
        darker += face[row - 2 : row + 3, column - 3 : column + 4].min() < 0.8 * cheek
    assert darker >= 7


def test_two_sizes_of_a_picture_agree(faces: dict[int, np.ndarray], tiny: Corpus) -> None:
    """Fractions of the picture, so the resolution does not matter; the face is about 0.5 wide."""
    apart = np.linalg.norm(landmarks68(faces[64], tiny.face_box) - landmarks68(faces[128], tiny.face_box), axis=2)
    assert np.median(apart) < 0.01
    assert apart.mean() < 0.02


def test_points_move_with_the_picture(faces: dict[int, np.ndarray], tiny: Corpus) -> None:
    """A wider picture, white on both sides: x shrinks, y stays."""
    face = faces[128][2:3]
    wide = np.pad(face, ((0, 0), (0, 0), (32, 32), (0, 0)), mode="edge")
    left, top, right, bottom = tiny.face_box
    box = ((left * 128 + 32) / 192, top, (right * 128 + 32) / 192, bottom)
    found, wanted = landmarks68(wide, box), landmarks68(face, tiny.face_box)
    assert np.abs(found[..., 0] * 192 - 32 - wanted[..., 0] * 128).mean() < 2
    assert np.abs(found[..., 1] - wanted[..., 1]).mean() < 0.02


def test_face_box_stands_in_where_no_face_is_found() -> None:
    """Coloured squares: the mean shape of dlib, about inside the box."""
    points = landmarks68(person(0, 1, size=64), BOX)
    assert np.isfinite(points).all()
    assert np.abs(points.mean((0, 1)) - 0.5).max() < 0.15


def test_a_detection_elsewhere_is_not_the_face(faces: dict[int, np.ndarray]) -> None:
    box = (0.0, 0.0, 0.25, 0.25)
    assert landmarks68(faces[128][:1], box).mean((0, 1)).max() < 0.3


def test_cached_by_content(faces: dict[int, np.ndarray], tiny: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = landmarks68(faces[64], tiny.face_box)
    monkeypatch.setattr(landmarks, "_points", lambda *_: pytest.fail("looked at again"))
    assert np.array_equal(landmarks68(faces[64][::-1], tiny.face_box), wanted[::-1])
    assert landmarks68(faces[64][:0], tiny.face_box).shape == (0, 68, 2)


def test_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="faces: float64"):
        landmarks68(np.zeros((1, 64, 64, 3)), BOX)
    with pytest.raises(ValueError, match="face_box"):
        landmarks68(person(0, 1), (0.5, 0.5, 0.5, 1.0))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install face_recognition_models"):
        landmarks68(person(0, 1), BOX)
