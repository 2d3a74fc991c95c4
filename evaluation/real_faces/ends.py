"""What real faces would score where a drawn face is held against its true one: the two ends of a distance's scale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evaluation.intervals.bootstrap import mean_or_none
from evaluation.trial import Trial

OTHERS = 8  # faces of other people held against each true face
NOTE = "chance: a real face of another person; real faces: another one of the same person"


def real_ends(trial: Trial, compare: Callable[[np.ndarray, int], np.ndarray]) -> tuple[float | None, float | None]:
    """(chance, upper) of a measure between drawn and true faces, with real faces in the drawn ones' place.

    compare: takes rows of the gallery, (M,), and one item's number; returns the measure of each of those faces against that
    item's true face, (M,). chance: faces of other people. upper: other faces of the same person. Means over speakers; None
    where there are no such faces.
    """
    # A true face serves several drawn ones; its measure is taken once, in an order that theirs does not decide.
    places: dict[tuple[int, bytes], list[int]] = {}
    for at, (speaker, target) in enumerate(zip(trial.speaker.tolist(), trial.target, strict=True)):
        places.setdefault((speaker, target.tobytes()), []).append(at)
    rng = np.random.default_rng(trial.seed)
    same, other = np.full(len(trial.target), np.nan), np.full(len(trial.target), np.nan)
    for (speaker, _), rows in sorted(places.items()):
        own = np.flatnonzero(trial.gallery_speaker == speaker)
        own = own[(trial.gallery[own] != trial.target[rows[0]]).any(axis=(1, 2, 3))]
        others = np.flatnonzero(trial.gallery_speaker != speaker)
        if len(own):
            same[rows] = compare(own, rows[0]).mean()
        if len(others):
            drawn = rng.choice(others, min(OTHERS, len(others)), replace=False)
            other[rows] = compare(drawn, rows[0]).mean()
    return mean_or_none(other, trial.speaker), mean_or_none(same, trial.speaker)
