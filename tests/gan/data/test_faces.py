from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from gan.data.faces import MARK, PIXEL_SPACES, read_face, to_pixel_space, to_uint8, write_face


@settings(max_examples=30, deadline=None)
@given(images=arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.just(3))),
       space=st.sampled_from(sorted(PIXEL_SPACES)))
def test_there_and_back_loses_nothing(images: np.ndarray, space: str) -> None:
    assert np.array_equal(to_uint8(to_pixel_space(torch.from_numpy(images), space), space), images)


def test_spaces_by_hand() -> None:
    image = torch.tensor([0, 255, 51], dtype=torch.uint8).view(1, 1, 3)
    assert torch.allclose(to_pixel_space(image, "unit").flatten(), torch.tensor([-1.0, 1.0, -0.6]), atol=1e-6)
    by_hand = torch.tensor([(0 - 0.485) / 0.229, (1 - 0.456) / 0.224, (0.2 - 0.406) / 0.225])
    assert torch.allclose(to_pixel_space(image, "imagenet").flatten(), by_hand, atol=1e-6)


def test_unknown_space() -> None:
    with pytest.raises(ValueError, match=r"pixel_space: cmyk.*unit, imagenet"):
        to_pixel_space(torch.zeros(1, 1, 3, dtype=torch.uint8), "cmyk")


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
