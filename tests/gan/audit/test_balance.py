from pathlib import Path

import numpy as np

from gan.audit.balance import check
from tests.gan.audit.planted import Planted


def test_equal_shares(planted: Planted, tmp_path: Path) -> None:
    finding = check(planted.write(tmp_path / "c"))
    assert not finding.items
    assert finding.checked == 6
    assert finding.notes[0] == "train: 4 speakers, 16 s of sound (4.0 to 4.0 each, median 4.0), 8 faces."


def test_one_who_says_too_much_and_one_too_little(planted: Planted, tmp_path: Path) -> None:
    planted.clips[1, 0] = np.tile(planted.clips[1, 0], 11)
    planted.clips[2, 0], planted.clips[2, 1] = planted.clips[2, 0][:5_000], planted.clips[2, 1][:5_000]
    finding = check(planted.write(tmp_path / "c"))
    assert [(item.speaker, item.split, item.value) for item in finding.items] == [("s2", "train", 0.625), ("s1", "train", 24.0)]
    assert finding.failed


def test_sound_without_faces_and_faces_without_sound(planted: Planted, tmp_path: Path) -> None:
    del planted.faces[0, 3]
    for recording in range(3):
        del planted.clips[5, recording]
    finding = check(planted.write(tmp_path / "c"))
    assert {(item.speaker, item.split, item.other) for item in finding.items} == {
        ("s0", "unseen_speech", "has no face here"),
        ("s5", "unseen_speaker", "has no sound here"),
    }
