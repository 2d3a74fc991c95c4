from pathlib import Path

import numpy as np
import pytest

from gan.audit.undetected import check
from tests.gan.audit.planted import Planted


@pytest.mark.slow
def test_noise_and_a_blank_picture_are_no_faces(planted: Planted, tmp_path: Path) -> None:
    planted.faces[0, 0] = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    planted.faces[4, 2] = np.full((128, 128, 3), 90, np.uint8)
    finding = check(planted.write(tmp_path / "c"))
    assert [item.face for item in finding.items] == [planted.face_numbers[0, 0], planted.face_numbers[4, 2]]
    assert [note.partition(" ")[0] for note in finding.notes] == ["dlib", "MTCNN"]
    assert finding.failed
