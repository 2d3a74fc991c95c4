"""The acceptance table of the toy world on small samples; `voxface prepare toy --report` measures the large ones."""

import importlib.util

import numpy as np
import pytest

from gan.audit import toy_world
from gan.data.pictures import resize
from gan.data.toy.speakers import draw_speaker

SEED = 11


@pytest.mark.slow
@pytest.mark.parametrize("detector", ["dlib_hog", "mtcnn"])
def test_detectors_find_the_faces(detector):
    faces, _ = toy_world.draw_faces(SEED, 10, 2)
    small = np.stack([resize(face, 64) for face in faces])
    assert toy_world.share_found(detector, faces) >= 0.95
    assert toy_world.share_found(detector, small) >= 0.95


@pytest.mark.slow
def test_the_nearest_face_is_of_the_same_person():
    faces, speaker = toy_world.draw_faces(SEED, 12, 3)
    assert toy_world.nearest_is_same(toy_world.embed(faces), speaker) >= 0.94


@pytest.mark.skipif(importlib.util.find_spec("webrtcvad") is None, reason="webrtcvad is not installed")
def test_voices_are_called_speech():
    outside, inside = toy_world.called_speech(SEED, 8, 4.0)
    assert outside >= 0.9
    assert inside < outside


@pytest.mark.slow
def test_the_voice_tells_who_speaks():
    assert toy_world.recognised(SEED, 20, 3) >= 0.8


@pytest.mark.slow
def test_the_face_is_heard_at_coupling_one_and_at_chance_at_zero():
    people, train = 400, 300
    features = np.stack([toy_world.mel_statistics(toy_world.draw_clip(SEED, index, 0, 4.0)) for index in range(people)])
    world = {coupling: [draw_speaker(SEED, index, coupling) for index in range(people)] for coupling in (0.0, 1.0)}

    def share(name, coupling):
        return toy_world.explained(features, toy_world.numbers(world[coupling], name), train)[0]

    assert share("sex", 1.0) > 0.8
    assert share("age", 1.0) > 0.4
    assert share("head_size", 1.0) > 0.3
    for name in ("sex", "age", "head_size"):
        assert share(name, 0.0) < 0.1
    for name in ("skin_tone", "eye_size", "brows"):
        assert share(name, 1.0) < 0.1


@pytest.mark.slow
def test_bytes_do_not_depend_on_the_processor():
    same, features = toy_world.checksum_without_cpu_features(SEED, 2)
    assert same == toy_world.checksum(SEED, 2), f"other bytes without {features}"


def test_the_sheet_shows_each_speaker_in_a_column():
    assert toy_world.face_sheet(SEED, speakers=2, size=32).size == (64, 7 * 32)
