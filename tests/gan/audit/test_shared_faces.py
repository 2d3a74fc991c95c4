import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan.audit.shared_faces import check
from gan.data.pictures import resize
from tests.gan.audit.planted import Planted


def compressed(face: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(face).save(file, format="JPEG", quality=60)
    return np.asarray(Image.open(file))


DAMAGE = {
    "none": lambda face: face,
    "JPEG": compressed,
    "smaller, and large again": lambda face: resize(resize(face, 90), 128),
    "noise": lambda face: np.clip(face + np.random.default_rng(0).normal(0, 5, face.shape), 0, 255).astype(np.uint8),
    "darker": lambda face: (face * 0.8).astype(np.uint8),
    "mirrored": lambda face: face[:, ::-1],
}


def test_pictures_of_one_person_are_not_one_picture(planted: Planted, tmp_path: Path) -> None:
    leaks, doubles = check(planted.write(tmp_path / "c"))
    assert leaks.checked == doubles.checked == 22
    assert not leaks.items
    assert not doubles.items


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_picture_of_another_split(damage: str, planted: Planted, tmp_path: Path) -> None:
    planted.faces[3, 3] = DAMAGE[damage](planted.faces[3, 0])
    leaks, doubles = check(planted.write(tmp_path / "c"))
    (item,) = leaks.items
    assert (item.face, item.other_face) == (planted.face_numbers[3, 3], planted.face_numbers[3, 0])
    assert (item.split, item.other) == ("unseen_speech", f"train face {item.other_face} (s3, talk0)")
    assert item.value <= 2.5
    assert leaks.failed
    assert not doubles.items


def test_one_picture_of_two_people_in_one_split(planted: Planted, tmp_path: Path) -> None:
    planted.faces[1, 1] = compressed(planted.faces[0, 0])
    leaks, doubles = check(planted.write(tmp_path / "c"))
    assert not leaks.items
    assert [(item.face, item.speaker, item.other_face) for item in doubles.items] == [
        (planted.face_numbers[1, 1], "s1", planted.face_numbers[0, 0])
    ]


def test_twice_in_one_split_of_one_person_is_nothing(planted: Planted, tmp_path: Path) -> None:
    planted.faces[1, 1] = planted.faces[1, 0]
    leaks, doubles = check(planted.write(tmp_path / "c"))
    assert not leaks.items
    assert not doubles.items


def test_pale_and_blank_pictures_are_not_taken_for_others(planted: Planted, tmp_path: Path) -> None:
    planted.faces[0, 0] = np.full((128, 128, 3), 90, np.uint8)
    planted.faces[1, 3] = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    for key in ((2, 0), (3, 3)):
        planted.faces[key] = (100 + planted.faces[key] * 0.05).astype(np.uint8)
    leaks, doubles = check(planted.write(tmp_path / "c"))
    assert not leaks.items
    assert not doubles.items
