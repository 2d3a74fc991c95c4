import importlib.util
import sys

import dlib
import numpy as np
import pytest

from evaluation.extractors.dlib import FILE, PACKAGE, Dlib, _Net, find_weights
from tests.evaluation.world import person


@pytest.fixture(scope="module")
def embedder():
    return Dlib()


@pytest.mark.slow
def test_equals_dlib_itself(embedder):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 150, 150, 3), dtype=np.uint8)
    smooth = np.kron(rng.integers(0, 256, (2, 10, 10, 3)), np.ones((15, 15, 1))).astype(np.uint8)
    images = np.concatenate([images, smooth, np.full((1, 150, 150, 3), 255, np.uint8)])
    reference = dlib.face_recognition_model_v1(str(find_weights(FILE)))
    expected = np.array([reference.compute_face_descriptor(image) for image in images])
    found = embedder.embed(images, (0, 0, 1, 1))
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-5


def test_one_alone_equals_the_same_one_among_others(embedder):
    images = np.concatenate([person(one, 1, size=64) for one in range(5)])
    together = embedder.embed(images, (0.1, 0.1, 0.9, 0.9))
    alone = np.concatenate([embedder.embed(image[None], (0.1, 0.1, 0.9, 0.9)) for image in images])
    assert np.abs(together - alone).max() < 1e-5


def test_only_the_face_box_is_seen(embedder):
    box = (0.25, 0.25, 0.75, 0.75)
    image = person(0, 1, size=64)
    framed = np.full((1, 64, 64, 3), 255, np.uint8)
    framed[:, 14:50, 14:50] = image[:, 14:50, 14:50]  # the box, and the two pixels round it that its edge may touch
    assert np.abs(embedder(image, box) - embedder(framed, box)).max() < 1e-6
    assert np.abs(embedder(image, box) - embedder(image, (0, 0, 0.5, 0.5))).max() > 1e-3


def test_label_names_the_weights(embedder):
    assert "55533b28a958" in embedder.label
    assert "150 px" in embedder.label


def test_package_is_never_imported(embedder):
    assert PACKAGE not in sys.modules


def test_missing_package_is_one_line_with_the_command(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install face_recognition_models==0\.3\.0") as caught:
        Dlib()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"something else", "half"])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / FILE
    path.write_bytes(find_weights(FILE).read_bytes()[:100_000] if content == "half" else content)
    with pytest.raises(ValueError, match="dlib's published") as caught:
        _Net(path)
    assert str(path) in str(caught.value)
