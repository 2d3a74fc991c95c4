import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan.features.complex_spectrogram import ComplexSpectrogram, compress
from tests.properties import examples


def by_definition(x: np.ndarray) -> np.ndarray:
    """(S,) -> (F, 257, 2), frame by frame in float64."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    spectra = np.array(
        [np.fft.rfft(np.append(x[160 * f : 160 * f + 400] * hann, np.zeros(112))) for f in range(1 + (len(x) - 400) // 160)]
    )
    parts = np.stack([spectra.real, spectra.imag], -1)
    return np.sign(parts) * np.abs(parts) ** 0.3


@examples(10)
@given(samples=st.integers(400, 4000), seed=st.integers(0, 99))
def test_equals_the_published_definition(samples: int, seed: int) -> None:
    signal = np.random.default_rng(seed).uniform(-1, 1, samples).astype(np.float32)
    features, _ = ComplexSpectrogram(repeat_to_seconds=0)(torch.from_numpy(signal)[None], torch.tensor([samples]))
    # Compared uncompressed: near 0 the power 0.3 makes much of rounding.
    found, expected = (
        np.sign(v) * np.abs(v) ** (1 / 0.3)
        for v in (features[0].permute(1, 2, 0).double().numpy(), by_definition(signal.astype(np.float64)))
    )
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_six_seconds_are_598_frames() -> None:
    front = ComplexSpectrogram()
    features, frames = front(torch.randn(1, 96_000) * 0.1, torch.tensor([96_000]))
    assert features.shape == (1, 2, 598, 257)
    assert frames.tolist() == [598]
    assert front.samples(598) == 95_920


def test_a_second_is_tiled_to_six() -> None:
    second = torch.randn(1, 16_000) * 0.1
    tiled, frames = ComplexSpectrogram()(second, torch.tensor([16_000]))
    assert frames.tolist() == [598]
    assert torch.equal(tiled, ComplexSpectrogram()(second.repeat(1, 6), torch.tensor([96_000]))[0])


def test_compression_by_hand() -> None:
    assert compress(torch.tensor([8.0, -8.0, 0.0]), 0.3).tolist() == pytest.approx([1.866, -1.866, 0.0], abs=5e-4)


def test_magnitude_and_angle_are_the_same_spectrum() -> None:
    waveform, num_samples = torch.randn(1, 2000) * 0.1, torch.tensor([2000])
    real, imag = ComplexSpectrogram(exponent=1.0, repeat_to_seconds=0)(waveform, num_samples)[0][0]
    magnitude, angle = ComplexSpectrogram("mag_phase", repeat_to_seconds=0)(waveform, num_samples)[0][0]
    assert torch.allclose(magnitude ** (1 / 0.3), torch.hypot(real, imag), rtol=1e-3)
    assert torch.allclose(angle.sin() * torch.hypot(real, imag), imag, atol=1e-4)
    assert angle.abs().max() <= math.pi + 1e-6


def test_level() -> None:
    """A square wave at 0.5, half of the batch row: brought to -20 dB it is one at 0.1, whatever the padding."""
    square = torch.tensor([0.5, -0.5]).repeat(400)[None]
    expected, _ = ComplexSpectrogram(repeat_to_seconds=0)(square / 5, torch.tensor([800]))
    levelled, frames = ComplexSpectrogram(repeat_to_seconds=0, rms_dbfs=-20.0)(
        torch.cat([square, torch.zeros(1, 800)], dim=1), torch.tensor([800])
    )
    assert torch.allclose(levelled[:, :, : int(frames)], expected, atol=1e-2)
    assert ComplexSpectrogram(rms_dbfs=-23.0)(torch.zeros(1, 800), torch.tensor([800]))[0].abs().max() == 0


def test_a_small_form() -> None:
    front = ComplexSpectrogram(window_ms=16.0, hop_ms=16.0, fft_size=256, repeat_to_seconds=0)
    assert front(torch.randn(1, front.samples(5)), torch.tensor([front.samples(5)]))[0].shape == (1, 2, 5, 129)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"channels": "phase"}, "channels 'phase' came"),
        ({"exponent": 0.0}, "exponent 0.0 came"),
        ({"fft_size": 256}, "fft_size 256"),
    ],
)
def test_refuses(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ComplexSpectrogram(**wrong)
