import numpy as np
import pytest

from evaluation.metrics.similarity import Similarity
from tests.evaluation.world import Pooled, trial


def test_cosine_by_hand():
    shown = trial(speakers=4)
    (score,) = Similarity(Pooled())(shown)
    drawn, real = (Pooled().embed(faces, shown.face_box) for faces in (shown.generated[:1], shown.gallery[:3]))
    mean = (real / np.linalg.norm(real, axis=1, keepdims=True)).mean(axis=0)
    expected = (drawn[0] @ mean) / np.linalg.norm(drawn[0]) / np.linalg.norm(mean)
    assert score.items[0] == pytest.approx(expected, abs=1e-6)


def test_upper_and_chance_are_of_real_faces_alone():
    metric = Similarity(Pooled())
    (right,), (wrong,) = metric(trial()), metric(trial(shift=3))
    assert (right.chance, right.upper) == (wrong.chance, wrong.upper)
    assert right.upper > 0.9 > right.chance


def test_generated_faces_of_a_speaker_without_real_ones_are_left_out():
    shown = trial(speakers=4)
    kept = shown.gallery_speaker != 2
    (score,) = Similarity(Pooled())(
        trial(speakers=4, gallery=shown.gallery[kept], gallery_speaker=shown.gallery_speaker[kept])
    )
    assert np.array_equal(np.isnan(score.items), shown.speaker == 2)
    assert "3 faces of speakers without a real face left out" in score.note
