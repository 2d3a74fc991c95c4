"""Landmark detection ratio: the share of drawn faces in which a face detector finds a face."""

from __future__ import annotations

import numpy as np

from evaluation.detectors.base import Detector
from evaluation.intervals.bootstrap import mean_or_none
from evaluation.metrics.base import Metric, score_items, skip
from evaluation.trial import Score, Trial


class DetectionRatio(Metric):
    """Share of drawn faces in which the detector finds at least one face, 0..1.

    detector: which one. It measures frontality and regularity, not realism: Wav2Pix's drawn faces scored above its
    real ones. That paper does not name its detector or rule, so name yours: the score carries both.
    upper: the same detector on the true faces. There is no chance level.
    """

    def __init__(self, detector: Detector):
        self.detector = detector

    def __call__(self, trial: Trial) -> list[Score]:
        name = f"landmarks/{self.detector.name}"
        if not len(trial.generated):
            return [skip(name, "no generated faces", self.detector.label)]
        return [
            score_items(
                name,
                self.detector(trial.generated).astype(np.float64),
                trial,
                upper=mean_or_none(self.detector(trial.target).astype(np.float64), trial.speaker),
                extractor=self.detector.label,
                note="share of faces in which the detector finds a face",
            )
        ]
