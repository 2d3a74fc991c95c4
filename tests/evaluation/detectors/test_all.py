"""Every detector finds toy faces and nothing else."""

import numpy as np
import pytest

from evaluation.detectors.dlib_hog import DlibHog
from evaluation.detectors.mtcnn import Mtcnn
from gan.data.toy.faces import draw_picture, render_face
from gan.data.toy.speakers import draw_speaker

DETECTORS = {"dlib_hog": DlibHog, "mtcnn": Mtcnn}


@pytest.fixture(scope="module")
def detector():
    return {name: kind() for name, kind in DETECTORS.items()}


@pytest.fixture(scope="module", params=[64, 128])
def faces(request):
    rng = np.random.default_rng(0)
    return np.stack([render_face(draw_speaker(0, index), draw_picture(rng), request.param) for index in range(6)])


@pytest.mark.parametrize("name", DETECTORS)
def test_faces_are_found(name, detector, faces):
    assert detector[name](faces).sum() >= 5


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("size", [8, 64])
def test_nothing_is_found_where_nothing_is(name, size, detector):
    noise = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    images = np.concatenate([np.zeros_like(noise), np.full_like(noise, 255), noise])
    found = detector[name].detect(images)
    assert found.dtype == bool
    assert not found.any()


@pytest.mark.parametrize("name", DETECTORS)
def test_one_alone_equals_the_same_one_among_others(name, detector, faces):
    mixed = np.concatenate([faces[:2], np.zeros_like(faces[:1]), faces[2:3]])
    together = detector[name].detect(mixed)
    assert together.tolist() == [detector[name].detect(image[None])[0] for image in mixed]
    assert together.tolist() == detector[name](mixed).tolist()


@pytest.mark.parametrize("name", DETECTORS)
def test_label_says_what_decides(name, detector):
    assert "threshold" in detector[name].label
    assert "upsampling" in detector[name].label
    assert "\n" not in detector[name].label


def test_hog_needs_a_doubling_at_64_px():
    rng = np.random.default_rng(0)
    faces = np.stack([render_face(draw_speaker(0, index), draw_picture(rng), 64) for index in range(6)])
    assert DlibHog(upsampling=1)(faces).sum() > DlibHog(upsampling=0)(faces).sum()


def test_thresholds_change_label_and_finds():
    rng = np.random.default_rng(0)
    faces = np.stack([render_face(draw_speaker(0, index), draw_picture(rng), 64) for index in range(3)])
    assert not DlibHog(threshold=10.0)(faces).any()
    assert DlibHog(threshold=10.0).label != DlibHog().label
    assert Mtcnn(thresholds=[0.6, 0.7, 0.9]).label != Mtcnn().label


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (DlibHog, {"upsampling": -1}, "upsampling"),
        (Mtcnn, {"thresholds": [0.5, 0.5]}, "thresholds"),
        (Mtcnn, {"thresholds": [0.5, 0.5, 2]}, "thresholds"),
        (Mtcnn, {"min_face_size": 3}, "min_face_size"),
    ],
)
def test_bad_settings(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**arguments)
