from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan.data.pictures import MARK, read_face, write_face


def test_written_faces_carry_a_mark(tmp_path: Path) -> None:
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    write_face(tmp_path / "f.png", image)
    assert np.array_equal(read_face(tmp_path / "f.png"), image)
    assert np.array_equal(read_face(tmp_path / "f.png", swap_red_blue=True), image[..., ::-1])
    with Image.open(tmp_path / "f.png") as opened:
        assert opened.text["Description"] == MARK
    assert [p.name for p in tmp_path.iterdir()] == ["f.png"]


def test_exif_orientation_is_honoured(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6                                    # a quarter turn
    Image.fromarray(np.zeros((4, 8, 3), np.uint8)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_face(tmp_path / "turned.jpg").shape == (8, 4, 3)


@pytest.mark.parametrize(("content", "said"), [(None, "no such file"), (b"", "not a readable picture"),
                                               (b"text", "not a readable picture")])
def test_bad_pictures_are_named(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=f"face.png: {said}") as error:
        read_face(path)
    assert "\n" not in str(error.value)


def test_a_bomb_is_not_opened(tmp_path: Path) -> None:
    Image.new("1", (20_000, 6_000)).save(tmp_path / "bomb.png")
    with pytest.raises(ValueError, match=r"bomb.png"):
        read_face(tmp_path / "bomb.png")
