import numpy as np
import pytest

from evaluation.metrics.diversity import Diversity
from tests.evaluation.world import BOX, Pooled, person, trial


def distance(a, b):
    a, b = (Pooled().embed(one[None], BOX)[0].astype(float) for one in (a, b))
    return 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def scores(shown):
    return {score.metric.split("/")[1]: score for score in Diversity(Pooled())(shown)}


def test_asks_for_a_second_face():
    assert Diversity.needs_again
    found = scores(trial(speakers=3))
    assert set(found) == {"within", "between", "ratio"}


def test_spreads_by_hand():
    again = np.concatenate([person(one, 2, seed=8) for one in range(3)]).reshape(3, 2, 32, 32, 3).swapaxes(0, 1)
    shown = trial(speakers=3, runs=2, again=again.reshape(-1, 32, 32, 3))
    found = scores(shown)
    within = [distance(a, b) for a, b in zip(shown.generated, shown.again, strict=True)]
    between = [
        np.mean([distance(face, other) for other, whose in zip(shown.generated, shown.speaker, strict=True) if whose != speaker])
        for face, speaker in zip(shown.generated, shown.speaker, strict=True)
    ]
    assert found["within"].items == pytest.approx(within, abs=1e-6)
    assert found["between"].items == pytest.approx(between, abs=1e-6)
    assert found["ratio"].value == pytest.approx(np.mean(within) / np.mean(between), abs=1e-6)
    real = [distance(a, b) for p in range(3) for a, b in [shown.gallery[3 * p + np.array(at)] for at in ([0, 1], [0, 2], [1, 2])]]
    assert found["within"].upper == pytest.approx(np.mean(real), abs=1e-6)
    assert found["ratio"].upper == pytest.approx(found["within"].upper / found["between"].upper)


def test_a_model_without_noise_says_so():
    shown = trial(speakers=4)
    found = scores(trial(speakers=4, again=shown.generated))
    assert found["within"].value == found["ratio"].value == 0
    assert found["ratio"].interval == (0, 0)
    assert "a model without noise" in found["within"].note
    assert "a model without noise" not in scores(shown)["within"].note


def test_voices_that_decide_nothing():
    """Faces of anybody, whoever speaks: ratio 1."""
    drawn, again = (np.stack([person(first + one, 1)[0] for one in range(60)]) for first in (100, 200))
    found = scores(trial(speakers=12, runs=5, generated=drawn, again=again))
    assert found["ratio"].value == pytest.approx(1, abs=0.15)


def test_a_collapsed_model():
    one = np.repeat(person(3, 1), 12, axis=0)
    found = scores(trial(speakers=4, generated=one, again=one))
    assert found["between"].value == pytest.approx(0, abs=1e-9)
    assert found["ratio"].skipped
    assert "all voices give the same face" in found["ratio"].note


def test_without_a_second_face_or_a_second_voice():
    assert all("no second face" in score.note for score in scores(trial(speakers=3, again=None)).values())
    found = scores(trial(speakers=1))
    assert not found["within"].skipped
    assert "one speaker" in found["between"].note
    assert found["ratio"].skipped
