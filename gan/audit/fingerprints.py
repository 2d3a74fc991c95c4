"""Which clips hold the same sound, though its level, noise or coding differ? Found by fingerprint, then proved by alignment.

Fingerprints sit where the sound itself says: at the peaks of its energy, so that a clip cut elsewhere has them at the same
moments. Each is a hash (gan/audit/hashes.py) of the log-mel picture of the quarter of a second round the peak, without its mean:
level does not matter. 64 bits of it are searched for, 64 finer ones compared.

Two clips with near fingerprints are then aligned: round the two peaks the cross-spectrum is brought to magnitude one everywhere
(phase transform: Knapp and Carter, The generalized correlation method for estimation of time delay, IEEE TASSP 1976), and a
common origin shows as a single spike. Two utterances of one word by one voice, two stretches of one room's noise and two tones of
one pitch show none. What is not found: sound played faster or slower, or shared for less than REACH_SAMPLES on either side of a
peak; the exact search (gan/data/prepare/shared_audio.py) goes down to 32 ms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import signal
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from evaluation.progress import Progress
from gan.audit.hashes import BITS, differing_bits, hashed, low_frequencies, near_pairs
from gan.data.corpus import SAMPLE_RATE_HZ

LOWEST_HZ, HIGHEST_HZ = 200.0, 3800.0  # what telephones and low-rate codecs leave
STEP = 16  # samples, 1 ms: how finely peaks of energy are placed
SMOOTHING, PEAK_REACH = 10, 50  # steps
FRAMES, HOP, WINDOW, BANDS = 16, 256, 512, 24
REACH_SAMPLES = (FRAMES - 1) * HOP // 2 + WINDOW // 2
# Of the picture's mean energy: what is fainter is left to noise.
FLOOR = 0.01
LEARNT_FROM = 500  # clips the medians are taken from
DISTANCE, FINE_DISTANCE = 12, 16  # bits of 64 in which two fingerprints may differ: the coarse ones, the fine ones
ALIGNED = 4096  # samples round the peaks that are aligned
LARGEST_SLIP = 128  # samples the two peaks may lie apart
PROOF = 0.42  # height of the spike: 1 for a copy, 0.39 at most in 220,000 near, unrelated pairs
SECOND = 0.6  # a spike beside it as high as this share of it is a repeating pattern
CHECKED_AT_ONCE = 512
# Of a clip; else a jingle that a thousand clips begin with would be a million matches.
MOST_PARTNERS = 8

_BAND = signal.butter(4, [LOWEST_HZ, HIGHEST_HZ], "bandpass", fs=SAMPLE_RATE_HZ, output="sos")


@dataclass(frozen=True)
class Match:
    """Clips a and b share sound: b's sample 0 lies at a's sample `shift`. spike: 0 to 1. seconds: how long, about."""

    a: int
    b: int
    shift: int
    spike: float
    seconds: float


def matches(waveforms: Sequence[np.ndarray], group: np.ndarray) -> list[Match]:
    """The best match of every two clips of different groups that share sound.

    waveforms: int16 (S,) each. group: int (N,), one a clip. 100 bytes are kept for a second of sound. A clip that has
    MOST_PARTNERS in groups of smaller number is not looked at further.
    """
    spread = np.unique(np.linspace(0, len(waveforms) - 1, min(LEARNT_FROM, len(waveforms))).astype(np.int64))
    learnt = np.concatenate([np.zeros((1, 2 * BITS), np.float32), *(_frequencies(waveforms[clip])[1] for clip in spread)])
    thresholds = np.median(learnt[1:] if len(learnt) > 1 else learnt, axis=0)
    clips, peaks, hashes = [], [], []
    for clip, waveform in enumerate(Progress(waveforms, "Fingerprinting", unit="clip", leave=False)):
        at, frequencies = _frequencies(waveform)
        clips.append(np.full(len(at), clip, np.int32))
        peaks.append(at.astype(np.int32))
        hashes.append(hashed(frequencies, thresholds))
    owner, peak = np.concatenate([*clips, np.zeros(0, np.int32)]), np.concatenate([*peaks, np.zeros(0, np.int32)])
    coarse, fine = np.concatenate([*hashes, np.zeros((2, 0), np.uint64)], axis=1)
    best: dict[tuple[int, int], tuple[float, int]] = {}
    partners = np.zeros(len(waveforms), np.int64)
    for a, b in near_pairs(coarse, group[owner], DISTANCE, progress="Comparing sound"):
        alike = differing_bits(fine[a], fine[b]) <= FINE_DISTANCE
        a, b = a[alike], b[alike]
        pairs = np.stack([np.minimum(a, b), np.maximum(a, b)])
        for start in range(0, pairs.shape[1], CHECKED_AT_ONCE):
            chosen = pairs[:, start : start + CHECKED_AT_ONCE]
            first_clip, second_clip = owner[chosen]
            later = np.where(group[first_clip] > group[second_clip], first_clip, second_clip)
            chosen = chosen[:, partners[later] < MOST_PARTNERS]
            if not chosen.size:
                continue
            first, second = ([(waveforms[owner[row]], int(peak[row])) for row in rows] for rows in chosen)
            spikes, slips = _spikes(first, second)
            for (i, j), spike, slip in zip(chosen.T, spikes.tolist(), slips.tolist(), strict=True):
                pair = int(owner[i]), int(owner[j])
                held_out = max(pair, key=lambda clip: group[clip])
                if spike > best.get(pair, (PROOF, 0))[0] and (pair in best or partners[held_out] < MOST_PARTNERS):
                    partners[held_out] += pair not in best
                    best[pair] = spike, int(peak[i]) - int(peak[j]) + slip
    return [
        Match(a, b, shift, spike, _seconds(waveforms[a], waveforms[b], shift)) for (a, b), (spike, shift) in sorted(best.items())
    ]


def _frequencies(waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Peaks (P,) in samples, and the float32 (P, 128) frequencies of the sound round them."""
    at, parts = _peaks(waveform), [np.zeros((0, 2 * BITS), np.float32)]
    for start in range(0, len(at), CHECKED_AT_ONCE):
        middles = at[start : start + CHECKED_AT_ONCE, None, None]
        samples = middles - REACH_SAMPLES + np.arange(FRAMES)[:, None] * HOP + np.arange(WINDOW)
        energy = np.square(np.abs(np.fft.rfft(waveform[samples] * _HANN))) @ _MEL
        pictures = np.log(energy + FLOOR * energy.mean(axis=(1, 2), keepdims=True) + 1e-9)
        parts.append(low_frequencies(pictures, 2 * BITS))
    return at, np.concatenate(parts)


