import numpy as np
import pytest

from evaluation.metrics.matching import Matching
from tests.evaluation.world import Pooled, trial

SEXES = {one: {"sex": "fm"[one % 3 == 0]} for one in range(12)}


def noise(**changes):
    drawn = np.random.default_rng(0).integers(0, 256, trial().generated.shape, dtype=np.uint8)
    return trial(generated=drawn, **changes)


def one_face_each(**changes):
    """A gallery of one face a speaker, so that own and imposter faces are the same set."""
    shown = trial(runs=1)
    return trial(runs=1, gallery=shown.gallery[::3], gallery_speaker=shown.gallery_speaker[::3], **changes)


@pytest.mark.parametrize("imposters", [None, 1, 7])
@pytest.mark.parametrize("matched", [None, "sex"])
def test_right_faces_match(imposters, matched):
    (score,) = Matching(Pooled(), imposters, matched)(trial(attributes=SEXES))
    assert (score.value, score.chance, score.upper) == (1, 0.5, 1)
    assert score.metric == ("matching/sex" if matched else "matching")


def test_by_hand():
    shown = noise()
    (score,) = Matching(Pooled())(shown)
    units = [
        faces / np.linalg.norm(faces, axis=1, keepdims=True)
        for faces in (Pooled().embed(faces, None).astype(np.float64) for faces in (shown.generated, shown.gallery))
    ]
    cosines = units[0] @ units[1].T
    for at in (0, 17):
        others = shown.gallery_speaker != shown.speaker[at]
        assert score.items[at] == pytest.approx((cosines[at, 3 * shown.speaker[at]] > cosines[at, others]).mean())


@pytest.mark.parametrize("matched", [None, "sex"])
def test_one_face_for_everybody_scores_chance_exactly(matched):
    face = np.broadcast_to(trial().training[:1], one_face_each().generated.shape).copy()
    (score,) = Matching(Pooled(), matched=matched)(one_face_each(generated=face, attributes=SEXES))
    assert score.value == pytest.approx(0.5)


def test_equal_true_faces_count_one_half():
    gallery = np.broadcast_to(trial().gallery[:1], trial().gallery.shape).copy()
    (score,) = Matching(Pooled(), imposters=3)(trial(gallery=gallery, target=gallery[3 * trial().speaker]))
    assert (score.items == 0.5).all()


def test_permuted_labels_score_chance():
    values = [Matching(Pooled())(trial(shift=shift))[0].value for shift in range(1, 12)]
    assert np.mean(values) == pytest.approx(0.5, abs=0.06)  # each is wrong, and the right one among its imposters


def test_all_imposters_are_what_many_random_ones_mean():
    (every,), (many,) = Matching(Pooled())(noise()), Matching(Pooled(), imposters=4000)(noise())
    assert np.allclose(every.items, many.items, atol=0.04)
    (every,), (many,) = (Matching(Pooled(), imposters, "sex")(noise(attributes=SEXES)) for imposters in (None, 4000))
    assert np.allclose(every.items, many.items, atol=0.04)


def test_imposters_are_drawn_by_seed_for_a_request_not_its_place():
    shown, metric = noise(), Matching(Pooled(), imposters=2)
    (first,), (other,) = metric(shown), metric(noise(seed=1))
    assert not np.array_equal(first.items, other.items)
    order = np.random.default_rng(0).permutation(len(shown.speaker))
    moved = {key: getattr(shown, key)[order] for key in ("generated", "speaker", "clip", "run", "target")}
    assert np.array_equal(metric(trial(**moved))[0].items, first.items[order])
    assert "imposters: 2 faces of other speakers for each, seed 0" in first.note


def test_drawing_the_sex_alone_matches_unstratified_and_not_within_sex():
    shown = trial()
    kinds = shown.gallery_speaker % 3 == 0
    means = [shown.gallery[~kinds].mean(axis=0), shown.gallery[kinds].mean(axis=0)]
    faces = np.stack([means[int(one % 3 == 0)].astype(np.uint8) for one in shown.speaker])
    shown = trial(generated=faces, attributes=SEXES)
    (whole,), (within,) = Matching(Pooled())(shown), Matching(Pooled(), matched="sex")(shown)
    assert whole.value > 0.6
    assert within.value == pytest.approx(0.5, abs=0.05)
    assert "of the query's own sex only: f 8, m 4 speakers" in within.note


def test_nobody_to_be_confused_with_is_a_skip():
    alone = {one: {"sex": str(one)} for one in range(12)}
    for attributes in ({}, alone):
        (score,) = Matching(Pooled(), matched="sex")(trial(attributes=attributes))
        assert score.note == "skipped: no speaker has an imposter of equal sex"
    (score,) = Matching(Pooled(), matched="sex")(trial(attributes=alone | {1: {"sex": "2"}}))
    assert np.array_equal(np.isfinite(score.items), np.isin(trial().speaker, [1, 2]))
    assert "30 faces of speakers without an imposter left out" in score.note


def test_bad_imposters():
    with pytest.raises(ValueError, match="imposters: 0"):
        Matching(Pooled(), imposters=0)
