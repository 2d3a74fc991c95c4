import os
from pathlib import Path

import numpy as np
import pytest

from evaluation.real_faces import sets
from evaluation.real_faces.sets import by_content, feature_sets, fit, fit_once, root_of
from tests.evaluation.world import Pooled, trial


def test_real_faces_stand_against_real_faces_as_many_as_were_drawn():
    sets = feature_sets(trial(speakers=6, runs=2), Pooled())
    assert [len(part) for part in (sets.drawn, sets.real, sets.other, sets.reference)] == [12, 18, 12, 18]
    assert sets.note == "N = 12 generated, 18 real; real faces: 12 against 18 others"
    speakers = np.repeat(np.arange(6), 3)
    faces = trial(speakers=6).training
    expected = {Pooled()(faces[speakers == one][:2], (0, 0, 1, 1)).tobytes() for one in range(6)}
    found = {np.concatenate([sets.other[one], sets.other[one + 6]]).tobytes() for one in range(6)}
    assert found == expected  # each speaker's first two faces


def test_unseen_speakers_gallery_is_halved():
    sets = feature_sets(trial(speakers=6, runs=3, seen=False), Pooled())
    assert [len(part) for part in (sets.other, sets.reference)] == [9, 9]
    together = np.concatenate([sets.other, sets.reference])
    assert np.array_equal(together[by_content(together)], sets.real[by_content(sets.real)])
    assert len(feature_sets(trial(speakers=6, runs=1, seen=False), Pooled()).other) == 6


def test_a_face_of_the_gallery_never_stands_against_itself():
    shown = trial(speakers=4)
    shown = trial(
        speakers=4,
        training=np.concatenate([shown.gallery, shown.training]),
        training_speaker=np.concatenate([shown.gallery_speaker, shown.training_speaker]),
    )
    sets = feature_sets(shown, Pooled())
    assert len(sets.other) == 12
    assert not {row.tobytes() for row in sets.other} & {row.tobytes() for row in sets.real}


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_features_that_are_no_numbers_are_an_error(wrong):
    class Broken(Pooled):
        label = f"broken {wrong}"

        def embed(self, images, face_box):
            features = super().embed(images, face_box)
            features[images[:, 0, 0, 0] > 100] = wrong
            return features

    with pytest.raises(ValueError, match=r"generated: pooled .*\d+ of 36") as caught:
        feature_sets(trial(), Broken())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("faces", "dim"), [(50, 6), (5, 8), (8, 8)])
def test_a_fitted_law_has_the_faces_mean_and_covariance(faces, dim):
    features = np.random.default_rng(0).normal(2, 3, (faces, dim)).astype(np.float32)
    law = fit(features)
    assert np.allclose(law.mean, features.mean(axis=0), atol=1e-5)
    assert np.allclose(law.root.T @ law.root, np.cov(features, rowvar=False), atol=1e-4)


def test_root_of_singular_covariances():
    ones = np.ones((3, 3))
    for covariance in (ones, np.zeros((3, 3)), np.diag([4.0, 0, 1])):
        root = root_of(covariance)
        assert np.allclose(root.T @ root, covariance)
        assert len(root) == np.linalg.matrix_rank(covariance)


@pytest.fixture
def fits(monkeypatch, tmp_path):
    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path))
    calls = []
    monkeypatch.setattr(sets, "fit", lambda features: calls.append(len(features)) or fit(features))
    return calls


def test_reference_statistics_are_kept_by_content(fits, tmp_path):
    features = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    first, again, moved = fit_once(features, "net"), fit_once(features, "net"), fit_once(features[::-1], "net")
    assert fits == [20]
    for law in (again, moved):
        assert np.array_equal(law.mean, first.mean)
        assert np.array_equal(law.root, first.root)
    fit_once(features + 1, "net")
    fit_once(features, "another net")
    assert fits == [20, 20, 20]
    for path in tmp_path.glob("reference/*.npz"):
        os.truncate(path, 40)
    assert np.array_equal(fit_once(features, "net").root, first.root)
    assert len(fits) == 4
    assert Path(tmp_path, "reference").is_dir()


def test_one_pass_of_the_net_serves_every_metric(monkeypatch, tmp_path):
    from evaluation.metrics.frechet import Frechet
    from evaluation.metrics.frechet_infinity import FrechetInfinity
    from evaluation.metrics.inception_score import InceptionScore
    from evaluation.metrics.kid import KernelDistance
    from evaluation.metrics.prdc import NearestNeighbours

    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path))
    seen = []

    class Counting(Pooled):
        def embed(self, images, face_box):
            seen.append(len(images))
            return super().embed(images, face_box)

    shown = trial()
    for metric in (Frechet, KernelDistance, InceptionScore, NearestNeighbours, FrechetInfinity):
        metric(Counting())(shown)
    assert sum(seen) == len(shown.generated) + len(shown.gallery) + len(shown.training)
