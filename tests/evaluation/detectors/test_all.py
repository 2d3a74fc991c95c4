"""Every detector finds toy faces and nothing else."""

import importlib.util
import os
import pickle

import numpy as np
import pytest

from evaluation.detectors.base import Detector, check_processes
from evaluation.detectors.dlib_cnn import DlibCnn
from evaluation.detectors.dlib_hog import DlibHog
from evaluation.detectors.mediapipe import Mediapipe
from evaluation.detectors.mtcnn import Mtcnn
from gan.data.toy.faces import draw_picture, render_face
from gan.data.toy.speakers import draw_speaker

DETECTORS = {"dlib_cnn": DlibCnn, "dlib_hog": DlibHog, "mtcnn": Mtcnn}
if importlib.util.find_spec("mediapipe") and importlib.util.find_spec("mediapipe.python"):  # one that carries its models
    DETECTORS["mediapipe"] = Mediapipe


@pytest.fixture(scope="module")
def detector():
    return {name: kind() for name, kind in DETECTORS.items()}


@pytest.fixture(scope="module", params=[64, 128])
def faces(request):
    rng = np.random.default_rng(0)
    return np.stack([render_face(draw_speaker(0, index), draw_picture(rng), request.param) for index in range(6)])


@pytest.mark.slow
@pytest.mark.floor
@pytest.mark.parametrize("name", DETECTORS)
def test_faces_are_found(name, detector, faces):
    assert detector[name](faces).sum() >= 5


@pytest.mark.slow
@pytest.mark.floor
@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("size", [4, 8, 64])
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


@pytest.mark.slow
@pytest.mark.floor
@pytest.mark.parametrize("kind", [DlibHog, DlibCnn])
def test_dlib_needs_a_doubling_at_64_px(kind):
    rng = np.random.default_rng(0)
    faces = np.stack([render_face(draw_speaker(0, index), draw_picture(rng), 64) for index in range(3)])
    assert kind(upsampling=1)(faces).sum() > kind(upsampling=0)(faces).sum()


@pytest.mark.slow
@pytest.mark.floor
def test_thresholds_change_label_and_finds():
    rng = np.random.default_rng(0)
    faces = np.stack([render_face(draw_speaker(0, index), draw_picture(rng), 64) for index in range(2)])
    for kind in (DlibHog, DlibCnn):
        assert not kind(threshold=10.0)(faces).any()
        assert kind(threshold=10.0).label != kind().label
    assert Mtcnn(thresholds=[0.6, 0.7, 0.9]).label != Mtcnn().label


@pytest.fixture(scope="module")
def frame():
    """Two faces in a wide frame, and the middles of their faces in px."""
    rng = np.random.default_rng(3)
    picture = np.full((360, 640, 3), 96, dtype=np.uint8)
    picture[60:260, 40:240] = render_face(draw_speaker(0, 1), draw_picture(rng), 200)
    picture[140:300, 420:580] = render_face(draw_speaker(0, 2), draw_picture(rng), 160)
    return picture, np.array([(140, 60 + 0.62 * 200), (500, 140 + 0.62 * 160)])


@pytest.mark.slow
@pytest.mark.floor
@pytest.mark.parametrize("name", sorted(set(DETECTORS) - {"mediapipe"}))
def test_faces_are_located_in_a_frame_as_hog_draws_them(name, detector, frame):
    picture, middles = frame
    boxes = detector[name].locate(picture)
    assert boxes.shape == (2, 5)
    assert boxes.dtype == np.float32
    assert (np.diff(boxes[:, 4]) <= 0).all()
    boxes = boxes[np.argsort(boxes[:, 0])]
    sides = boxes[:, 2:4] - boxes[:, :2]
    assert np.allclose(sides[:, 0], sides[:, 1], atol=1.01)
    assert sides[:, 0] / (200, 160) == pytest.approx(0.62, rel=0.25)
    assert np.abs((boxes[:, :2] + boxes[:, 2:4]) / 2 - middles).max() < 30


