"""What every feature front end must do, over every file of gan/features/."""

import pytest
import torch

from gan.build import build, names
from gan.features.base import Features


def built(name: str) -> Features:
    return build(Features, {"name": name}, "features", sample_rate_hz=16_000)


@pytest.mark.parametrize("name", names(Features))
@pytest.mark.parametrize("samples", [1, 399, 400, 401, 3200])
def test_shape_and_lengths(name: str, samples: int) -> None:
    features, num_frames = built(name)(torch.randn(2, samples).clamp(-1, 1), torch.tensor([samples, samples]))
    assert features.shape == (2, built(name).num_channels, int(num_frames[0]))
    assert features.isfinite().all()


@pytest.mark.parametrize("name", names(Features))
def test_silence_is_finite(name: str) -> None:
    features, _ = built(name)(torch.zeros(1, 1600), torch.tensor([1600]))
    assert features.isfinite().all()


@pytest.mark.parametrize("name", names(Features))
@pytest.mark.parametrize("own", [250, 400, 2000, 2881])
def test_padding_changes_no_valid_frame(name: str, own: int) -> None:
    front = built(name)
    waveform = torch.randn(1, own).clamp(-1, 1)
    alone, frames = front(waveform, torch.tensor([own]))
    padded, same = front(torch.cat([waveform, torch.zeros(1, 1700)], dim=1), torch.tensor([own]))
    assert torch.equal(frames, same)
    assert torch.allclose(padded[:, :, :int(frames)], alone, atol=1e-4)


@pytest.mark.parametrize("name", names(Features))
def test_samples_is_the_inverse_of_frames(name: str) -> None:
    front = built(name)
    for frames in (1, 2, 7, 100):
        assert int(front(torch.zeros(1, front.samples(frames)), torch.tensor([front.samples(frames)]))[1]) == frames
