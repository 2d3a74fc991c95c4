import numpy as np
import pytest

from evaluation.real_faces.gallery import FaceGallery, Gallery, groups, nearness, own_nearness, spare_faces
from tests.evaluation.world import Pooled, trial


def test_means_are_of_unit_length_and_in_speaker_order():
    shown = trial(speakers=5)
    gallery = Gallery(shown, Pooled())
    units = gallery.embed(shown.gallery)
    assert np.allclose(np.linalg.norm(gallery.means, axis=1), 1)
    mean = units[shown.gallery_speaker == 2].mean(axis=0)
    assert np.allclose(gallery.means[2], mean / np.linalg.norm(mean))
    assert gallery.position(np.array([4, 0, 99])).tolist() == [4, 0, -1]


def test_a_real_face_is_not_held_against_itself():
    shown = trial(speakers=5)
    gallery = Gallery(shown, Pooled())
    without = gallery.means_without(shown.gallery[:1], np.array([0]))[0]
    rest = gallery.embed(shown.gallery[1:3]).sum(axis=0)
    assert np.allclose(without, rest / np.linalg.norm(rest))
    elsewhere = gallery.means_without(shown.training[:1], np.array([0]))[0]
    assert np.allclose(elsewhere, gallery.means[0])


def test_an_only_face_has_nothing_to_be_held_against():
    shown = trial(speakers=3)
    kept = np.array([0, 3, 6])
    shown = trial(speakers=3, gallery=shown.gallery[kept], gallery_speaker=shown.gallery_speaker[kept])
    gallery = Gallery(shown, Pooled())
    assert np.isnan(gallery.means_without(shown.gallery, np.arange(3))).all()


def test_real_queries_are_training_faces_of_seen_speakers_and_targets_of_unseen_ones():
    seen, unseen = trial(speakers=4), trial(speakers=4, seen=False)
    faces, speaker = Gallery(seen, Pooled()).real_queries()
    assert np.array_equal(faces, seen.training)
    assert np.array_equal(speaker, seen.training_speaker)
    assert np.array_equal(Gallery(unseen, Pooled()).real_queries()[0], unseen.target)


def test_faces_of_the_gallery_are_not_spare():
    seen = trial(speakers=4)
    assert len(spare_faces(seen)[0]) == 12
    own = trial(speakers=4, training=seen.gallery, training_speaker=seen.gallery_speaker)
    assert len(spare_faces(own)[0]) == 0


def test_published_means_are_shorter_than_unit_length():
    shown = trial(speakers=5)
    gallery = Gallery(shown, Pooled(), renormalise=False)
    units = gallery.embed(shown.gallery)
    assert np.allclose(gallery.means[2], units[6:9].mean(axis=0))
    assert (np.linalg.norm(gallery.means, axis=1) < 1).all()
    assert np.allclose(gallery.means_without(shown.gallery[:1], np.array([0]))[0], units[1:3].mean(axis=0))


def test_faces_stand_once_each_sorted_by_speaker():
    shown = trial(speakers=4)
    twice = dict(
        gallery=np.concatenate([shown.gallery, shown.gallery[:5]]),
        gallery_speaker=np.concatenate([shown.gallery_speaker, shown.gallery_speaker[:5]]),
    )
    faces = FaceGallery(trial(speakers=4, **twice), Pooled())
    assert faces.owner.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    at = faces.position(shown.target, shown.speaker)
    assert np.allclose(faces.vectors[at], faces.embed(shown.target))
    assert faces.position(shown.training, shown.training_speaker).tolist() == [-1] * 12
    assert faces.position(shown.gallery[:1], np.array([1])).tolist() == [-1]  # her picture, but not hers


def test_a_target_outside_the_gallery_is_an_entry_too():
    shown = trial(speakers=4)
    kept = np.arange(12) % 3 > 0
    faces = FaceGallery(trial(speakers=4, gallery=shown.gallery[kept], gallery_speaker=shown.gallery_speaker[kept]), Pooled())
    assert len(faces.owner) == 12
    assert (faces.position(shown.target, shown.speaker) >= 0).all()


def test_real_pairs_are_two_faces_of_a_speaker():
    for shown in (trial(speakers=4), trial(speakers=4, seen=False)):
        faces = FaceGallery(shown, Pooled())
        asking, speaker, own, itself = faces.real_pairs()
        assert len(asking) == len(speaker)
        assert np.array_equal(faces.owner[own], speaker)
        assert (own != itself).all()
    seen = FaceGallery(trial(speakers=4), Pooled()).real_pairs()
    assert (seen[3] == -1).all()
    assert sorted(seen[2]) == list(range(12))  # every face is asked for by one training face


def test_an_only_face_pairs_with_no_other():
    shown = trial(speakers=3, seen=False)
    kept = np.array([0, 3, 6])
    shown = trial(speakers=3, seen=False, gallery=shown.gallery[kept], gallery_speaker=shown.gallery_speaker[kept])
    assert (FaceGallery(shown, Pooled()).real_pairs()[2] == -1).all()


def test_groups_are_what_the_corpus_says():
    shown = trial(speakers=4, attributes={0: {"sex": "m"}, 1: {"sex": "f"}, 2: {"sex": ""}})
    labels, names = groups(shown, np.arange(4), "sex")
    assert names == ["f", "m"]
    assert labels.tolist() == [1, 0, -1, -1]
    assert groups(shown, np.arange(2), None)[0].tolist() == [0, 0]


def test_nearness_is_greater_for_the_nearer():
    a, b = np.random.default_rng(0).normal(size=(2, 3, 5))
    for measure in ("cosine", "l1", "l2"):
        assert np.allclose(np.diag(nearness(a, b, measure)), own_nearness(a, b, measure))
    assert np.allclose(-own_nearness(a, b, "l1"), np.abs(b - a + 1e-6).sum(axis=1))


@pytest.mark.parametrize("kind", [Gallery, FaceGallery])
def test_embeddings_that_are_no_numbers_are_an_error(kind):
    class Broken(Pooled):
        label = "broken"

        def embed(self, images, face_box):
            return np.where(np.arange(len(images))[:, None] == 1, np.nan, super().embed(images, face_box))

    with pytest.raises(ValueError, match=r"pooled: 1 of 9 .*finite"):
        kind(trial(speakers=3), Broken())
