import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.metrics.recall import Recall
from evaluation.real_faces.gallery import FaceGallery, Gallery
from tests.evaluation.world import Pooled, trial
from tests.properties import examples


def test_right_faces_are_found_and_wrong_ones_are_not():
    metric = Recall(Pooled(), k=[1, 5])
    assert [score.value for score in metric(trial())] == [1, 1]
    assert metric(trial(shift=1))[0].value == 0


def test_chance_and_gallery_are_said():
    scores = Recall(Pooled(), k=[1, 5, 10])(trial(speakers=12))
    assert [score.metric for score in scores] == ["recall@1", "recall@5", "recall@10"]
    assert [score.chance for score in scores] == [1 / 12, 5 / 12, 10 / 12]
    assert all("gallery of 12 speakers, 36 faces" in score.note for score in scores)
    assert all(score.upper == 1 for score in scores)


def test_a_gallery_no_larger_than_k_is_skipped():
    first, second = Recall(Pooled(), k=[1, 5])(trial(speakers=5))
    assert not first.skipped
    assert second.skipped
    assert "always holds it" in second.note


@examples(10)
@given(st.integers(2, 12), st.integers(1, 11))
def test_one_face_for_everybody_scores_chance_exactly(speakers, k):
    shown = trial(speakers=speakers, runs=1)
    face = np.broadcast_to(shown.training[:1], shown.generated.shape).copy()
    (score,) = Recall(Pooled(), k=[k])(trial(speakers=speakers, runs=1, generated=face))
    assert score.skipped or score.value == pytest.approx(k / speakers)


def test_equal_similarities_share_their_ranks():
    shown = trial(speakers=6)
    gallery = np.broadcast_to(shown.gallery[:1], shown.gallery.shape).copy()
    for score in Recall(Pooled(), k=[1, 3])(trial(speakers=6, gallery=gallery)):
        assert score.value == pytest.approx(score.chance)


def test_recall_grows_with_k():
    noise = np.random.default_rng(0).integers(0, 256, trial().generated.shape, dtype=np.uint8)
    values = [score.value for score in Recall(Pooled(), k=[1, 2, 4, 8])(trial(generated=noise))]
    assert values == sorted(values)


@pytest.mark.parametrize("k", [[], [0], [1, -1]])
def test_bad_k(k):
    with pytest.raises(ValueError, match="k: "):
        Recall(Pooled(), k=k)


SEXES = {one: {"sex": "fm"[one % 3 == 0]} for one in range(12)}  # f 8, m 4


def noise(**changes):
    drawn = np.random.default_rng(0).integers(0, 256, trial().generated.shape, dtype=np.uint8)
    return trial(generated=drawn, **changes)


def drawn_one_by_one(shown, size, k, galleries=4000):
    """Recall of the first face in random galleries, found the plain way."""
    gallery, rng = Gallery(shown, Pooled()), np.random.default_rng(1)
    cosines = gallery.means @ gallery.embed(shown.generated[:1])[0]
    hits = [
        (np.append(rng.choice(cosines[1:], size - 1, replace=False), cosines[0]) >= cosines[0]).sum() <= k
        for _ in range(galleries)
    ]
    return np.mean(hits)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_every_gallery_of_a_size_is_what_random_ones_mean(k):
    shown = noise()
    (score,) = Recall(Pooled(), k=[k], gallery_size=5)(shown)
    assert score.items[0] == pytest.approx(drawn_one_by_one(shown, 5, k), abs=0.03)
    assert score.metric == f"recall@{k}/5"
    assert score.chance == k / 5
    assert "mean over every gallery of 5 of them (5 asked for)" in score.note


@examples(15)
@given(st.integers(2, 12), st.integers(1, 11), st.booleans(), st.sampled_from(["cosine", "l1"]))
def test_one_face_for_everybody_scores_chance_in_every_kind_of_gallery(size, k, matched, measure):
    shown = trial(runs=1)
    face = np.broadcast_to(shown.training[:1], shown.generated.shape).copy()
    metric = Recall(Pooled(), k=[k], gallery_size=size, measure=measure, matched="sex" if matched else None)
    (score,) = metric(trial(runs=1, generated=face, attributes=SEXES))
    assert score.skipped or score.value == pytest.approx(score.chance)


def test_more_than_there_are_is_all_there_are_and_is_said():
    (asked,), (every,) = (Recall(Pooled(), k=[2], gallery_size=size)(noise()) for size in (100, None))
    assert (asked.metric, asked.value, asked.chance) == (every.metric, every.value, every.chance)
    assert "gallery of 12 of them (100 asked for)" in asked.note


def test_disjoint_galleries_ask_their_own_speakers_only():
    metric = Recall(Pooled(), k=[1], gallery_size=5, galleries=2)
    (first,), (again,), (other,) = metric(noise()), metric(noise()), metric(noise(seed=1))
    assert first.metric == "recall@1/2x5"
    assert first.chance == pytest.approx(1 / 5)
    asked = np.unique(noise().speaker[np.isfinite(first.items)])
    assert len(asked) == 10
    assert np.array_equal(first.items, again.items, equal_nan=True)
    assert not np.array_equal(np.isnan(first.items), np.isnan(other.items))
    assert Recall(Pooled(), k=[1], gallery_size=5, galleries=2)(trial())[0].value == 1
    assert "drawn with seed 0: 2 (asked for: 2 of 5), 10 speakers in all" in first.note


