import numpy as np
import pytest

from evaluation.metrics.attributes import Attributes
from tests.evaluation.world import said, trial


def scores(metric, shown):
    return {score.metric: score for score in metric(shown)}


def test_right_faces_have_their_attributes_and_wrong_ones_those_of_others():
    metric = Attributes(["sex", "height"])
    right = scores(metric, trial())
    assert right["attribute/sex"].value == right["attribute/sex"].upper == 1
    assert right["attribute/sex"].chance == 0.5
    assert right["attribute/height"].value > 0.9
    assert right["attribute/height"].chance == 0
    assert "at random 0 +- 0.30" in right["attribute/height"].note
    wrong = scores(metric, trial(shift=3))
    assert wrong["attribute/sex"].value == 0, "three people further on is the other sex"
    heights = np.array([float(said(one)["height"]) for one in range(12)])
    assert wrong["attribute/height"].value == pytest.approx(np.corrcoef(heights, np.roll(heights, -3))[0, 1], abs=0.15)
    assert right["attribute/sex"].extractor == wrong["attribute/sex"].extractor


def test_one_face_for_everybody_is_chance():
    shown = trial()
    same = scores(
        Attributes(["sex", "height"], audible=["sex", "height"]),
        trial(generated=np.repeat(shown.generated[:1], len(shown.generated), axis=0)),
    )
    assert same["attribute/sex"].value == same["attribute/sex"].chance == 0.5
    assert same["attribute/height"].value == 0
    assert same["attributes/audible"].value == pytest.approx(0)


def test_groups_are_means_above_chance():
    found = scores(Attributes(["sex", "height"], audible=["sex"], inaudible=["height"]), trial(shift=1))
    sex, height = found["attribute/sex"], found["attribute/height"]
    assert found["attributes/audible"].value == pytest.approx((sex.value - 0.5) / 0.5)
    assert found["attributes/inaudible"].value == height.value
    assert found["attributes/inaudible"].interval == pytest.approx(height.interval)
    assert sex.note.startswith("audible; accuracy over 12 speakers, 2 classes")
    assert height.note.startswith("inaudible; r over 12 speakers")
    both = scores(Attributes(["sex", "height"], audible=["height", "sex"]), trial(shift=1))["attributes/audible"]
    assert both.value == pytest.approx((found["attributes/audible"].value + height.value) / 2)
    assert both.interval[0] < both.value < both.interval[1]


def test_a_corpus_that_does_not_say():
    for score in Attributes(["sex", "height"], audible=["sex"])(trial(attributes={})):
        assert score.skipped
        assert "the corpus says of its training speakers no two values of sex, height" in score.note
    only_sex = {one: {"sex": said(one)["sex"]} for one in range(12)}
    found = scores(Attributes(["height", "sex"]), trial(attributes=only_sex))
    assert found["attribute/height"].skipped
    assert found["attribute/sex"].value == 1


def test_speakers_nothing_is_known_of_are_left_out():
    some = {one: said(one) for one in range(12) if one != 4}
    score = scores(Attributes(), trial(attributes=some))["attribute/sex"]
    assert np.array_equal(np.isnan(score.items), trial().speaker == 4)
    assert "over 11 speakers" in score.note
    assert "3 faces of speakers of unknown sex left out" in score.note


def test_speakers_of_one_kind_cannot_be_above_chance():
    shown = {one: {"sex": "f" if one < 12 else "m"} for one in range(24)}
    training = trial(seen=False)
    mixed = dict(
        training=np.concatenate([training.training, trial().training]),
        training_speaker=np.concatenate([training.training_speaker, trial().training_speaker]),
    )
    found = scores(Attributes(audible=["sex"]), trial(attributes=shown, **mixed))
    assert found["attribute/sex"].chance == 1
    assert found["attributes/audible"].skipped


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attributes": []}, "attributes: "),
        ({"attributes": ["sex", "sex"]}, "each once"),
        ({"audible": ["age"]}, "audible: age not among attributes, sex"),
        ({"audible": ["sex"], "inaudible": ["sex"]}, "inaudible: sex named audible too"),
    ],
)
def test_bad_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        Attributes(**arguments)
