"""The face mesh inside mediapipe 0.10, bundles, and what is said without either."""

import importlib
import importlib.util
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from evaluation.detectors.mediapipe import Mediapipe
from gan.data.toy.faces import draw_picture, render_face
from gan.data.toy.speakers import draw_speaker

FOUND = importlib.util.find_spec("mediapipe")
MODELS = Path(FOUND.submodule_search_locations[0]) / "modules" if FOUND else Path()
needs_mediapipe = pytest.mark.skipif(FOUND is None, reason="mediapipe is not installed")
needs_models = pytest.mark.skipif(
    not (MODELS / "face_landmark" / "face_landmark.tflite").is_file(), reason="no mediapipe that carries its models"
)


@pytest.fixture(scope="module")
def faces():
    rng = np.random.default_rng(0)
    return np.stack([render_face(draw_speaker(0, index), draw_picture(rng), 64) for index in range(4)])


@needs_models
def test_the_same_nets_in_a_bundle_find_the_same(faces, tmp_path):
    """The two nets inside mediapipe 0.10, zipped as FaceLandmarker wants them."""
    bundle = tmp_path / "face.task"
    with zipfile.ZipFile(bundle, "w") as file:
        file.write(MODELS / "face_detection" / "face_detection_short_range.tflite", "face_detector.tflite")
        file.write(MODELS / "face_landmark" / "face_landmark.tflite", "face_landmarks_detector.tflite")
    images = np.concatenate([faces, np.zeros_like(faces[:1])])
    bundled, own = Mediapipe(weights=str(bundle)), Mediapipe()
    assert bundled(images).tolist() == own(images).tolist() == [True] * 4 + [False]
    assert bundled.label != own.label
    shutil.copy(bundle, tmp_path / "same.task")
    assert Mediapipe(weights=str(tmp_path / "same.task")).label == bundled.label


@needs_mediapipe
def test_what_is_no_bundle_is_refused(tmp_path):
    (tmp_path / "face.task").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"face.task .*FaceLandmarker") as caught:
        Mediapipe(weights=str(tmp_path / "face.task"))
    assert "\n" not in str(caught.value)


@needs_mediapipe
def test_no_such_file(tmp_path):
    with pytest.raises(ValueError, match=r"voxface assets add mediapipe-face-landmarker"):
        Mediapipe(weights=str(tmp_path / "face.task"))


def test_a_package_without_models_says_what_to_do(monkeypatch):
    class Empty:
        pass

    monkeypatch.setattr("evaluation.detectors.mediapipe._package", Empty)
    monkeypatch.setattr("evaluation.detectors.mediapipe.version", lambda _: "1.2.2")
    with pytest.raises(ValueError, match=r"mediapipe 1\.2\.2 .*path"):
        Mediapipe()


def test_without_mediapipe_the_command_is_named(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ValueError, match=r'pip install "voxface\[mediapipe\]"') as caught:
        Mediapipe()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_bad_threshold(threshold):
    with pytest.raises(ValueError, match="threshold"):
        Mediapipe(threshold=threshold)
