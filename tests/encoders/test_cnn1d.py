import pytest
import torch

from encoders.cnn1d import Cnn1d


def shapes(bands: int, embedding_dim: int) -> list[tuple[int, ...]]:
    """The published table, in its order: each convolution, then scale and shift of its norm; the last with a bias."""
    table: list[tuple[int, ...]] = []
    for width, channels in ((256, bands), (384, 256), (576, 384), (864, 576)):
        table += [(width, channels, 3), (width,), (width,)]
    return [*table, (embedding_dim, 864, 3), (embedding_dim,)]


@pytest.mark.parametrize(("bands", "embedding_dim", "parameters"), [(40, 512, 3_813_952), (64, 64, 2_670_720)])
def test_published_tensors(bands: int, embedding_dim: int, parameters: int) -> None:
    with torch.device("meta"):
        encoder = Cnn1d(bands, embedding_dim)
    assert [tuple(p.shape) for p in encoder.parameters()] == shapes(bands, embedding_dim)
    assert sum(p.numel() for p in encoder.parameters()) == parameters


@pytest.mark.parametrize(("frames", "last"), [(100, 4), (125, 4), (150, 5), (300, 10), (800, 25)])
def test_published_map_lengths(frames: int, last: int) -> None:
    encoder, seen = Cnn1d(3, 4, channels=[4] * 4), []
    encoder.last.register_forward_hook(lambda _m, _i, output: seen.append(output.shape[2]))
    encoder(torch.randn(2, 3, frames), torch.tensor([frames, frames]))
    assert seen == [last]


def test_the_plain_mean_or_a_unit_vector() -> None:
    plain, seen = Cnn1d(3, 5, channels=[4], normalise=False), []
    plain.last.register_forward_hook(lambda _m, _i, output: seen.append(output.mean(2)))
    features, num_frames = torch.randn(6, 3, 20), torch.full((6,), 20)
    embedding = plain(features, num_frames)
    assert torch.allclose(embedding, seen[0], atol=1e-6)
    unit = Cnn1d(3, 5, channels=[4])
    unit.load_state_dict(plain.state_dict())
    assert torch.allclose(unit.train()(features, num_frames), embedding / embedding.norm(dim=1, keepdim=True), atol=1e-5)
