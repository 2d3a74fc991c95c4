import pytest
import torch

from encoders.segan import Segan


@pytest.mark.parametrize(("samples", "lengths"), [(16_000, [4000, 1000, 250, 63, 16, 4])])
def test_published_lengths(samples: int, lengths: list[int]) -> None:
    seen: list[int] = []
    encoder = Segan(num_samples=samples, channels=[2] * 6)
    for norm in encoder.norms:
        norm.register_forward_hook(lambda _m, _i, output: seen.append(output.shape[2]))
    encoder(torch.randn(2, 1, samples), torch.tensor([samples] * 2))
    assert seen == lengths


@pytest.mark.parametrize(("seconds", "width"), [(0.5, 2048), (1.5, 6144), (3, 12288)])
def test_the_length_rule_not_a_table(seconds: float, width: int) -> None:
    assert Segan(num_samples=round(seconds * 16000)).linears[0].in_features == width


def test_another_length_is_an_error_that_says_what_to_set() -> None:
    with pytest.raises(ValueError, match=r"15999 samples came, segan reads 16000.*encoder.num_samples"):
        Segan()(torch.zeros(1, 1, 15_999), torch.tensor([15_999]))
