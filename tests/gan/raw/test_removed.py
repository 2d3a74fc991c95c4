"""Whoever must not be used is found under every name, and what was not found is said."""

from pathlib import Path

import pytest

from gan.raw.item import Item, Listing
from gan.raw.removed import read_removed, removed_from
from tests.gan.raw.media import write

PEOPLE = {
    "id1": {"full_name": "Zoë_Ambrún", "also": "id9; Zoe_Marl"},
    "id2": {"full_name": "Otto_Quill,_Jr."},
    "id3": {"full_name": "Bo_Tarn"},
    "id4": {},
}


def listing() -> Listing:
    items = [Item(f"{who}/{film}/1", Path("a.wav"), film, who) for who in PEOPLE for film in (f"film-{who}", "both")]
    return Listing(sorted(items, key=lambda item: item.key), PEOPLE, [("id1", "id3"), ("id2", "id3", "id4")])


def left(tmp_path: Path, text: str) -> set[str]:
    return {item.key for item in removed_from(listing(), write(tmp_path / "removed.txt", text)).items}


def test_by_name_id_other_id_film_and_key(tmp_path: Path) -> None:
    everything = {item.key for item in listing().items}

    def gone(text: str) -> set[str]:
        return everything - left(tmp_path, text)

    for entry in (
        "zoe ambrun",
        "ID1",
        "id9",
        "Zoe Marl",
        "# asked in May\n  Zoë Ambrún  # by letter\n\n",
        "name,why\nid1,asked\n",
    ):
        assert gone(entry) == {"id1/film-id1/1", "id1/both/1"}, entry
    assert gone("Otto Quill Jr") == gone("Otto_Quill,_Jr.") == gone('"Otto_Quill,_Jr.",asked') == {"id2/film-id2/1", "id2/both/1"}
    assert gone("both") == {f"{who}/both/1" for who in PEOPLE}
    assert gone("id4/both/1") == {"id4/both/1"}


def test_what_matched_nothing_and_who_may_be_the_same_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "removed.txt", "\ufeffid3\nNobody Known\nfilm-id1\n")
    found = removed_from(listing(), path)
    assert found.same == [("id2", "id4")]
    assert "id3" not in found.people
    assert found.notes[0] == f"{path}: 2 entries removed 1 people, 1 films, 0 recordings."
    assert found.notes[1] == f"{path}: 1 entries match nothing here: Nobody Known."
    assert "id1: may be a person on" in found.notes[2]


@pytest.mark.parametrize(("text", "said"), [("# nobody\n", "names nobody"), ("", "names nobody"), ("a\0b\n", "line 1.*NUL")])
def test_a_list_that_cannot_be_followed_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_removed(write(tmp_path / "removed.txt", text))
    with pytest.raises(ValueError, match="no such file"):
        read_removed(tmp_path / "none")
