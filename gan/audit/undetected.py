"""Is there a face in every picture? A picture counts as faceless where neither of two detectors finds one."""

from __future__ import annotations

import numpy as np

from evaluation.detectors.base import Detector
from gan.audit.base import Finding, Names
from gan.build import build
from gan.data.corpus import Corpus

# The quick one first: the other sees only what it did not find.
DETECTORS = ("dlib_hog", "mtcnn")
BLOCK = 4096


def check(corpus: Corpus) -> Finding:
    """Pictures, at the largest stored size, in which no detector finds a face."""
    names, size = Names(corpus), max(corpus.face_sizes)
    detectors = [build(Detector, {"name": name}, "audit") for name in DETECTORS]
    left = np.arange(len(corpus.faces))
    notes = []
    for detector in detectors:
        asked, missed = len(left), []
        for start in range(0, asked, BLOCK):
            rows = left[start : start + BLOCK]
            missed.append(rows[~detector(corpus.pixels(rows, size))])
        left = np.concatenate([*missed, np.zeros(0, np.int64)])
        notes.append(f"{detector.label}: found {asked - len(left)} of {asked} at {size} px.")
    return Finding(
        "no_face",
        "Is there a face in every picture?",
        leak=False,
        things="faces",
        unit="faces found",
        checked=len(corpus.faces),
        items=[names.face(int(face), 0) for face in left],
        notes=notes,
    )
