"""Speech is what is loud: the simplest rule, for clean sound without music."""

from __future__ import annotations

import numpy as np

from gan.media.loudness import level_db
from gan.media.speech.base import DEFAULT_SPANS, SpanSettings, Speech


class Energy(Speech):
    """Frames of 20 ms at most that many dB fainter than the loud ones (95th percentile), and not near silence.

    below_db: a frame fainter than the loud ones by more is a pause. least_db: of full scale; a fainter frame never is speech.
    settings: how frames become spans. Music is taken for speech, and so is any noise.
    Raises ValueError if below_db is not above 0.
    """

    frame = 320

    def __init__(self, below_db: float = 25.0, least_db: float = -60.0, settings: SpanSettings = DEFAULT_SPANS):
        if not below_db > 0:
            raise ValueError(f"below_db: {below_db} came. Allowed: above 0.")
        self.below_db, self.least_db, self.settings = below_db, least_db, settings
        self.label = f"energy, {below_db:g} dB below the 95th percentile, at least {least_db:g} dB of full scale, {settings}"

    def voiced(self, waveform: np.ndarray) -> np.ndarray:
        levels = level_db(np.pad(waveform, (0, -len(waveform) % self.frame)), self.frame, self.frame)
        return levels > max(float(np.quantile(levels, 0.95)) - self.below_db, self.least_db)
