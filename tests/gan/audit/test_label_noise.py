from pathlib import Path

import pytest

from gan.audit.label_noise import check
from gan.data.corpus import Corpus
from tests.gan.audit.planted import Planted


@pytest.mark.slow
def test_a_face_under_another_name(planted: Planted, tiny: Corpus, tmp_path: Path) -> None:
    """One of somebody else in the corpus, and one of nobody in it."""
    planted.faces[2, 1] = tiny.pixels([1], 128)[0]  # another picture of s0
    planted.faces[1, 0] = tiny.pixels([50], 128)[0]
    finding = check(planted.write(tmp_path / "c"))
    assert {item.face for item in finding.items} == {planted.face_numbers[2, 1], planted.face_numbers[1, 0]}
    (swapped,) = (item for item in finding.items if item.face == planted.face_numbers[2, 1])
    assert swapped.other.startswith("nearer to s0")
    assert finding.failed


def test_everyone_under_their_own(planted: Planted, tmp_path: Path) -> None:
    finding = check(planted.write(tmp_path / "c"))
    assert finding.checked == 22
    assert not finding.items


def test_two_faces_a_speaker_cannot_be_judged(planted: Planted, tmp_path: Path) -> None:
    planted.faces = {key: face for key, face in planted.faces.items() if key[1] < 2}
    assert check(planted.write(tmp_path / "c")).skipped == "no speaker has 3 faces"
