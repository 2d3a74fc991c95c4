"""What every encoder must do, over every file of encoders/."""

import pytest
import torch
from torch import Tensor

from encoders.base import Encoder
from gan.build import find, names

# Small constructor arguments where the defaults are big; a component missing here is tested with its defaults.
SMALL = {"segan": dict(num_samples=4096, channels=[4, 8], hidden=[8], embedding_dim=6),
         "inception1d": dict(channels=[8, 12], embedding_dim=6)}


def built(name: str, **changes) -> tuple[Encoder, int, int]:
    """An encoder, the channels it reads, and a length it reads."""
    torch.manual_seed(0)
    channels = 1 if name == "segan" else 5
    encoder = find(Encoder, name, "encoder")(num_channels=channels, **SMALL.get(name, {}), **changes)
    return encoder, channels, encoder.input_frames or 37


def run(encoder: Encoder, features: Tensor) -> Tensor:
    return encoder(features, torch.full((len(features),), features.shape[2]))


@pytest.mark.parametrize("name", names(Encoder))
def test_shape_and_type(name: str) -> None:
    encoder, channels, frames = built(name)
    embedding = run(encoder, torch.randn(3, channels, frames))
    assert embedding.shape == (3, encoder.embedding_dim)
    assert embedding.dtype == torch.float32


@pytest.mark.parametrize("name", names(Encoder))
def test_every_parameter_learns(name: str) -> None:
    encoder, channels, frames = built(name)
    embedding = run(encoder, torch.randn(4, channels, frames))
    (embedding * torch.randn_like(embedding)).sum().backward()
    for path, parameter in encoder.named_parameters():
        assert parameter.grad is not None, path
        assert parameter.grad.abs().sum() > 0, path


@pytest.mark.parametrize("name", names(Encoder))
def test_alone_as_in_a_batch(name: str) -> None:
    encoder, channels, frames = built(name)
    encoder.eval()
    features = torch.randn(3, channels, frames)
    together = run(encoder, features)
    for item in range(3):
        assert torch.allclose(run(encoder, features[item:item + 1])[0], together[item], atol=1e-5)


@pytest.mark.parametrize("name", names(Encoder))
@pytest.mark.parametrize("own", [1, 2, 9, 16, 36])
def test_padding_changes_nothing(name: str, own: int) -> None:
    encoder, channels, frames = built(name)
    if encoder.input_frames is not None:
        pytest.skip("reads one length, unpadded")
    encoder.eval()
    features = torch.randn(1, channels, own)
    padded = torch.cat([features, torch.randn(1, channels, frames - own)], dim=2)
    assert torch.allclose(encoder(padded, torch.tensor([own])), run(encoder, features), atol=1e-5)


@pytest.mark.parametrize("name", names(Encoder))
def test_save_and_load(name: str) -> None:
    encoder, channels, frames = built(name)
    other, _, _ = built(name)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.1)
    other.load_state_dict(encoder.state_dict())
    features = torch.randn(2, channels, frames)
    assert torch.equal(run(encoder.eval(), features), run(other.eval(), features))
