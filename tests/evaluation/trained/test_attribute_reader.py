import numpy as np
import pytest

from evaluation.trained import attribute_reader
from evaluation.trained.attribute_reader import AttributeReader, Head, number, read_head
from gan.data.corpus import Corpus
from tests.evaluation.world import BOX, person

SPEAKERS = np.repeat(np.arange(10), 3)


@pytest.fixture(scope="module")
def faces():
    """Persons as light as their number says: twice 10 levels brighter each."""
    return (
        np.stack([np.full((32, 32, 3), 20 + 20 * one, np.uint8) for one in SPEAKERS])
        + np.arange(30, dtype=np.uint8)[:, None, None, None] % 3
    )


@pytest.fixture(scope="module")
def said():
    light = [f"{one / 2:.1f}" for one in SPEAKERS]
    return {"light": light, "kind": ["dark" if one < 5 else "bright" for one in SPEAKERS]}


@pytest.mark.slow
def test_numbers_and_classes_of_new_people(faces, said):
    reader = AttributeReader(faces, SPEAKERS, said, BOX)
    new = np.full((2, 32, 32, 3), 0, np.uint8) + np.array([51, 171], np.uint8)[:, None, None, None]
    found = reader(new)
    assert found["light"] == pytest.approx([0.75, 3.75], abs=0.25)
    assert [reader.heads[1].classes[int(one)] for one in found["kind"]] == ["dark", "bright"]
    assert all(len(values) == 0 for values in reader(new[:0]).values())


def test_what_is_not_said_is_left_out(faces, said):
    """The lightness of one person is unknown, that of another nonsense; the sex of a third."""
    holes = {name: list(texts) for name, texts in said.items()}
    holes["light"][6:9] = [""] * 3
    holes["kind"][12:15] = [""] * 3
    reader = AttributeReader(faces, SPEAKERS, holes, BOX)
    assert reader(faces)["light"] == pytest.approx(SPEAKERS / 2, abs=0.4)


def test_the_same_content_the_same_reader(faces, said):
    first = AttributeReader(faces, SPEAKERS, said, BOX)
    order = np.random.default_rng(0).permutation(30)
    assert AttributeReader(faces, SPEAKERS, said, BOX).label == first.label
    other = AttributeReader(faces, SPEAKERS, {"light": said["light"]}, BOX)
    assert other.label != first.label
    assert other(faces)["light"] == pytest.approx(first(faces)["light"])
    moved = AttributeReader(faces[order], SPEAKERS[order], {"light": [said["light"][at] for at in order]}, BOX)
    assert moved(faces)["light"] == pytest.approx(first(faces)["light"], abs=1e-6)


def test_more_faces_than_are_used(faces, said, monkeypatch):
    monkeypatch.setattr(attribute_reader, "MOST", 11)
    reader = AttributeReader(faces, SPEAKERS, said, BOX)
    assert "fitted to 10 real faces" in reader.label, "every third: one of each person"
    assert reader(faces)["light"] == pytest.approx(SPEAKERS / 2, abs=0.4)


@pytest.mark.parametrize(
    ("said", "classes"),
    [
        (["1", "2.5", "-3e1", ""], ()),
        (["0.0", "1.0", "0.0"], ("0.0", "1.0")),
        (["f", "m", "", "f"], ("f", "m")),
        (["1", "2", "three"], ("1", "2", "three")),
        (["1", "2", "nan"], ("1", "2", "nan")),
    ],
)
def test_three_numbers_make_a_number(said, classes):
    assert read_head("it", said) == Head("it", classes)


def test_one_value_is_none():
    with pytest.raises(ValueError, match="it: 1 value"):
        read_head("it", ["f", "", "f"])


def test_targets_that_are_not_known():
    assert np.isnan(Head("kind", ("a", "b")).targets(["c", ""])).all()
    assert Head("kind", ("a", "b")).targets(["b", "a"]).tolist() == [1, 0]
    assert np.isnan(Head("light", ()).targets(["", "x", "inf"])).all()
    assert number("1e3") == 1000


def test_what_does_not_fit_is_refused(faces, said):
    with pytest.raises(ValueError, match="a text for each of 29 faces"):
        AttributeReader(faces[1:], SPEAKERS[1:], said, BOX)
    with pytest.raises(ValueError, match="one face at least"):
        AttributeReader(faces[:0], SPEAKERS[:0], {"light": []}, BOX)
    with pytest.raises(ValueError, match="faces: float64"):
        AttributeReader(person(0, 1) / 255, SPEAKERS[:1], {"light": ["1"]}, BOX)


@pytest.mark.slow
def test_toy_people(tiny: Corpus):
    """Twelve training speakers are enough for sex and skin."""
    train, new = (tiny.in_split(tiny.faces, split) for split in ("train", "unseen_speaker"))
    owner, owner_new = (tiny.faces["speaker"][one].astype(int) for one in (train, new))
    said = {name: [str(tiny.speakers[one][name]) for one in owner] for name in ("sex", "skin_tone")}
    reader = AttributeReader(tiny.pixels(train, 64), owner, said, tiny.face_box)
    found = reader(tiny.pixels(new, 64))
    true = np.array([float(tiny.speakers[one]["skin_tone"]) for one in owner_new])
    assert np.corrcoef(found["skin_tone"], true)[0, 1] > 0.8
    sex = np.array([reader.heads[0].classes.index(tiny.speakers[one]["sex"]) for one in owner_new])
    assert (found["sex"] == sex).mean() > 0.6
