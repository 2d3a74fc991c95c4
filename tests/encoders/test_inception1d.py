import pytest
import torch

from encoders.inception1d import Inception1d


@pytest.mark.parametrize(("frames", "last"), [(100, 4), (125, 4), (128, 4), (150, 5), (300, 10), (500, 16)])
def test_published_map_lengths(frames: int, last: int) -> None:
    encoder, seen = Inception1d(3, channels=[4] * 4, embedding_dim=4), []
    encoder.last.register_forward_hook(lambda _m, _i, output: seen.append(output.shape[2]))
    encoder(torch.randn(2, 3, frames), torch.tensor([frames, frames]))
    assert seen == [last]


def test_embeddings_are_of_unit_length() -> None:
    embedding = Inception1d(3, channels=[4], embedding_dim=5)(torch.randn(6, 3, 20), torch.full((6,), 20))
    assert torch.allclose(embedding.norm(dim=1), torch.ones(6), atol=1e-5)


def test_published_tensors() -> None:
    with torch.device("meta"):
        encoder = Inception1d(40)
    table: list[tuple[int, ...]] = []
    for width, channels in ((64, 40), (96, 256), (144, 384), (216, 576)):
        for kernel in (2, 3, 5, 7):
            table += [(width, channels, kernel), (width,), (width,)]
    assert [tuple(p.shape) for p in encoder.parameters()] == [*table, (512, 864, 3), (512,)]
    assert sum(p.numel() for p in encoder.parameters()) == 4_848_192


def test_channels_that_four_branches_cannot_share() -> None:
    with pytest.raises(ValueError, match=r"channels \[6\] .*multiples of 4"):
        Inception1d(3, channels=[6])
