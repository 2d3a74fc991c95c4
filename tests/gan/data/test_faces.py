import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gan.data.faces import PIXEL_SPACES, to_pixel_space, to_uint8
from tests.properties import examples


@examples(30)
@given(
    images=arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.just(3))),
    space=st.sampled_from(sorted(PIXEL_SPACES)),
)
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
