"""A published division as our splits: what it shares across its parts is counted, and left out."""

from pathlib import Path

import pytest

from gan.raw.item import Item, Listing
from gan.raw.published import divide, published


def items(*places: tuple[str, str], part: str = "dev") -> list[Item]:
    return [Item(f"{person}/{film}/1", Path(f"{film}.wav"), film, person, part=part) for person, film in places]


# Invented; rows 7 to 10 of a table: train, test, validation, train.
PEOPLE = {
    "id1": {"full_name": "Zoe Ambrun", "row": "7"},
    "id2": {"full_name": "Abel Quill", "row": "8"},
    "id3": {"full_name": "Moll Farrow", "row": "9"},
    "id4": {"full_name": "Zoe Ambrunn", "row": "10"},
}
FILMS = (("id1", "a"), ("id1", "b"), ("id2", "b"), ("id2", "c"), ("id3", "d"), ("id4", "e"))


def test_by_row() -> None:
    division = divide("sf2f", Listing(items(*FILMS), PEOPLE), PEOPLE, [])
    assert division.splits == {"id1": "train", "id2": "unseen_speaker", "id3": "val_speaker", "id4": "train"}
    assert (division.shared.films, division.shared.of) == (["b"], 5)
    assert "shares 1 of 5 films (20.0%) across its parts, and 0 people" in str(division.shared)
    assert not division.left_out  # the film is left out later, with those who are on the training side of it


def test_people_who_may_be_one_stay_on_the_side_that_is_held_out() -> None:
    division = divide("sf2f", Listing(items(*FILMS), PEOPLE), PEOPLE, [("id1", "id2"), ("id1", "id4")])
    assert division.splits == {"id2": "unseen_speaker", "id3": "val_speaker", "id4": "train"}
    ((who, kind, reason),) = division.left_out
    assert (who, kind) == ("id1", "person of two splits")
    assert "id1, id2" in reason
    assert division.shared.people == [("id1", "id2")]


def test_by_letter_and_by_part() -> None:
    listing = Listing(items(*FILMS), PEOPLE)
    assert divide("voice2face", listing, PEOPLE, []).splits["id2"] == "unseen_speaker"
    assert published("voice2face", listing)["id3"] == "train"
    both = Listing([*items(("id1", "a"), ("id2", "b")), *items(("id2", "c"), ("id3", "d"), part="test")], PEOPLE)
    division = divide("voxceleb", both, ["id1", "id2", "id3"], [])
    assert division.splits == {"id1": "train", "id2": "unseen_speaker", "id3": "unseen_speaker"}
    assert division.shared.people == [("id2",)]  # two ids, one of each part


def test_whom_a_division_does_not_name_is_left_out() -> None:
    people = PEOPLE | {"id5": {"full_name": "Nobody's row"}}
    division = divide("sf2f", Listing(items(*FILMS, ("id5", "f")), people), people, [])
    assert "id5" not in division.splits
    assert division.left_out == [("id5", "person of no part", "sf2f's division does not say where they belong")]


def test_a_source_without_names_has_no_division() -> None:
    with pytest.raises(ValueError, match=r"splits\.published: sf2f goes by rows of a table, which this source does not give"):
        published("sf2f", Listing(items(("", "a"))))
