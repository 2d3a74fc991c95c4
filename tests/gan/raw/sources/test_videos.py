"""Any folder of films; nothing outside of it is read."""

from pathlib import Path

import pytest

from gan.raw.sources.videos import Videos
from tests.gan.raw.media import listed, touch


def test_a_folder_a_speaker(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "Ada/one.mp4",
        "Ada/two.MOV",
        "Ada/two.m4a",
        "Ada/me.jpg",
        "Bo/one.mp4",
        "Bo/trip/1.mp4",
        "Bo/trip/2.mp4",
        "Bo/say.wav",
    )
    found = listed(Videos(), tmp_path)
    assert {item.key: (item.speaker, item.film, item.sound.name if item.sound else "") for item in found.items} == {
        "Ada/one.mp4": ("Ada", "Ada/one", ""),
        "Ada/two.MOV": ("Ada", "Ada/two", "two.m4a"),
        "Ada/me.jpg": ("Ada", "", ""),
        "Bo/one.mp4": ("Bo", "Bo/one", ""),
        "Bo/trip/1.mp4": ("Bo", "Bo/trip", ""),
        "Bo/trip/2.mp4": ("Bo", "Bo/trip", ""),
        "Bo/say.wav": ("Bo", "Bo/say", ""),
    }
    assert list(found.people) == ["Ada", "Bo"]


def test_one_film_of_youtube_is_one_whoevers_folder_it_lies_in(tmp_path: Path) -> None:
    touch(tmp_path, "Ada/AAAAaaaa-_1.mp4", "Bo/AAAAaaaa-_1.mp4", "Ada/interview01.mp4", "Bo/interview01.mp4")
    assert {item.film for item in listed(Videos(), tmp_path).items} == {"AAAAaaaa-_1", "Ada/interview01", "Bo/interview01"}


def test_films_of_people_whom_nobody_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "-b.mkv", "deep/er/c.webm", "x.png")
    found = listed(Videos(), tmp_path, "--speaker", "film")
    assert {(item.film, item.speaker) for item in found.items} == {("a", ""), ("-b", ""), ("deep/er/c", "")}
    assert not found.people
    with pytest.raises(ValueError, match="Without speakers: --speaker film"):
        touch(tmp_path, "flat/a.mp4")
        listed(Videos(), tmp_path / "flat")


def test_names_that_cannot_be_and_links_out_are_listed(tmp_path: Path) -> None:
    touch(tmp_path, "root/Ada/a.mp4", "root/Ada/line\nbreak.mp4", "outside/b.mp4", "root/loose.mp4", "root/.hidden/c.mp4")
    (tmp_path / "root" / "Bo").symlink_to(tmp_path / "outside")
    (tmp_path / "root" / "Ada" / "gone.mp4").symlink_to(tmp_path / "nowhere")
    (tmp_path / "root" / "Ada" / "circle").symlink_to(tmp_path / "root")
    (tmp_path / "root" / "Cy").symlink_to(tmp_path / "root" / "Ada")  # inside: followed
    found = listed(Videos(), tmp_path / "root")
    assert [item.key for item in found.items] == ["Ada/a.mp4", "Cy/a.mp4"]
    reasons = {Path(place).name: reason for place, reason in found.bad if "/Cy/" not in place}
    assert set(reasons) == {"line\\nbreak.mp4", "Bo", "gone.mp4", "circle", "loose.mp4"}
    assert "--allow-outside" in reasons["Bo"]
    assert "Bo/b.mp4" in [item.key for item in listed(Videos(), tmp_path / "root", "--allow-outside").items]


def test_a_name_that_is_no_text_is_listed(tmp_path: Path) -> None:
    touch(tmp_path, "Ada/a.mp4")
    with open(bytes(tmp_path / "Ada") + b"/\xff.mp4", "w"):
        pass
    found = listed(Videos(), tmp_path)
    assert len(found.items) == 1
    assert len(found.bad) == 1
    assert found.bad[0][0].endswith("\\udcff.mp4")


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such folder"):
        listed(Videos(), tmp_path / "none")
