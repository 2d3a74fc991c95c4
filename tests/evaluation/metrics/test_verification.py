import numpy as np
import pytest

from evaluation.metrics import verification
from evaluation.metrics.verification import Verification
from tests.evaluation.world import Pooled, trial

SEXES = {one: {"sex": "fm"[one % 3 == 0]} for one in range(12)}


def figures(cosines, position=None, meets=None):
    cosines = np.array(cosines, dtype=np.float64)
    position = np.arange(len(cosines)) if position is None else np.array(position)
    meets = ~np.eye(cosines.shape[1], dtype=bool) if meets is None else meets
    own = cosines[np.arange(len(cosines)), position]
    pairs = verification._Pairs(cosines, own, position, meets)
    return pairs, pairs.figures(np.ones(cosines.shape[1]))


def test_by_hand():
    assert figures(np.eye(4))[1] == (1, 0)
    assert figures(1 - np.eye(4))[1] == (0, 1)
    assert figures(np.ones((4, 4)))[1] == (0.5, 0.5)
    # own 0.9, 0.2; imposters 0.5, 0.1: three of four pairs in order, and at 0.5 half of each is wrong
    assert figures([[0.9, 0.5], [0.1, 0.2]])[1] == (0.75, 0.5)
    # own 3, 2, 0; imposters -2, -2, 1, 1, -2, -2: of the own, one below a third of the imposters
    auc, eer = figures([[3, -2, 1], [-2, 2, -2], [1, -2, 0]])[1]
    assert auc == pytest.approx(1 - 1 / 3 * 1 / 3)
    assert eer == pytest.approx(1 / 3)


def test_agrees_with_the_plain_way():
    cosines, position = np.random.default_rng(0).normal(size=(30, 10)).round(1), np.tile(np.arange(10), 3)
    cosines[np.arange(30), position] += 0.7
    pairs, (auc, eer) = figures(cosines, position)
    own, imposter = cosines[np.arange(30), position], cosines[np.arange(10) != position[:, None]]
    gap = own[:, None] - imposter
    share = ((gap > 0.01) + 0.5 * (np.abs(gap) < 0.01)).mean(axis=1)
    assert np.allclose(pairs.below(), share)
    assert auc == pytest.approx(share.mean())
    errors = [max((own < at).mean(), (imposter >= at).mean()) for at in np.unique(cosines)]
    assert eer <= min(errors)
    assert eer >= min(errors) - 0.1


def test_random_scores_are_at_chance():
    auc, eer = figures(np.random.default_rng(0).normal(size=(2000, 20)), np.tile(np.arange(20), 100))[1]
    assert auc == pytest.approx(0.5, abs=0.02)
    assert eer == pytest.approx(0.5, abs=0.02)


def test_weights_are_how_often_a_speaker_counts():
    rng = np.random.default_rng(0)
    cosines = rng.normal(size=(6, 6)) + np.eye(6)
    pairs, _ = figures(cosines)
    without = np.array([1, 1, 1, 1, 0, 0], dtype=np.float64)
    assert pairs.figures(without) == pytest.approx(figures(cosines[:4, :4])[1])
    assert pairs.figures(3 * without) == pytest.approx(pairs.figures(without))
    assert np.isnan(pairs.figures(np.eye(6)[0])).all()


@pytest.mark.parametrize("matched", [None, "sex"])
def test_right_faces_are_told_from_imposters(matched):
    auc, eer = Verification(Pooled(), matched)(trial(attributes=SEXES))
    suffix = "/sex" if matched else ""
    assert (auc.metric, eer.metric) == ("verification/auc" + suffix, "verification/eer" + suffix)
    assert (auc.value, auc.chance, auc.upper, auc.higher_is_better) == (1, 0.5, 1, True)
    assert (eer.value, eer.chance, eer.upper, eer.higher_is_better) == (0, 0.5, 0, False)
    assert (auc.items == 1).all()
    assert eer.items is None


@pytest.mark.parametrize("matched", [None, "sex"])
def test_one_face_for_everybody_scores_chance_exactly(matched):
    face = np.broadcast_to(trial().training[:1], trial().generated.shape).copy()
    auc, eer = Verification(Pooled(), matched)(trial(generated=face, attributes=SEXES))
    assert (auc.value, eer.value) == pytest.approx((0.5, 0.5))  # with groups of eight and four as well


@pytest.mark.slow
def test_permuted_labels_score_chance():
    values = [[score.value for score in Verification(Pooled())(trial(shift=shift))] for shift in range(1, 12)]
    assert np.mean(values, axis=0) == pytest.approx(0.5, abs=0.06)


def test_intervals_hold_the_value_and_thin_pairs_out_by_speaker(monkeypatch):
    noise = np.random.default_rng(0).normal(0, 40, trial().generated.shape)
    shown = trial(generated=np.clip(noise + trial(shift=1).generated, 0, 255).astype(np.uint8))
    whole = Verification(Pooled())(shown)
    monkeypatch.setattr(verification, "PAIRS", 200)  # of 396
    thin = Verification(Pooled())(shown)
    for a, b in zip(whole, thin, strict=True):
        assert a.value == b.value
        assert a.interval != b.interval
        for score in (a, b):
            assert 0 <= score.interval[0] < score.value < score.interval[1] <= 1


def test_nobody_to_be_confused_with_is_a_skip():
    for attributes in ({}, {one: {"sex": str(one)} for one in range(12)}):
        for score in Verification(Pooled(), "sex")(trial(attributes=attributes)):
            assert score.note == "skipped: no speaker has an imposter of the same sex"


def test_faces_left_out_are_counted():
    auc, _ = Verification(Pooled(), "sex")(trial(attributes={one: SEXES[one] for one in range(11)}))
    assert np.array_equal(np.isnan(auc.items), trial().speaker == 11)
    assert "33 own and" in auc.note
    assert "3 faces of speakers without a real face or an imposter left out" in auc.note
