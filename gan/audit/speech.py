"""Is every clip speech, and whole? Silent, clipped and speechless clips, by level, flat tops and voice."""

from __future__ import annotations

import numpy as np

from evaluation.progress import Progress
from gan.audit.base import Finding, Item, Names
from gan.data.corpus import SAMPLE_RATE_HZ, Corpus

FULL_SCALE = 32_768
SILENT_DB = -50.0  # of full scale: the loudest frame of a silent clip is fainter
CLIPPED_SAMPLE, CLIPPED_SHARE = 32_440, 0.001  # 99 % of full scale, and how many of the samples may reach it
WINDOW, HOP, FFT = 640, 320, 2048  # samples; 40 ms hold two periods of the lowest voice
LAGS = np.arange(SAMPLE_RATE_HZ // 400, SAMPLE_RATE_HZ // 60 + 1)  # voices: 60 to 400 Hz
VOICED = 0.6  # correlation of a frame with itself, one period later
HEARD_DB = 30.0  # below the loudest frame, a frame is a pause
# In a second of speech 10 to 98 % of the frames are voiced, and their levels (10th and 95th percentile) lie 6 dB apart or more.
# Noise is not voiced; tones, hum and engines are level.
LEAST_VOICED, LEAST_SPREAD_DB = 0.05, 4.0
FRAMES_AT_ONCE = 2048


def check(corpus: Corpus) -> tuple[Finding, Finding, Finding]:
    """(silent, clipped, speechless). A silent clip is not called speechless as well."""
    names = Names(corpus)
    silent, clipped, speechless = [], [], []
    for clip in Progress(range(len(corpus.clips)), "Listening", unit="clip", leave=False):
        waveform = corpus.waveform(clip)
        flat = float((np.abs(waveform.astype(np.int32)) >= CLIPPED_SAMPLE).mean())
        if flat > CLIPPED_SHARE:
            clipped.append(names.clip(clip, 100 * flat))
        levels, voiced = _frames(waveform)
        if levels.max() < SILENT_DB:
            silent.append(names.clip(clip, float(levels.max())))
            continue
        low, high = np.quantile(levels, [0.1, 0.95])
        share = float((voiced & (levels > levels.max() - HEARD_DB)).mean())
        if share < LEAST_VOICED or high - low < LEAST_SPREAD_DB:
            speechless.append(names.clip(clip, 100 * share, f"its level varies by {high - low:.0f} dB"))
    silent.sort(key=lambda item: item.value)
    clipped.sort(key=lambda item: -item.value)
    speechless.sort(key=lambda item: item.value)

    def finding(check: str, question: str, unit: str, items: list[Item]) -> Finding:
        return Finding(check, question, leak=False, things="clips", unit=unit, checked=len(corpus.clips), items=items)

    return (
        finding("silent", "Is a clip silent?", "dB of full scale", silent),
        finding("clipped", "Is a clip clipped?", "% of samples", clipped),
        finding("speechless", "Is there no voice in a clip?", "% of frames voiced", speechless),
    )


def _frames(waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each frame, (F,): level in dB of full scale; is it voiced?"""
    padded = np.pad(waveform, (0, max(0, WINDOW - len(waveform))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    parts = [_heard(frames[start : start + FRAMES_AT_ONCE]) for start in range(0, len(frames), FRAMES_AT_ONCE)]
    levels, voiced = (np.concatenate(part) for part in zip(*parts, strict=True))
    return levels, voiced


def _heard(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    centred = frames - frames.mean(axis=1, keepdims=True, dtype=np.float32)
    energy = np.cumsum(np.square(centred), axis=1)
    correlation = np.fft.irfft(np.square(np.abs(np.fft.rfft(centred, FFT))))[:, LAGS]
    total = energy[:, -1:]
    # What overlaps after a shift of one lag: all but the last samples, and all but the first.
    overlap = np.sqrt(energy[:, WINDOW - 1 - LAGS] * np.maximum(total - energy[:, LAGS - 1], 0))
    levels = 10 * np.log10(total[:, 0] / WINDOW / FULL_SCALE**2 + 1e-12)
    return levels, (correlation / (overlap + 1)).max(axis=1) > VOICED
