import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from evaluation.faces import check_face_box, check_faces, crop_and_resize
from tests.properties import examples

edges = st.floats(0, 0.45)


@examples(25)
@given(edges, edges, edges, edges, st.integers(5, 70), st.integers(8, 64))
def test_crop_equals_pillow(left, top, right, bottom, size, length):
    image = np.random.default_rng(size).integers(0, 256, (length, length + 3, 3), dtype=np.uint8)
    box = (left, top, 1 - right, 1 - bottom)
    pixels = (box[0] * (length + 3), box[1] * length, box[2] * (length + 3), box[3] * length)
    expected = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR, box=pixels))
    found = crop_and_resize(torch.from_numpy(image).movedim(-1, 0)[None].float(), box, size)[0].movedim(0, -1)
    assert np.abs(found.numpy() - expected).max() <= 1.01  # Pillow rounds after each direction


def test_whole_box_at_own_size_is_the_picture():
    image = torch.rand(2, 3, 9, 9)
    assert torch.allclose(crop_and_resize(image, (0, 0, 1, 1), 9), image)


def test_crop_is_differentiable():
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    crop_and_resize(image, (0.25, 0.25, 0.75, 0.75), 8).sum().backward()
    assert image.grad[0, :, 8, 8].abs().min() > 0
    assert image.grad[0, :, 0, 0].abs().max() == 0


@pytest.mark.parametrize("box", [(0.5, 0, 0.5, 1), (0, 0, 1.1, 1), (-0.1, 0, 1, 1), (0, 0.9, 1, 0.1)])
def test_bad_box(box):
    with pytest.raises(ValueError, match="face_box"):
        check_face_box(box)


@pytest.mark.parametrize(("shape", "kind"), [((2, 3, 8, 8), "uint8"), ((2, 8, 8, 3), "float32"), ((8, 8, 3), "uint8")])
def test_bad_faces(shape, kind):
    with pytest.raises(ValueError, match=r"gallery: .* uint8 \(N, H, W, 3\)"):
        check_faces(np.zeros(shape, kind), "gallery")
