"""The person before white, with the models inside mediapipe 0.10, and what is said without them."""

import importlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from gan.data.toy.faces import cover, draw_picture, render_face
from gan.data.toy.speakers import draw_speaker
from gan.media.background import Person

FOUND = importlib.util.find_spec("mediapipe")
MODELS = Path(FOUND.submodule_search_locations[0]) / "modules" if FOUND else Path()
needs_models = pytest.mark.skipif(
    not (MODELS / "selfie_segmentation" / "selfie_segmentation.tflite").is_file(), reason="no mediapipe that carries its models"
)


@needs_models
@pytest.mark.slow
@pytest.mark.floor
def test_the_person_stays_and_the_room_turns_white():
    person, rng = Person(), np.random.default_rng(0)
    overlaps = []
    for index in range(4):
        speaker, picture = draw_speaker(0, index), draw_picture(rng, "textured")
        face = render_face(speaker, picture, 256)
        mask, true = person.mask(face) > 0.5, cover(speaker, picture, 256) > 0.5
        overlaps.append((mask & true).sum() / (mask | true).sum())
        white = person.white(face)
        assert white.shape == face.shape
        assert white.dtype == np.uint8
        np.testing.assert_array_equal(white[128, 128], face[128, 128])
        assert white[:8].mean() > 225
    assert np.mean(overlaps) > 0.9


@needs_models
@pytest.mark.floor
def test_the_label_names_the_version():
    assert Person().label.startswith("mediapipe 0.10.")


def test_a_package_without_models_says_what_to_do(monkeypatch):
    class Empty:
        pass

    monkeypatch.setattr("gan.media.background.version", lambda _: "1.2.2")
    monkeypatch.setattr(importlib, "import_module", lambda _: Empty())
    with pytest.raises(ValueError, match=r"mediapipe 1\.2\.2 carries no models.*0\.10\.21") as caught:
        Person()
    assert "\n" not in str(caught.value)


def test_without_mediapipe_the_command_is_named(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ValueError, match=r"pip install") as caught:
        Person()
    assert "\n" not in str(caught.value)
