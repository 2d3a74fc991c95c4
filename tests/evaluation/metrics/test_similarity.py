import numpy as np
import pytest
import torch
import torch.nn.functional as F

from evaluation.metrics.similarity import Similarity
from tests.evaluation.world import Pooled, trial


def units(faces, shown):
    vectors = Pooled().embed(faces, shown.face_box).astype(np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_cosine_by_hand():
    shown = trial(speakers=4)
    (score,) = Similarity(Pooled())(shown)
    drawn, real = (Pooled().embed(faces, shown.face_box) for faces in (shown.generated[:1], shown.gallery[:3]))
    mean = (real / np.linalg.norm(real, axis=1, keepdims=True)).mean(axis=0)
    expected = (drawn[0] @ mean) / np.linalg.norm(drawn[0]) / np.linalg.norm(mean)
    assert score.items[0] == pytest.approx(expected, abs=1e-6)
    assert score.metric == "similarity"
    assert score.higher_is_better


@pytest.mark.parametrize("renormalise", [True, False])
@pytest.mark.parametrize(("measure", "norm"), [("l1", 1), ("l2", 2)])
def test_distances_are_sf2f_s(measure, norm, renormalise):
    shown = trial(speakers=4)
    (score,) = Similarity(Pooled(), measure, renormalise)(shown)
    mean = units(shown.gallery[:3], shown).mean(axis=0, keepdims=True)
    if renormalise:
        mean /= np.linalg.norm(mean)
    expected = F.pairwise_distance(torch.tensor(mean), torch.tensor(units(shown.generated[:1], shown)), p=norm, eps=1e-6)
    assert score.items[0] == pytest.approx(float(expected), abs=1e-9)
    assert score.metric == f"similarity/{measure}" + ("" if renormalise else "/raw_mean")
    assert not score.higher_is_better
    assert score.upper < score.chance


def test_cosine_is_the_same_either_way():
    (a,), (b,) = (Similarity(Pooled(), renormalise=form)(trial(speakers=4)) for form in (True, False))
    assert np.allclose(a.items, b.items, atol=1e-12)
    assert (a.value, a.chance, a.upper) == pytest.approx((b.value, b.chance, b.upper), abs=1e-12)


def test_real_faces_at_their_own_mean_are_at_no_distance():
    shown = trial(speakers=4)
    gallery = np.repeat(shown.gallery[::3], 3, axis=0)
    (score,) = Similarity(Pooled(), "l1")(trial(speakers=4, gallery=gallery, generated=gallery[3 * shown.speaker]))
    assert score.value == pytest.approx(48e-6, abs=1e-12)  # the 1e-6 inside, in each of 48 dimensions


@pytest.mark.parametrize("measure", ["cosine", "l1", "l2"])
def test_upper_and_chance_are_of_real_faces_alone(measure):
    metric = Similarity(Pooled(), measure)
    (right,), (wrong,) = metric(trial()), metric(trial(shift=3))
    assert (right.chance, right.upper) == (wrong.chance, wrong.upper)
    assert measure != "cosine" or right.upper > 0.9 > right.chance


@pytest.mark.parametrize("measure", ["cosine", "l1"])
def test_permuted_labels_score_what_other_speakers_do(measure):
    shifted = [Similarity(Pooled(), measure)(trial(shift=shift))[0] for shift in range(1, 12)]
    near = 0.02 * abs(shifted[0].chance - shifted[0].upper)
    assert np.mean([score.value for score in shifted]) == pytest.approx(shifted[0].chance, abs=near)


def test_generated_faces_of_a_speaker_without_real_ones_are_left_out():
    shown = trial(speakers=4)
    kept = shown.gallery_speaker != 2
    (score,) = Similarity(Pooled())(trial(speakers=4, gallery=shown.gallery[kept], gallery_speaker=shown.gallery_speaker[kept]))
    assert np.array_equal(np.isnan(score.items), shown.speaker == 2)
    assert "3 faces of speakers without a real face left out" in score.note


def test_bad_measure():
    with pytest.raises(ValueError, match="measure: l3"):
        Similarity(Pooled(), "l3")