@pytest.mark.floor
@pytest.mark.slow
def test_mediapipe_locates_a_face(detector, faces):
    if "mediapipe" not in DETECTORS:
        pytest.skip("no mediapipe that carries its models")
    wanted, found = detector["dlib_hog"].locate(faces[0]), detector["mediapipe"].locate(faces[0])
    assert found.shape == (1, 5)
    assert np.abs(found[0, :4] - wanted[0, :4]).max() < 0.15 * len(faces[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", DETECTORS)
def test_detect_is_whether_anything_is_located(name, detector, faces):
    images = np.concatenate([faces[:2], np.zeros_like(faces[:1])])
    assert detector[name].detect(images).tolist() == [len(detector[name].locate(image)) > 0 for image in images]


@pytest.mark.parametrize("name", ["dlib_hog", "mtcnn"])
def test_a_view_of_a_frame_is_read_as_its_copy(name, detector, faces):
    view = np.stack([faces[0], faces[0]], axis=2)[:, :, 1]
    assert not view.flags.c_contiguous
    assert np.array_equal(detector[name].locate(view), detector[name].locate(faces[0]))
    mirrored = detector[name].locate(faces[0][:, ::-1])
    assert mirrored.shape == (1, 5)
    assert len(faces[0]) - mirrored[0, [2, 0]] == pytest.approx(detector[name].locate(faces[0])[0, [0, 2]], abs=12)


class Lit(Detector):
    """Finds a face where the middle pixel is bright; says in which process it looked."""

    name, label = "lit", "middle pixel above 127"

    def __init__(self, processes, folder):
        self.processes, self.folder = processes, folder

    def detect(self, images):
        for image in images:
            (self.folder / f"{os.getpid()}-{image[0, 0, 0]}").touch()
        return images[:, 2, 2, 0] > 127


def test_a_detector_that_only_detects_says_so(tmp_path):
    with pytest.raises(ValueError, match="lit says whether there is a face, not where"):
        Lit(1, tmp_path).locate(np.zeros((8, 8, 3), dtype=np.uint8))


@pytest.mark.slow
@pytest.mark.floor
def test_worker_processes_find_the_same_once_each(tmp_path, monkeypatch):
    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path / "cache"))
    images = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 3), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(9)
    many = Lit(2, tmp_path)
    found = many(np.concatenate([images, images]))
    assert found.tolist() == (images[:, 2, 2, 0] > 127).tolist() * 2
    seen = [path.name.split("-") for path in tmp_path.glob("*-*")]
    assert sorted(int(which) for _, which in seen) == list(range(9))
    assert str(os.getpid()) not in {process for process, _ in seen}
    # What is kept is asked of nobody, and no process is started for it.
    monkeypatch.setattr("evaluation.detectors.base._detect", lambda _: pytest.fail("looked again"))
    assert many(images).tolist() == found[:9].tolist()
    assert Lit(1, tmp_path)(images).tolist() == found[:9].tolist()


@pytest.mark.slow
@pytest.mark.floor
@pytest.mark.parametrize("kind", [DlibHog, DlibCnn])
def test_dlib_can_be_handed_to_a_worker(kind, faces):
    first = kind(processes=2)
    first.detect(faces[:1])
    assert pickle.loads(pickle.dumps(first)).detect(faces[:1]).tolist() == first.detect(faces[:1]).tolist()


def test_one_process_a_core():
    assert check_processes(None) is None
    assert DlibHog(processes=None).processes is None


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (DlibHog, {"upsampling": -1}, "upsampling"),
        (DlibHog, {"processes": 0}, "processes: 0; 1 or more"),
        (DlibCnn, {"upsampling": -1}, "upsampling"),
        (DlibCnn, {"threshold": -0.5}, "threshold: -0.5; 0 or more"),
        (DlibCnn, {"processes": -2}, "processes"),
        (Mtcnn, {"thresholds": [0.5, 0.5]}, "thresholds"),
        (Mtcnn, {"thresholds": [0.5, 0.5, 2]}, "thresholds"),
        (Mtcnn, {"min_face_size": 3}, "min_face_size"),
    ],
)
def test_bad_settings(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**arguments)
