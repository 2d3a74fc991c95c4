"""Sound from one sample rate to another: scipy's polyphase filter, whose cost stays small at odd pairs of rates too."""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import resample_poly

from gan.data.corpus import SAMPLE_RATE_HZ


def resample(waveform: np.ndarray, rate_hz: int, sample_rate_hz: int = SAMPLE_RATE_HZ) -> np.ndarray:
    """(..., S) from one rate to another; unchanged where they are the same."""
    if rate_hz == sample_rate_hz:
        return waveform
    common = math.gcd(rate_hz, sample_rate_hz)
    return resample_poly(waveform, sample_rate_hz // common, rate_hz // common, axis=-1).astype(waveform.dtype)


class Resampler:
    """resample, piece by piece: what it gives, joined, is resample of the joined pieces. One channel, (S,)."""

    def __init__(self, rate_hz: int, sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
        common = math.gcd(rate_hz, sample_rate_hz)
        self._rate_hz, self._sample_rate_hz = rate_hz, sample_rate_hz
        self._up, self._down = sample_rate_hz // common, rate_hz // common
        # How far resample_poly's filter reaches to each side; a multiple of _down, so that samples stay where they are.
        reach = -(-10 * max(self._up, self._down) // self._up) + 1
        self._margin = 0 if rate_hz == sample_rate_hz else self._down * -(-reach // self._down)
        self._held = np.zeros(0, np.float32)
        self._given = 0  # samples at the head of _held whose results were given; they are kept as context

    def __call__(self, waveform: np.ndarray, last: bool = False) -> np.ndarray:
        """The next piece -> what is certain so far; with last: all that is left."""
        held = np.concatenate([self._held, waveform]) if len(self._held) else waveform
        certain = len(held) if last else max(self._given, (len(held) - self._margin) // self._down * self._down)
        done = resample(held, self._rate_hz, self._sample_rate_hz)
        end = len(done) if last else certain * self._up // self._down
        given = done[self._given * self._up // self._down : end]
        kept = max(0, certain - self._margin)
        self._held, self._given = held[kept:], certain - kept
        return given