def _peaks(waveform: np.ndarray) -> np.ndarray:
    """Samples (P,) where the sound is loudest among PEAK_REACH steps on either side, and has REACH_SAMPLES on either side."""
    steps = len(waveform) // STEP
    if steps * STEP < 2 * REACH_SAMPLES:
        return np.zeros(0, np.int64)
    heard = signal.sosfilt(_BAND, waveform[: steps * STEP].astype(np.float32))
    energy = gaussian_filter1d(np.square(heard).reshape(steps, STEP).sum(axis=1), SMOOTHING)
    # Above a hundredth of one quantisation step: a filter rings on, for ever more faintly, into digital silence.
    at = np.flatnonzero((energy == maximum_filter1d(energy, 2 * PEAK_REACH + 1)) & (energy > STEP * 1e-4)) * STEP
    return at[(at >= REACH_SAMPLES) & (at + REACH_SAMPLES <= len(waveform))]


def _spikes(first: list[tuple[np.ndarray, int]], second: list[tuple[np.ndarray, int]]) -> tuple[np.ndarray, np.ndarray]:
    """N pairs of (waveform, middle) -> (N,) heights of their spikes, 0 where a pattern repeats; (N,) slips.

    The second's middle lies `slip` samples behind the first's. Both have ALIGNED / 2 samples on either side of their middles.
    """
    half, window = ALIGNED // 2, np.hanning(ALIGNED).astype(np.float32)
    a, b = (
        np.fft.rfft(np.stack([waveform[middle - half : middle + half] for waveform, middle in part]) * window)[:, _HEARD]
        for part in (first, second)
    )
    cross = a * b.conj()
    white = np.zeros((len(cross), ALIGNED // 2 + 1), np.complex64)
    white[:, _HEARD] = cross / np.maximum(np.abs(cross), 1e-9)
    correlation = np.fft.irfft(white) * (ALIGNED / 2 / _HEARD.sum())
    near = np.concatenate([correlation[:, -LARGEST_SLIP:], correlation[:, : LARGEST_SLIP + 1]], axis=1)
    slip = near.argmax(axis=1) - LARGEST_SLIP
    spike = near.max(axis=1)
    around = (slip[:, None] + np.arange(-_BLUNT, _BLUNT + 1)) % ALIGNED
    np.put_along_axis(correlation, around, 0, axis=1)
    return np.where(correlation.max(axis=1) < SECOND * spike, spike, 0), slip


def _seconds(a: np.ndarray, b: np.ndarray, shift: int) -> float:
    """How much of the two clips, laid one over the other, is the same sound: in windows, half overlapping."""
    half = ALIGNED // 2
    middles = range(max(0, shift) + half, min(len(a), len(b) + shift) - half + 1, half)
    if not middles:
        return ALIGNED / SAMPLE_RATE_HZ
    spikes, slips = _spikes([(a, middle) for middle in middles], [(b, middle - shift) for middle in middles])
    same = (spikes > PROOF) & (np.abs(slips) <= _BLUNT)
    covered = np.convolve(same, [1, 1]) > 0
    return max(float(covered.sum() * half), ALIGNED) / SAMPLE_RATE_HZ


def _mel_filters() -> np.ndarray:
    """float32 (257, BANDS): triangles, HTK's mel scale, between LOWEST_HZ and HIGHEST_HZ."""
    lowest, highest = (2595 * math.log10(1 + hz / 700) for hz in (LOWEST_HZ, HIGHEST_HZ))
    edges = 700 * (10 ** (np.linspace(lowest, highest, BANDS + 2) / 2595) - 1)
    hz, low, middle, high = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE_HZ)[:, None], edges[:-2], edges[1:-1], edges[2:]
    return np.maximum(0, np.minimum((hz - low) / (middle - low), (high - hz) / (high - middle))).astype(np.float32)


_MEL, _HANN = _mel_filters(), np.hanning(WINDOW).astype(np.float32)
_FREQUENCY = np.fft.rfftfreq(ALIGNED, 1 / SAMPLE_RATE_HZ)
_HEARD = (_FREQUENCY >= LOWEST_HZ) & (_FREQUENCY <= HIGHEST_HZ)
# Samples on either side of a spike that belong to it: the width of a spike of that band.
_BLUNT = round(2 * SAMPLE_RATE_HZ / (HIGHEST_HZ - LOWEST_HZ))
