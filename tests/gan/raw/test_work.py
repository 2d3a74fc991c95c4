"""The folder of work, however soon a kill comes."""

from pathlib import Path

import pytest

from gan.raw import work
from gan.raw.item import Item, Listing
from gan.raw.profile import Profile
from gan.raw.work import Work

FILES = ("work.json", "items.jsonl", "people.json", "profile.yaml")


@pytest.mark.parametrize("file", FILES)
def test_killed_while_it_is_made_it_is_taken_up_again(tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = Listing([Item("a", Path("a.wav"), "a", "id1")], {"id1": {}})
    write = work.write_atomically

    def killed(path: Path, content: bytes) -> None:
        if path.name == file:
            path.with_name(f".{path.name}.77.tmp").write_bytes(content[:5])
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(work, "write_atomically", killed)
    with pytest.raises(KeyboardInterrupt):
        Work.make(tmp_path / "w", "voxceleb", listing, Profile(), {})
    monkeypatch.undo()
    made = Work.make(tmp_path / "w", "voxceleb", listing, Profile(), {})
    assert made.listing() == listing
    assert sorted(path.name for path in made.path.iterdir()) == sorted(FILES)
