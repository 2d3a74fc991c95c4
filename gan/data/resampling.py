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
