import pytest
import torch

from gan.features.raw import Raw


def test_by_hand() -> None:
    features, frames = Raw()(torch.tensor([[0.1, -0.2, 0.05, 0.0]]), torch.tensor([4]))
    expected = [0.5, -1.0 - 0.95 * 0.5, 0.25 + 0.95, 0.0 - 0.95 * 0.25]
    assert features[0, 0].tolist() == pytest.approx(expected)
    assert frames.tolist() == [4]


def test_legacy_sign_is_two_levels_before_pre_emphasis() -> None:
    features, _ = Raw(pre_emphasis=0.0, legacy_sign=True)(torch.tensor([[0.1, -0.2, 0.2, 0.0, -0.01]]), torch.tensor([5]))
    assert features[0, 0].tolist() == [0.0, -1.0, 1.0, 0.0, -1.0]


def test_silence_stays_silence() -> None:
    assert Raw()(torch.zeros(1, 9), torch.tensor([9]))[0].abs().max() == 0
