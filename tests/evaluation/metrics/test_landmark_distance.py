import numpy as np
import pytest

from evaluation.metrics import landmark_distance as module
from evaluation.metrics.landmark_distance import LandmarkDistance, aligned, landmark_distance
from gan.data.corpus import Corpus
from tests.evaluation.world import trial

SHAPE = np.random.default_rng(0).uniform(0, 100, (68, 2))


def turned(points, degrees, scale, shift):
    angle = np.deg2rad(degrees)
    return points @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * scale + shift


def test_a_shift_is_its_length():
    moved = np.stack([SHAPE, SHAPE + np.array([3, 4]), SHAPE - np.array([6, 8])])
    assert landmark_distance(moved, SHAPE[None]).tolist() == pytest.approx([0, 5, 10])
    assert landmark_distance(moved, SHAPE[None], align=True) == pytest.approx(0, abs=1e-9)


def test_alignment_undoes_shift_turn_and_scale_but_no_mirror():
    moved = np.stack([turned(SHAPE, 20, 1.3, [5, -8]), turned(SHAPE, -100, 0.2, [0, 90])])
    assert np.abs(aligned(moved, SHAPE[None]) - SHAPE).max() < 1e-9
    assert landmark_distance(SHAPE[None] * [-1, 1], SHAPE[None], align=True)[0] > 5


def test_alignment_is_the_nearest():
    rng = np.random.default_rng(1)
    other = SHAPE + rng.normal(0, 5, SHAPE.shape)
    best = np.square(aligned(other[None], SHAPE[None]) - SHAPE).sum()
    for _ in range(20):
        tried = turned(aligned(other[None], SHAPE[None])[0], *rng.normal(0, 1, 1), 1 + rng.normal(0, 0.01), rng.normal(0, 0.1, 2))
        assert np.square(tried - SHAPE).sum() > best
    assert np.isfinite(aligned(np.zeros((1, 68, 2)), SHAPE[None])).all()


def test_in_eye_distances_of_the_true_face(monkeypatch):
    """Points 36 and 45 lie 0.4 of the picture apart; all points of the drawn face lie 0.1 lower: 0.25."""
    shown = trial(speakers=3)
    true = np.full((68, 2), 0.5)
    true[36], true[45] = (0.3, 0.4), (0.7, 0.4)

    def find(faces, box):
        drawn = faces is shown.generated
        points = np.broadcast_to(true + np.array([0, 0.1 * drawn]), (len(faces), 68, 2))
        return points.astype(np.float32), np.arange(len(faces)) > 1

    monkeypatch.setattr(module, "find68", find)
    (score,) = LandmarkDistance()(shown)
    assert score.items == pytest.approx(0.25, abs=1e-6)
    assert score.upper == score.chance == pytest.approx(0, abs=1e-6)
    assert "no face seen in 2 of 9 drawn faces" in score.note
    (score,) = LandmarkDistance(align=True)(shown)
    assert score.metric == "landmark_distance/aligned"
    assert score.value == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
def test_toy_faces_are_nearer_to_their_own(tiny: Corpus):
    """Drawn: another real face of the person."""
    faces = tiny.in_split(tiny.faces, "unseen_speaker")
    owner = tiny.faces["speaker"][faces].astype(int)
    pixels = tiny.pixels(faces, 64)
    first = np.array([np.flatnonzero(owner == one)[0] for one in np.unique(owner)])
    speaker = owner[first]
    common = dict(
        target=pixels[first],
        speaker=speaker,
        clip=speaker,
        run=0 * speaker,
        gallery=pixels,
        gallery_speaker=owner,
        training=pixels[:0],
        training_speaker=owner[:0],
        face_box=tiny.face_box,
    )
    for align in (False, True):
        (score,) = LandmarkDistance(align)(trial(generated=pixels[first + 1], **common))
        assert score.value < score.chance
        assert score.upper < score.chance
        assert 0.01 < score.value < 0.5
    assert "no face seen in 0 of" in score.note
