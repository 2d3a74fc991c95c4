"""How loud is a waveform, window by window, and how much louder is speech than what lies between?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gan.data.corpus import SAMPLE_RATE_HZ

FULL_SCALE = 32_768
FAINTEST_DB = -120.0  # what digital silence is said to be
WINDOWS_AT_ONCE = 4096  # keeps memory small for a sound of any length
# In a pause of speech the room still rings, and a detector is late by a frame or two: what is that near to speech is no pause.
MARGIN_SECONDS = 0.06
LEAST_WINDOWS = 5  # 0.1 s of speech, and of pauses


@dataclass(frozen=True)
class LoudnessSettings:
    """least_speech_to_pause_db: sound whose speech is louder than its pauses by less is taken for speech over music or noise.

    13 lies between music 15 dB below the speech (12 to 17 in the toy world, with Silero's spans) and 10 dB below (7 to 12); clean
    speech has 34 or more. 0 drops nothing but sound whose pauses are louder than its speech.
    Raises ValueError for a negative value.
    """

    least_speech_to_pause_db: float = 13.0

    def __post_init__(self) -> None:
        if not self.least_speech_to_pause_db >= 0:
            raise ValueError(f"least_speech_to_pause_db: {self.least_speech_to_pause_db} came. Allowed: 0 or more.")


def level_db(waveform: np.ndarray, window: int = 640, hop: int = 320) -> np.ndarray:
    """Level of each window of int16 (S,), in dB of full scale, its mean taken out: float32 (F,), window f at sample f * hop.

    A waveform shorter than one window is filled up with zeros; what is left after the last whole window does not count.
    """
    if len(waveform) < window:
        waveform = np.pad(waveform, (0, window - len(waveform)))
    windows = np.lib.stride_tricks.sliding_window_view(waveform, window)[::hop]
    parts = [windows[start : start + WINDOWS_AT_ONCE] for start in range(0, len(windows), WINDOWS_AT_ONCE)]
    power = np.concatenate([part.var(axis=1, dtype=np.float32) for part in parts]) / FULL_SCALE**2
    return np.maximum(10 * np.log10(np.maximum(power, 1e-30)), FAINTEST_DB)


def speech_to_pause_db(waveform: np.ndarray, spans: Sequence[tuple[float, float]]) -> float | None:
    """By how many dB the speech is louder than the pauses: difference of the two median levels of int16 (S,) at 16 kHz.

    spans: (start, end) of speech in seconds, as Speech.spans gives them. Music or noise under the speech goes on in its
    pauses and makes the figure small. None if there is less than 0.1 s of speech or, more than 0.06 s away from it, of pauses.
    """
    hop, window = 320, 640
    levels = level_db(waveform, window, hop)
    starts = np.arange(len(levels)) * (hop / SAMPLE_RATE_HZ)
    ends = starts + window / SAMPLE_RATE_HZ
    speech, near = np.zeros(len(levels), bool), np.zeros(len(levels), bool)
    for start, end in spans:
        speech |= (starts >= start) & (ends <= end)
        near |= (ends > start - MARGIN_SECONDS) & (starts < end + MARGIN_SECONDS)
    if min(speech.sum(), (~near).sum()) < LEAST_WINDOWS:
        return None
    return float(np.median(levels[speech]) - np.median(levels[~near]))
