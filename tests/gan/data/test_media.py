"""One list of endings for sound and one for pictures, whatever their case."""

from pathlib import Path

import pytest

from gan.data import audio
from gan.data.audio import SOUND, readable, unreadable
from gan.data.media import PACKED, UNREAD_PICTURES, UNREAD_SOUND, below, counted, unread
from gan.data.pictures import PICTURES


def test_files_of_a_kind_below_a_folder(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.WAV", "a.wav", "deep/c.Opus", "._a.wav", "a.jpg", "d.m4a", "notes"):
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nowhere")
    assert [path.relative_to(tmp_path).as_posix() for path in below(tmp_path, SOUND)] == [
        "a.wav",
        "b.WAV",
        "deep/c.Opus",
        "gone.wav",
    ]
    assert counted(below(tmp_path, (*SOUND, *UNREAD_SOUND))) == "1 .m4a, 1 .opus, 3 .wav"
    assert counted([Path("notes"), Path("a.TXT"), Path("b.txt")]) == "2 .txt, 1 without ending"


def test_no_ending_is_in_two_lists() -> None:
    endings = (*SOUND, *PICTURES, *UNREAD_SOUND, *UNREAD_PICTURES)
    assert len(set(endings)) == len(endings)
    assert all(ending == ending.lower() for ending in endings)


def test_what_is_read_depends_on_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "find_spec", lambda name: None)
    assert (readable(), unreadable()) == (SOUND, UNREAD_SOUND)
    monkeypatch.setattr(audio, "find_spec", lambda name: object())
    assert (readable(), unreadable()) == ((*SOUND, *PACKED), (".ra",))


def test_why_files_are_not_read_and_what_to_do() -> None:
    paths = [Path("a.mp4"), Path("b.ra"), Path("c.M4A")]
    assert unread(paths, SOUND) == (
        '1 .m4a, 1 .mp4: not read here without PyAV. Run: pip install "voxface[media]"; '
        "1 .ra: not read here. Convert them to one of .wav .flac .mp3 .ogg .opus."
    )
