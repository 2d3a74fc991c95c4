from pathlib import Path

from gan.audit.shared_recordings import check
from tests.gan.audit.planted import Planted


def test_equal_names_of_different_people_are_no_leak(planted: Planted, tmp_path: Path) -> None:
    finding = check(planted.write(tmp_path / "c"))
    assert finding.checked == 4 * 4 + 2 * 3
    assert not finding.items


def test_a_recording_in_two_splits(planted: Planted, tmp_path: Path) -> None:
    planted.names[2, 3] = "talk0"
    (item,) = check(planted.write(tmp_path / "c")).items
    assert (item.split, item.speaker, item.recording, item.other) == (
        "unseen_speech",
        "s2",
        "talk0",
        "the same recording in train",
    )


def test_a_recording_stored_twice_in_one_split_is_none(planted: Planted, tmp_path: Path) -> None:
    planted.names[2, 1] = "talk0"
    assert not check(planted.write(tmp_path / "c")).items


def test_a_person_under_one_name_in_two_splits(planted: Planted, tmp_path: Path) -> None:
    planted.speakers[5] = (" S1 ", "unseen_speaker")
    planted.names |= {(5, recording): f"other{recording}" for recording in range(3)}
    (item,) = check(planted.write(tmp_path / "c")).items
    assert (item.split, item.other) == ("unseen_speaker", "a speaker of that name in train")
    assert check(planted.write(tmp_path / "again")).failed


def test_a_clip_whose_face_is_of_another_split(planted: Planted, tmp_path: Path) -> None:
    corpus = planted.write(tmp_path / "c")
    clip = planted.clip_numbers[1, 2]
    corpus.clips = corpus.clips.copy()
    corpus.clips["face"][clip] = planted.face_numbers[1, 0]
    (item,) = check(corpus).items
    assert (item.clip, item.split, item.other) == (clip, "val_speech", "its face is in train")


def test_a_film_in_two_splits_whoever_speaks_in_it(planted: Planted, tmp_path: Path) -> None:
    planted.films = {(0, 0): "f1", (0, 1): "f1", (4, 1): "f1", (1, 2): "f2", (1, 3): "f3"}
    (item,) = check(planted.write(tmp_path / "c")).items
    assert (item.split, item.speaker, item.recording, item.other) == (
        "val_speaker",
        "s4",
        "talk1",
        "the same film f1 in train, of s0",
    )


def test_equal_names_in_different_films_are_no_leak(planted: Planted, tmp_path: Path) -> None:
    planted.names[2, 3] = "talk0"
    planted.films = {(2, 0): "f1", (2, 3): "f2"}
    assert not check(planted.write(tmp_path / "c")).items
