import math

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan.features.log_mel import LogMel, mel_filters
from tests.properties import examples


def by_definition(samples: np.ndarray) -> np.ndarray:
    """The published table, step by step, in float64: int16 samples (S,) -> (40, F)."""
    x = samples.astype(np.float64)
    y = np.append(x[0], x[1:] - 0.97 * x[:-1])
    frames = 1 if len(y) <= 400 else 1 + math.ceil((len(y) - 400) / 160)
    y = np.append(y, np.zeros((frames - 1) * 160 + 400 - len(y)))
    mel_points = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 42)
    edges = np.floor(513 * 700 * (10 ** (mel_points / 2595) - 1) / 16000).astype(int)
    bank = np.zeros((40, 257))
    for m in range(40):
        for k in range(edges[m], edges[m + 1]):
            bank[m, k] = (k - edges[m]) / (edges[m + 1] - edges[m])
        for k in range(edges[m + 1], edges[m + 2]):
            bank[m, k] = (edges[m + 2] - k) / (edges[m + 2] - edges[m + 1])
    out = np.empty((40, frames))
    for f in range(frames):
        power = np.abs(np.fft.rfft(y[f * 160 : f * 160 + 400], 512)) ** 2 / 512
        energy = bank @ power
        out[:, f] = np.log(np.where(energy == 0, np.finfo(np.float64).eps, energy))
    return (out - 10.9915) / 3.1661


@examples(15)
@given(samples=st.integers(1, 4000), seed=st.integers(0, 99), scale=st.sampled_from([30, 3000, 30000]))
def test_equals_the_published_definition(samples: int, seed: int, scale: int) -> None:
    signal = np.random.default_rng(seed).integers(-scale, scale, samples).astype(np.int16)
    waveform = torch.from_numpy(signal.astype(np.float32) / 32768)[None]
    features, _ = LogMel()(waveform, torch.tensor([samples]))
    np.testing.assert_allclose(features[0].numpy(), by_definition(signal), atol=2e-3)


def test_one_second_is_a_hundred_frames() -> None:
    front = LogMel()
    assert [int(front.num_frames(torch.tensor(n))) for n in (400, 401, 16_000, 20_000)] == [1, 2, 99, 124]


def test_filters_peak_at_one_and_cover_the_band() -> None:
    filters = mel_filters(40, 512, 16_000)
    assert filters.max() == 1
    assert (filters.max(axis=1) == 1).all()
    assert (filters[:, 1:256].sum(axis=0) > 0).all()


def test_legacy_padding_is_the_raw_zero_and_counts_as_valid() -> None:
    waveform = torch.randn(2, 3200) * 0.1
    waveform[1, 1000:] = 0.0
    num_samples = torch.tensor([3200, 1000])
    features, frames = LogMel()(waveform, num_samples)
    legacy, all_valid = LogMel(legacy_padding=True)(waveform, num_samples)
    assert frames.tolist() == [19, 5]
    assert all_valid.tolist() == [19, 19]
    assert torch.equal(legacy[0], features[0])
    assert torch.equal(legacy[1, :, :5], features[1, :, :5])
    assert (legacy[1, :, 5:] + 3.4716).abs().max() < 5e-5
