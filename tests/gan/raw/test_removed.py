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


def test_who_is_known_by_a_face_in_one_film_goes_with_the_film(tmp_path: Path) -> None:
    items = [
        Item("talk/a", Path("a.mp4"), "talk"),
        Item("chat/a", Path("b.mp4"), "chat"),
        Item("id1/1", Path("c.mp4"), "x", "id1"),
    ]
    found = removed_from(Listing(items, {"id1": {}}), write(tmp_path / "removed.txt", "talk/2\nx/1\n"))
    assert [item.key for item in found.items] == ["chat/a", "id1/1"]
    assert "talk/2 is known by a face in one film: that film goes whole." in found.notes[0]
    assert "match nothing here: x/1" in found.notes[-1]


def test_what_could_not_be_listed_does_not_name_them(tmp_path: Path) -> None:
    before = listing()
    before.bad = [("faces/Zoë_Ambrún/1.png", "empty"), ("b.wav", "lies beside id1's"), ("id11", "no file"), ("c.wav", "empty")]
    before.notes = ["id9 and id3 are one", "id3 is named twice"]
    found = removed_from(before, write(tmp_path / "removed.txt", "id1\n"))
    assert found.bad == [("id11", "no file"), ("c.wav", "empty")]
    assert found.notes[0] == "id3 is named twice"
