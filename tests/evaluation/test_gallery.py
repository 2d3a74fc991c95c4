import numpy as np

from evaluation.gallery import Gallery, spare_faces
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
