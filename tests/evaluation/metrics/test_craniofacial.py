import numpy as np
import pytest

from evaluation.metrics import craniofacial
from evaluation.metrics.craniofacial import MEASURES, Craniofacial, measure
from tests.evaluation.world import trial


def face():
    """Points of a face whose measures are known, in a unit of 100 to the eye distance."""
    points = np.full((68, 2), 50.0)
    points[36], points[45], points[39], points[42] = (0, 0), (100, 0), (30, 0), (65, 0)
    points[27], points[33], points[31], points[35] = (50, 5), (50, 45), (40, 45), (65, 45)
    points[51], points[62], points[66], points[57] = (50, 60), (50, 66), (50, 70), (50, 80)
    points[50], points[52], points[48], points[54] = (40, 60), (65, 60), (30, 68), (78, 68)
    points[4], points[12], points[8], points[1], points[15] = (5, 80), (95, 80), (50, 110), (-10, 30), (110, 30)
    return points


EXPECTED = {
    "upper_lip_height": 0.23,
    "lateral_upper_lip": 0.15,
    "jaw_width": 0.9,
    "nose_height": 0.4,
    "nose_width": 0.25,
    "labio_oral": 0.48,
    "mandibular_index": 42 / 90,
    "intercanthal_index": 0.35,
    "nasal_index": 0.625,
    "vermilion_height_index": 6 / 16,
    "mouth_face_width_index": 0.4,
    "nose_area": 0.05,
}


@pytest.mark.parametrize("name", MEASURES)
def test_measures_of_a_known_face(name, monkeypatch):
    """However large the face lies in the picture, and in a picture that is not square."""
    size = np.array([200, 100])
    points = np.stack([face() / size, face() * 0.5 / size + 0.1])
    monkeypatch.setattr(craniofacial, "find68", lambda faces, box: (points, np.ones(2, bool)))
    found = measure(np.zeros((2, 100, 200, 3), np.uint8), trial(speakers=1))
    assert found[name] == pytest.approx(EXPECTED[name])


def people(monkeypatch, wrong=0):
    """Person p's nose is (20 + p) wide; drawn ones are those of the person `wrong` further on."""
    shown = trial(speakers=8)

    def find(faces, box):
        drawn = faces is shown.generated
        owner = shown.speaker if drawn else shown.gallery_speaker if faces is shown.gallery else shown.training_speaker
        points = np.repeat(face()[None], len(faces), axis=0)
        points[:, 31, 0] -= (owner[: len(faces)] + wrong * drawn) % 8
        return points / 200, np.ones(len(faces), bool)

    monkeypatch.setattr(craniofacial, "find68", find)
    return {score.metric: score for score in Craniofacial()(shown)}


def test_right_measures_correlate_fully(monkeypatch):
    scores = people(monkeypatch)
    for name in ("nose_width", "nasal_index", "nose_area"):
        score = scores[f"craniofacial/{name}"]
        assert score.value == pytest.approx(1)
        assert score.interval == pytest.approx((1, 1))
        assert score.upper == pytest.approx(1)
        assert score.note == "r over 8 speakers; at random 0 +- 0.38"
    assert len(scores) == 13


def test_what_is_the_same_in_all_faces_correlates_with_nothing(monkeypatch):
    score = people(monkeypatch)["craniofacial/jaw_width"]
    assert (score.value, score.upper, score.chance) == (0, 0, 0)


def test_wrong_measures(monkeypatch):
    score = people(monkeypatch, wrong=4)["craniofacial/nose_width"]
    widths = np.arange(8)
    assert score.value == pytest.approx(np.corrcoef(widths, (widths + 4) % 8)[0, 1])


def test_the_mean(monkeypatch):
    scores = list(people(monkeypatch, wrong=1).values())
    assert scores[-1].metric == "craniofacial/mean"
    assert scores[-1].value == pytest.approx(np.mean([score.value for score in scores[:-1]]))


def test_too_few_speakers_are_skipped():
    for score in Craniofacial()(trial(speakers=2)):
        assert score.skipped
        assert "3 speakers or more are needed, came 2" in score.note


def test_lips_of_no_height_have_no_index():
    points = face()
    points[[51, 62, 66, 57]] = 60
    assert np.isnan(MEASURES["vermilion_height_index"](points[None])).all()
