import numpy as np
import pytest
import torch

from evaluation.face_nets.resnet50 import Resnet50
from evaluation.metrics.vggface_score import VggfaceScore, score
from tests.evaluation.world import trial


def dealt(count, splits=5):
    return np.arange(count) * splits // count


def test_all_named_alike_scores_one():
    for row in (np.full(7, 1 / 7), np.eye(7)[2], np.array([0.4, 0.3, 0.3, 0, 0, 0, 0])):
        value, deviation, interval = score(np.tile(row, (40, 1)), dealt(40), np.arange(40) % 8)
        assert value == pytest.approx(1)
        assert deviation == pytest.approx(0, abs=1e-12)
        assert interval == pytest.approx((1, 1))


def test_one_sure_name_each_evenly_scores_the_number_of_names():
    for people in (2, 6):
        value, deviation, _ = score(np.eye(people)[np.arange(60) % people], dealt(60), np.arange(60) % 10)
        assert value == pytest.approx(people)
        assert deviation == pytest.approx(0, abs=1e-9)


def test_it_is_the_published_formula():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(6, 0.3), 23) + 1e-9
    p /= p.sum(1, keepdims=True)
    found = []
    for at in range(5):
        part = p[at * 23 // 5 : (at + 1) * 23 // 5]
        found.append(np.exp(np.mean(np.sum(part * (np.log(part) - np.log(part.mean(0))), 1))))
    split = np.repeat(np.arange(5), np.diff([at * 23 // 5 for at in range(6)]))
    value, deviation, (low, high) = score(p, split, np.arange(23) % 6)
    assert value == pytest.approx(np.mean(found))
    assert deviation == pytest.approx(np.std(found))
    assert 1 <= low < value < high


def test_interval_widens_with_few_speakers():
    """It is the t quantile's, as wherever speakers are left out, which of two of them is 12.7, not 1.96."""
    p = np.random.default_rng(0).dirichlet(np.full(6, 0.3), 24)
    speaker = np.arange(24) % 2
    value, _, (_, high) = score(p, np.zeros(24, int), speaker)
    left = [score(p[speaker == kept], np.zeros(12, int), np.arange(12))[0] for kept in (0, 1)]
    assert high - value == pytest.approx(12.706 * abs(left[0] - left[1]) / 2, rel=1e-4)


def test_no_interval_without_a_second_speaker():
    value, _, interval = score(np.eye(4)[np.arange(20) % 4], dealt(20), np.zeros(20, dtype=int))
    assert value == pytest.approx(4)
    assert np.isnan(interval).all()


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return Resnet50(None, num_identities=9, width=2).eval()


def test_shuffle_is_by_seed_and_by_picture(net):
    shown = trial(speakers=6)
    metric = VggfaceScore(net)
    order = np.random.default_rng(0).permutation(len(shown.generated))
    split = metric._deal(shown.generated, 0)
    assert np.array_equal(np.bincount(split), [3, 4, 3, 4, 4])  # i N / 5, as published
    assert np.array_equal(split[order], metric._deal(shown.generated[order], 0))
    assert not np.array_equal(split, metric._deal(shown.generated, 1))


def test_what_stands_beside_the_score(net):
    (found,) = VggfaceScore(net)(trial(speakers=6))
    assert 1 <= found.interval[0] <= found.value <= found.interval[1] <= 9
    assert 1 <= found.upper <= 9
    assert found.items is None
    assert found.note.startswith("N = 18; ")
    assert "deviation over 5 splits: " in found.note
    assert found.extractor.startswith("Resnet50 naming 9 people, whole picture at 224 px, RGB, weights ")


def test_a_collapsed_generator_scores_one(net):
    shown = trial(speakers=6)
    (found,) = VggfaceScore(net)(trial(speakers=6, generated=np.tile(shown.generated[:1], (18, 1, 1, 1))))
    assert found.value == pytest.approx(1, abs=1e-6)


def test_the_face_box_alone_is_seen_where_asked(net):
    black = trial(speakers=4).generated.copy()
    black[:, 8:25, 8:25] = 0  # the face box and the pixels at its end
    shown = trial(speakers=4, generated=black)
    (inside,), (whole,) = VggfaceScore(net, crop_face_box=True)(shown), VggfaceScore(net)(shown)
    assert inside.value == pytest.approx(1, abs=1e-6)
    assert whole.value > 1 + 1e-6
    assert "face box (0.25, 0.25, 0.75, 0.75)" in inside.extractor


def test_order_of_colours_is_named(net):
    other = Resnet50(None, num_identities=9, width=2, channel_order="bgr")
    other.load_state_dict(net.state_dict())
    (rgb,), (bgr,) = VggfaceScore(net)(trial(speakers=4)), VggfaceScore(other)(trial(speakers=4))
    assert bgr.value != rgb.value
    assert bgr.extractor == rgb.extractor.replace("RGB", "BGR")


def test_too_few_faces_are_skipped(net):
    (found,) = VggfaceScore(net)(trial(speakers=3))
    assert found.skipped
    assert found.note == "skipped: 5 splits need 10 faces, came 9"
    (found,) = VggfaceScore(net, splits=1)(trial(speakers=3))
    assert not found.skipped
    with pytest.raises(ValueError, match="splits: 0"):
        VggfaceScore(net, splits=0)
