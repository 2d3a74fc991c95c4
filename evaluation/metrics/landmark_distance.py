"""Distance between the landmarks of the drawn and of the true face."""

from __future__ import annotations

import numpy as np

from evaluation.landmarks import find68
from evaluation.metrics.base import Metric, score_items, skip
from evaluation.real_faces.ends import NOTE, real_ends
from evaluation.trial import Score, Trial

NAME = "landmark_distance"
LABEL = "dlib 68 landmarks"
OUTER_EYE_CORNERS = (36, 45)  # points of 300-W's scheme, counted from 0


class LandmarkDistance(Metric):
    """Mean distance between the 68 landmarks of the drawn face and its true face, over the true face's eye distance.

    The eye distance is that of the outer corners of the eyes (300-W's inter-ocular normalisation).
    align: bring the drawn face's points to the true one's by shift, turn and scale first (least squares), so that the shape
        of the face counts and not how it was held; named landmark_distance/aligned.
    No face is left out: where the detector sees none, the landmarks are those found in the fixed face box, and the note says
    in how many. chance: a real face of somebody else in the drawn one's place. upper: another real face of the same person,
    so pose and expression alone.
    """

    def __init__(self, align: bool = False):
        self.align = align

    def __call__(self, trial: Trial) -> list[Score]:
        name = f"{NAME}/aligned" if self.align else NAME
        if not len(trial.generated):
            return [skip(name, "no generated faces", LABEL, higher_is_better=False)]
        size = np.array(trial.generated.shape[2:0:-1])  # pixels, as a fraction of the width is not one of the height
        drawn, seen = find68(trial.generated, trial.face_box)
        points, true, gallery = (
            found.astype(np.float64) * size
            for found in (drawn, find68(trial.target, trial.face_box)[0], find68(trial.gallery, trial.face_box)[0])
        )
        eyes = np.linalg.norm(true[:, OUTER_EYE_CORNERS[0]] - true[:, OUTER_EYE_CORNERS[1]], axis=1)

        def compare(found: np.ndarray, at: int) -> np.ndarray:
            return landmark_distance(found, true[at][None], self.align) / eyes[at]

        chance, upper = real_ends(trial, lambda rows, at: compare(gallery[rows], at))
        return [
            score_items(
                name,
                landmark_distance(points, true, self.align) / eyes,
                trial,
                chance=chance,
                upper=upper,
                extractor=LABEL,
                note=f"in outer-eye-corner distances; no face seen in {(~seen).sum()} of {len(seen)} drawn faces, whose "
                f"landmarks are those of the face box; {NOTE}",
                higher_is_better=False,
            )
        ]


def landmark_distance(points: np.ndarray, true: np.ndarray, align: bool = False) -> np.ndarray:
    """Mean distance of corresponding points, (N, K, 2) and (N, K, 2) or (1, K, 2) -> (N,), in their unit."""
    if align:
        points = aligned(points, true)
    return np.linalg.norm(points - true, axis=-1).mean(axis=-1)


def aligned(points: np.ndarray, true: np.ndarray) -> np.ndarray:
    """(N, K, 2) shifted, turned and scaled, not mirrored, to lie nearest to `true` (least squares)."""
    # A point as a complex number: turning and scaling is one multiplication, and its best factor a projection.
    a, b = (one[..., 0] + 1j * one[..., 1] for one in (points, true))
    centre = b.mean(axis=-1, keepdims=True)
    a, b = a - a.mean(axis=-1, keepdims=True), b - centre
    power = (np.abs(a) ** 2).sum(axis=-1, keepdims=True)
    moved = a * (a.conj() * b).sum(axis=-1, keepdims=True) / np.maximum(power, 1e-12) + centre
    return np.stack([moved.real, moved.imag], axis=-1)
