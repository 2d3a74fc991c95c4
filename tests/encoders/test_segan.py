import pytest
import torch

from encoders.segan import Segan


@pytest.mark.parametrize(("samples", "lengths"), [(16_000, [4000, 1000, 250, 63, 16, 4]), (4_800, [1200, 300, 75, 19, 5, 1])])
def test_published_lengths(samples: int, lengths: list[int]) -> None:
    seen: list[int] = []
    encoder = Segan(num_samples=samples, channels=[2] * 6)
    for norm in encoder.norms:
        norm.register_forward_hook(lambda _m, _i, output: seen.append(output.shape[2]))
    encoder(torch.randn(2, 1, samples), torch.tensor([samples] * 2))
    assert seen == lengths


@pytest.mark.parametrize(
    ("seconds", "parameters"), [(0.3, 10_708_992), (0.7, 11_233_280), (1, 11_495_424), (2, 12_544_000), (4, 14_641_152)]
)
def test_published_parameters(seconds: float, parameters: int) -> None:
    with torch.device("meta"):
        encoder = Segan(num_samples=round(seconds * 16_000))
    assert sum(p.numel() for p in encoder.parameters()) == parameters


@pytest.mark.parametrize(
    ("seconds", "width"), [(0.3, 1024), (0.5, 2048), (0.7, 3072), (1, 4096), (1.5, 6144), (2, 8192), (3, 12288), (4, 16384)]
)
def test_the_length_rule_not_a_table(seconds: float, width: int) -> None:
    with torch.device("meta"):
        encoder = Segan(num_samples=round(seconds * 16_000))
    assert encoder.linears[0].in_features == width


@pytest.mark.parametrize("seconds", [0.3, 0.7, 1, 1.5, 2, 3, 4])
def test_every_length_is_read(seconds: float) -> None:
    samples = round(seconds * 16_000)
    encoder = Segan(num_samples=samples, channels=[2, 2, 2, 2, 2, 3], hidden=[4], embedding_dim=5)
    assert encoder(torch.randn(2, 1, samples), torch.tensor([samples] * 2)).shape == (2, 5)


@pytest.mark.parametrize("samples", range(16_370, 16_400, 7))
def test_a_length_that_divides_by_nothing(samples: int) -> None:
    encoder = Segan(num_samples=samples, channels=[2] * 6, hidden=[4], embedding_dim=5)
    assert encoder(torch.randn(2, 1, samples), torch.tensor([samples] * 2)).shape == (2, 5)


def test_too_short_for_its_blocks() -> None:
    with pytest.raises(ValueError, match=r"num_samples 100 .*6 blocks"):
        Segan(num_samples=100)


def test_another_length_is_an_error_that_says_what_to_set() -> None:
    with pytest.raises(ValueError, match=r"15999 .*16000.*encoder.num_samples"):
        Segan(channels=[2] * 6)(torch.zeros(1, 1, 15_999), torch.tensor([15_999]))
