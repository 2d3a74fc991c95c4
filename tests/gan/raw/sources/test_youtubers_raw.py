"""Presenters' films: nobody becomes somebody else, and no film gets another's sound."""

import unicodedata
from pathlib import Path

import pytest

from gan.raw.sources.youtubers_raw import YoutubersRaw
from tests.gan.raw.media import listed, touch, write

LIST = 'Name, Gender, Channel-URL\nZoë Ambrún,F,u1\n"Bo (B!rd) & Co",M,u2\n'


def pairs(root: Path, videos: list[str], audios: list[str]) -> tuple[dict[str, str], list[str], list[str]]:
    """Film -> its sound, what was listed as wrong, and notes."""
    touch(root, *(f"media/Ada/video/{name}" for name in videos), *(f"media/Ada/audio/{name}" for name in audios))
    found = listed(YoutubersRaw(), write(root / "list.csv", "Name,Gender\nAda,f\n"), "--media", root / "media")
    return (
        {item.media.name: item.sound.name if item.sound else "" for item in found.items},
        [Path(place).name for place, _ in found.bad],
        found.notes,
    )


def test_names_in_every_spelling(tmp_path: Path) -> None:
    for folder in (unicodedata.normalize("NFD", "Zoë_Ambrún"), "Bo Brd  Co", "Nobody"):
        touch(tmp_path, f"media/{folder}/video/a.mp4", f"media/{folder}/audio/a.m4a")
    found = listed(YoutubersRaw(), write(tmp_path / "list.csv", LIST), "--media", tmp_path / "media")
    assert found.people == {"Zoë Ambrún": {"sex": "f"}, "Bo (B!rd) & Co": {"sex": "m"}}
    assert [item.film for item in found.items] == ["Bo (B!rd) & Co/a", "Zoë Ambrún/a"]
    assert found.bad == [("Nobody", "a folder of nobody on the list")]


def test_two_people_never_share_a_folder(tmp_path: Path) -> None:
    touch(tmp_path, "media/Brd/video/a.mp4", "media/Ada/video/a.mp4")
    found = listed(
        YoutubersRaw(), write(tmp_path / "list.csv", "Name,Gender\nB(rd),m\nB[rd],f\nAda,f\n"), "--media", tmp_path / "media"
    )
    assert list(found.people) == ["Ada"]
    assert any("cannot be told apart" in reason for _, reason in found.bad)


def test_pairs_by_name_by_id_and_by_number(tmp_path: Path) -> None:
    videos = ["one.mp4", "Talk [AAAAaaaa-_1].mp4", "video_3.mp4", "video_2.mp4"]
    audios = ["one.m4a", "Sound [AAAAaaaa-_1].m4a", "audio_02.m4a", "audio_03.m4a"]
    found, bad, notes = pairs(tmp_path, videos, audios)
    assert found == {
        "one.mp4": "one.m4a",
        "Talk [AAAAaaaa-_1].mp4": "Sound [AAAAaaaa-_1].m4a",
        "video_3.mp4": "audio_03.m4a",
        "video_2.mp4": "audio_02.m4a",
    }
    assert not bad
    assert not notes


def test_a_failed_download_shifts_nothing(tmp_path: Path) -> None:
    found, bad, _ = pairs(tmp_path, ["a.mp4", "b.mp4", "c.mp4"], ["a.m4a", "c.m4a"])
    assert found == {"a.mp4": "a.m4a", "c.mp4": "c.m4a"}
    assert bad == ["b.mp4"]


def test_by_position_only_where_nothing_contradicts(tmp_path: Path) -> None:
    found, bad, notes = pairs(tmp_path / "1", ["first.mp4", "second.mp4"], ["p.m4a", "q.m4a"])
    assert found == {"first.mp4": "p.m4a", "second.mp4": "q.m4a"}
    assert not bad
    assert "by position" in notes[0]
    found, bad, _ = pairs(tmp_path / "2", ["a1.mp4", "a2.mp4"], ["b2.m4a", "b3.m4a"])
    assert found == {"a2.mp4": "b2.m4a"}
    assert bad == ["a1.mp4", "b3.m4a"]
    found, bad, _ = pairs(tmp_path / "3", ["a.mp4", "b.mp4"], ["x.m4a", "y.m4a", "z.m4a"])
    assert not found
    assert len(bad) == 5


def test_a_film_without_a_folder_of_sound_is_heard_itself(tmp_path: Path) -> None:
    assert pairs(tmp_path, ["a.mp4"], [])[0] == {"a.mp4": ""}


def test_what_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "media/Somebody/video/a.mp4", "flat/a.mp4")
    with pytest.raises(ValueError, match="no folder is named after a person"):
        listed(YoutubersRaw(), write(tmp_path / "list.csv", LIST), "--media", tmp_path / "media")
    with pytest.raises(ValueError, match="no folder is laid out as"):
        listed(YoutubersRaw(), tmp_path / "list.csv", "--media", tmp_path / "flat")
    with pytest.raises(ValueError, match=r"has no column Name. Found: A, B"):
        listed(YoutubersRaw(), write(tmp_path / "list.csv", "A,B\nx,y\n"), "--media", tmp_path / "media")
