"""What every decoder must do, over every file of decoders/."""

import pytest
import torch

from decoders.base import Decoder
from gan.build import find, names
from gan.data.faces import PIXEL_SPACES

SMALL = {
    "cole": dict(image_size=16, width=32, trunk=[12], landmark_hidden=[10], warp={}),
    "deconv": dict(image_size=16, width=4),
    "upsample": dict(image_sizes=[8, 16], width=16),
}


def built(name: str) -> Decoder:
    torch.manual_seed(0)
    return find(Decoder, name, "decoder")(embedding_dim=6, **SMALL.get(name, {}))


@pytest.mark.parametrize("name", names(Decoder))
def test_shapes_type_and_space(name: str) -> None:
    decoder = built(name)
    faces = decoder(torch.randn(3, 6))
    assert tuple(faces) == decoder.image_sizes == tuple(sorted(decoder.image_sizes))
    for size, face in faces.items():
        assert face.shape == (3, 3, size, size)
        assert face.dtype == torch.float32
    assert decoder.pixel_space in PIXEL_SPACES


@pytest.mark.parametrize("name", names(Decoder))
def test_every_parameter_learns(name: str) -> None:
    decoder = built(name)
    faces = decoder(torch.randn(8, 6))
    torch.stack([(face * torch.randn_like(face)).sum() for face in faces.values()]).sum().backward()
    for path, parameter in decoder.named_parameters():
        assert parameter.grad is not None, path
        assert parameter.grad.abs().sum() > 0, path


@pytest.mark.parametrize("name", names(Decoder))
def test_save_and_load(name: str) -> None:
    decoder, other = built(name), built(name)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(0.1)
    other.load_state_dict(decoder.state_dict())
    drawn = []
    for one in (decoder.eval(), other.eval()):
        torch.manual_seed(1)
        drawn.append(one(torch.ones(2, 6)))
    assert all(torch.equal(drawn[0][size], drawn[1][size]) for size in decoder.image_sizes)


@pytest.mark.parametrize("name", names(Decoder))
def test_evaluation_draws_a_single_item(name: str) -> None:
    decoder = built(name).eval()
    before = {k: v.clone() for k, v in decoder.state_dict().items()}
    assert decoder(torch.randn(1, 6))[decoder.image_sizes[-1]].isfinite().all()
    assert all(torch.equal(v, before[k]) for k, v in decoder.state_dict().items()), "evaluation changed a buffer"
