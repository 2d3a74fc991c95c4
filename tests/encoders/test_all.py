"""What every encoder must do, over every file of encoders/."""

from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from encoders.base import Encoder
from gan.build import find, names
from tests.properties import examples

# Small constructor arguments where the defaults are big; a component missing here is tested with its defaults.
SMALL = {
    "segan": dict(num_samples=4096, channels=[4, 8], hidden=[8], embedding_dim=6),
    "cnn1d": dict(channels=[8, 12], embedding_dim=6),
    "inception1d": dict(channels=[8, 12], embedding_dim=6),
    "spectrogram2d": dict(channels=[4] * 9, hidden=16, embedding_dim=6, bins=35),
    "transformer": dict(convolutions=[8, 12], embedding_dim=12, num_heads=2, feed_forward=16),
}
# Features that are not (B, 5, F): the channels of a waveform and of a spectrogram, and its bins.
CHANNELS = {"segan": 1, "spectrogram2d": 2}
BINS: dict[str, tuple[int, ...]] = {"spectrogram2d": (35,)}
SPARE = 100  # frames beyond the fewest


def built(name: str) -> tuple[Encoder, int]:
    """An encoder and a length it reads. Its batch norms fit the features drawn here: else the signal dies on its way through a
    deep one, and it tells no input from another.
    """
    torch.manual_seed(0)
    encoder = find(Encoder, name, "encoder")(num_channels=CHANNELS.get(name, 5), **SMALL.get(name, {}))
    frames = encoder.input_frames or encoder.min_frames + SPARE
    for norm in encoder.modules():
        if hasattr(norm, "running_mean"):
            norm.momentum = 1.0
    with torch.no_grad():
        run(encoder.train(), drawn(name, 4, frames))
    return encoder, frames


def drawn(name: str, items: int, frames: int) -> Tensor:
    """Features as that encoder reads them."""
    return torch.randn(items, CHANNELS.get(name, 5), frames, *BINS.get(name, ()))


def run(encoder: Encoder, features: Tensor) -> Tensor:
    return encoder(features, torch.full((len(features),), features.shape[2]))


@pytest.mark.parametrize("name", names(Encoder))
def test_shape_and_type(name: str) -> None:
    encoder, frames = built(name)
    embedding = run(encoder, drawn(name, 3, frames))
    assert embedding.shape == (3, encoder.embedding_dim)
    assert embedding.dtype == torch.float32


@pytest.mark.parametrize("name", names(Encoder))
def test_every_parameter_learns(name: str) -> None:
    encoder, frames = built(name)
    embedding = run(encoder, drawn(name, 4, frames))
    if embedding.requires_grad:
        (embedding * torch.randn_like(embedding)).sum().backward()
    for path, parameter in encoder.named_parameters():
        assert parameter.grad is not None, path
        assert parameter.grad.abs().sum() > 0, path


@pytest.mark.parametrize("name", names(Encoder))
def test_alone_as_in_a_batch(name: str) -> None:
    encoder, frames = built(name)
    encoder.eval()
    features = drawn(name, 3, frames)
    together = run(encoder, features)
    for item in range(3):
        assert torch.allclose(run(encoder, features[item : item + 1])[0], together[item], atol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=1e-3)


@pytest.mark.parametrize("name", names(Encoder))
@pytest.mark.parametrize("beyond", [0, 1, 2, 3, 8, 15, 35, 63, 64, 99])
def test_padding_changes_nothing(name: str, beyond: int) -> None:
    encoder, frames = built(name)
    if encoder.input_frames is not None:
        pytest.skip("reads one length, unpadded")
    encoder.eval()
    own = encoder.min_frames + beyond
    features, longer = drawn(name, 1, own), drawn(name, 1, frames)
    padded = torch.cat([features, 10.0 * drawn(name, 1, frames - own)], dim=2)
    together = encoder(torch.cat([longer, padded]), torch.tensor([frames, own]))
    assert torch.allclose(together[0], run(encoder, longer)[0], atol=1e-5)
    assert torch.allclose(together[1], run(encoder, features)[0], atol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=1e-3)


@cache
def of_any_length(name: str) -> Encoder:
    return built(name)[0].eval()


@pytest.mark.parametrize("name", [name for name in names(Encoder) if built(name)[0].input_frames is None])
@examples(20)
@given(beyond=st.integers(0, 2 * SPARE), padding=st.integers(0, SPARE), seed=st.integers(0, 9))
def test_any_length_and_any_padding(name: str, beyond: int, padding: int, seed: int) -> None:
    """A batch as long as its longest item, the other one shorter by whatever."""
    torch.manual_seed(seed)
    encoder = of_any_length(name)
    frames = encoder.min_frames + beyond
    features, longer = drawn(name, 1, frames), drawn(name, 1, frames + padding)
    alone = run(encoder, features)
    padded = torch.cat([features, 10.0 * drawn(name, 1, padding)], dim=2)
    together = encoder(torch.cat([padded, longer]), torch.tensor([frames, frames + padding]))
    assert alone.shape == (1, encoder.embedding_dim)
    assert together.isfinite().all()
    assert torch.allclose(together[0], alone[0], atol=1e-5)
    assert torch.allclose(together[1], run(encoder, longer)[0], atol=1e-5)


@pytest.mark.parametrize("name", names(Encoder))
def test_the_fewest_frames(name: str) -> None:
    encoder, _ = built(name)
    fewest = encoder.input_frames or encoder.min_frames
    assert run(encoder.eval(), drawn(name, 2, fewest)).isfinite().all()


@pytest.mark.parametrize("name", names(Encoder))
def test_save_and_load(name: str) -> None:
    encoder, frames = built(name)
    other, _ = built(name)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.1)
    other.load_state_dict(encoder.state_dict())
    features = drawn(name, 2, frames)
    assert torch.equal(run(encoder.eval(), features), run(other.eval(), features))
