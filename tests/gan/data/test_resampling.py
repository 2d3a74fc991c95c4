"""Resampling piece by piece equals resampling at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gan.data.resampling import Resampler, resample
from tests.properties import examples


@examples(30)
@given(
    rate_hz=st.sampled_from([8_000, 16_000, 22_050, 44_100, 48_000]),
    sizes=st.lists(st.integers(0, 3_000), min_size=1, max_size=6),
)
def test_pieces_joined_are_the_whole(rate_hz, sizes):
    waveform = np.random.default_rng(0).normal(size=sum(sizes)).astype(np.float32)
    resampler = Resampler(rate_hz)
    pieces = np.split(waveform, np.cumsum(sizes)[:-1])
    joined = np.concatenate([resampler(piece, number == len(pieces)) for number, piece in enumerate(pieces, 1)])
    whole = resample(waveform, rate_hz) if len(waveform) else waveform
    assert joined.shape == whole.shape
    assert np.allclose(joined, whole, atol=1e-5)