def test_disjoint_galleries_are_as_many_as_there_are_speakers_for():
    (score,) = Recall(Pooled(), k=[1], gallery_size=5, galleries=3)(trial())
    assert "drawn with seed 0: 2 (asked for: 3 of 5)" in score.note
    (score,) = Recall(Pooled(), k=[1], gallery_size=100, galleries=3)(trial())
    assert (score.metric, score.chance) == ("recall@1", 1 / 12)
    assert "1 (asked for: 3 of 100)" in score.note


def test_matched_galleries_hold_the_query_s_own_kind():
    first, fifth = Recall(Pooled(), k=[1, 5], matched="sex")(trial(attributes=SEXES))
    assert (first.metric, fifth.metric) == ("recall@1/sex", "recall@5/sex")
    assert first.value == 1
    assert first.chance == pytest.approx((8 * 1 / 8 + 4 * 1 / 4) / 12)
    assert "own sex only: f 8, m 4" in first.note
    assert np.array_equal(np.isnan(fifth.items), trial().speaker % 3 == 0)  # four men hold every rank of five
    assert fifth.chance == 5 / 8
    assert "galleries of 4 left out" in fifth.note


def test_drawing_the_sex_alone_is_found_in_the_whole_gallery_and_not_in_a_matched_one():
    shown = trial(runs=1)
    means = [shown.training[shown.training_speaker % 3 == 0], shown.training[shown.training_speaker % 3 != 0]]
    faces = np.stack([means[int(one % 3 != 0)].mean(axis=0).astype(np.uint8) for one in shown.speaker])
    shown = trial(runs=1, generated=faces, attributes=SEXES)
    (whole,), (matched,) = Recall(Pooled(), k=[4])(shown), Recall(Pooled(), k=[3], matched="sex")(shown)
    assert whole.value > whole.chance + 0.2
    assert matched.value == pytest.approx(matched.chance)


def test_speakers_of_unknown_sex_are_left_out_and_all_of_them_is_a_skip():
    some = {one: kind for one, kind in SEXES.items() if one != 1} | {2: {"sex": ""}}
    (score,) = Recall(Pooled(), k=[1], matched="sex")(trial(attributes=some))
    assert np.array_equal(np.isnan(score.items), np.isin(trial().speaker, [1, 2]))
    assert "6 faces of speakers without a real face or without a known sex left out" in score.note
    (score,) = Recall(Pooled(), k=[1], matched="sex")(trial(attributes={}))
    assert score.note == "skipped: sex of no speaker is known"


def test_faces_are_to_be_found_themselves():
    shown = trial(speakers=6)
    (score,) = Recall(Pooled(), k=[1], gallery="faces")(trial(speakers=6, generated=shown.target))
    assert score.metric == "recall@1/faces"
    assert (score.value, score.chance) == (1, 1 / 18)
    other = Recall(Pooled(), k=[1, 3], gallery="faces")(trial(speakers=6, generated=shown.gallery[3 * shown.speaker + 1]))
    assert [score.value for score in other] == [0, 1]  # another face of the person is not it, but near it
    assert "right is the request's own face" in score.note
    assert 0 < score.upper < 1


def test_the_upper_face_query_is_not_in_the_gallery_it_asks():
    shown = trial(speakers=6, seen=False)
    gallery = FaceGallery(shown, Pooled())
    _, speaker, own, itself = gallery.real_pairs()
    assert (itself >= 0).all()
    assert (own != itself).all()
    assert np.array_equal(gallery.owner[own], speaker)
    assert Recall(Pooled(), k=[2], gallery="faces")(shown)[0].upper == 1  # two other faces each, both near


def test_l1_asks_for_the_nearest_by_l1():
    shown = noise()
    gallery = Gallery(shown, Pooled())
    distance = np.abs(gallery.embed(shown.generated)[:, None] - gallery.means - 1e-6).sum(axis=2)
    (score,) = Recall(Pooled(), k=[1], measure="l1")(shown)
    assert np.array_equal(score.items, distance.argmin(axis=1) == shown.speaker)
    assert score.metric == "recall@1/l1"


def test_a_mean_of_less_than_unit_length_changes_the_published_l1():
    (score,) = Recall(Pooled(), k=[1], measure="l1", renormalise=False)(trial())
    assert score.metric == "recall@1/l1/raw_mean"
    assert "not brought to unit length" in score.note


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"gallery": "rooms"}, "gallery: rooms. Have: speakers, faces"),
        ({"measure": "l2"}, "measure: l2. Have: cosine, l1"),
        ({"gallery_size": 1}, "gallery_size: 1"),
        ({"galleries": 3}, "galleries: 3"),
        ({"galleries": 0, "gallery_size": 5}, "galleries: 0"),
    ],
)
def test_bad_keys(keys, message):
    with pytest.raises(ValueError, match=message):
        Recall(Pooled(), **keys)
