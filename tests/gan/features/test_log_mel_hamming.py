"""Against the published steps written out in NumPy and float64, frame by frame."""

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from gan.features.log_mel_hamming import LogMelHamming, mel_filters
from tests.properties import examples


def bank_by_definition() -> np.ndarray:
    mel = np.linspace(2595 * np.log10(1 + 20 / 700), 2595 * np.log10(1 + 7200 / 700), 66)
    edges = [int(np.floor(700 * (10 ** (m / 2595) - 1) / 15.625 + 0.5)) for m in mel]
    bank = np.zeros((64, 513))
    for m in range(64):
        left, centre, right = edges[m : m + 3]
        peak = 2 / ((right - left) * 15.625)
        for k in range(left, centre + 1):
            bank[m, k] = peak * (k - left) / (centre - left)
        for k in range(centre, right + 1):
            bank[m, k] = peak * (right - k) / (right - centre)
    return bank


def by_definition(x: np.ndarray, legacy: bool, full_frames: int) -> np.ndarray:
    """int16 samples (S,) -> (64, F)."""
    x = x.astype(np.float64)
    hamming = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 399)
    rows, state = [], 0.0
    for i in range(int(len(x) / 160 + 1)):
        start = round(160 * i)
        own = x[start : start + 400]
        frame = np.array([own[j % len(own)] for j in range(400)]) if len(own) else np.zeros(400)
        before = state if legacy else (x[start - 1] if start else 0.0)
        emphasised = frame - 0.97 * np.append(before, frame[:-1])
        state = frame[-1]
        rows.append(np.log(np.maximum(bank_by_definition() @ np.abs(np.fft.rfft(emphasised * hamming, 1024)) ** 2, 1e-5)))
    mel = np.array(rows)
    mel = (mel - mel.mean(0)) / (mel.std(0) + np.finfo(np.float32).eps)
    while len(mel) < full_frames:
        mel = np.concatenate([mel, mel[: len(rows)]])[: max(full_frames, len(rows))]
    return mel.T


@examples(15)
@given(samples=st.integers(161, 4000), seed=st.integers(0, 99), scale=st.sampled_from([300, 3000, 30000]), legacy=st.booleans())
@example(samples=1600, seed=0, scale=3000, legacy=False)  # an empty last frame
@example(samples=1600, seed=0, scale=3000, legacy=True)
@example(samples=1601, seed=0, scale=3000, legacy=True)  # one with a single sample
def test_equals_the_published_definition(samples: int, seed: int, scale: int, legacy: bool) -> None:
    signal = np.random.default_rng(seed).integers(-scale, scale, samples).astype(np.int16)
    waveform = torch.from_numpy(signal.astype(np.float32) / 32768)[None]
    front = LogMelHamming(repeat_to_seconds=0.1, legacy_pre_emphasis=legacy)
    features, frames = front(waveform, torch.tensor([samples]))
    assert int(frames) == max(10, samples // 160 + 1)
    np.testing.assert_allclose(features[0].numpy(), by_definition(signal, legacy, 10), atol=3e-3)


def test_ten_seconds_are_a_thousand_frames() -> None:
    front = LogMelHamming()
    waveform = torch.randn(3, 163_200) * 0.1
    lengths = torch.tensor([16_000, 159_999, 163_200])
    waveform[torch.arange(163_200) >= lengths[:, None]] = 0.0
    features, frames = front(waveform, lengths)
    assert frames.tolist() == [1000, 1000, 1021]
    assert torch.equal(features[0, :, :101], features[0, :, 101:202])
    assert features[0, :, 1000:].abs().max() == 0
    assert LogMelHamming(repeat_to_seconds=None)(waveform[:1, :16_000], lengths[:1])[1].tolist() == [101]


def test_each_band_is_standard_over_the_own_frames() -> None:
    waveform = torch.randn(2, 8000) * 0.1
    waveform[1, 4000:] = 0.0
    features, frames = LogMelHamming(repeat_to_seconds=0)(waveform, torch.tensor([8000, 4000]))
    for item, own in zip(features, frames, strict=True):
        assert item[:, :own].mean(1).abs().max() < 1e-5
        assert (item[:, :own].std(1, correction=0) - 1).abs().max() < 1e-4


def test_a_constant_band_is_zero() -> None:
    assert LogMelHamming()(torch.zeros(1, 5000), torch.tensor([5000]))[0].abs().max() == 0


def test_filters() -> None:
    filters = mel_filters(64, 1024, 20, 7200, 16_000)
    np.testing.assert_allclose(filters, bank_by_definition(), atol=1e-15)
    used = np.flatnonzero(filters.sum(0))
    assert used.min() == 2  # between the edges at bins 1 and 461
    assert used.max() == 460
    np.testing.assert_allclose(filters.sum(1), 0.064, rtol=1e-9)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_mels": 400}, "num_mels 400 leaves some of them no bin"),
        ({"high_hz": 9000.0}, "low_hz 20.0, high_hz 9000.0 came"),
        ({"low_hz": 7200.0}, "low_hz < high_hz"),
        ({"floor": 0.0}, "floor 0.0 came"),
        ({"window_ms": 100.0}, "window_ms 100.0 is 1600"),
    ],
)
def test_refuses(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LogMelHamming(**wrong)
