"""dlib's frontal face detector: histograms of oriented gradients under a sliding window (D. King, Boost licence)."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import dlib
import numpy as np

from evaluation.detectors.base import Detector, boxes_of, check_processes


class DlibHog(Detector):
    """dlib's frontal face detector.

    upsampling: how often the picture is doubled before looking. Its window is 80 px, so without one doubling it finds
        hardly any face in a 64 px picture.
    threshold: how far above the detector's own threshold a window must score; 0 is dlib's default, lower finds more.
    processes: worker processes, null for one a core. One core needs 1 ms for a 64 px picture and workers need seconds to
        start, so they help with many thousand pictures only.
    """

    name = "dlib_hog"

    def __init__(self, upsampling: int = 1, threshold: float = 0.0, processes: int | None = 1):
        self.upsampling, self.threshold = check_upsampling(upsampling), float(threshold)
        self.processes = check_processes(processes)
        # The detector's weights are compiled into dlib, so its version is their name.
        self.label = f"dlib HOG {dlib_version()}, threshold {self.threshold:g}, upsampling {upsampling}"
        self.detector = dlib.get_frontal_face_detector()

    def detect(self, images: np.ndarray) -> np.ndarray:
        return np.array([len(self.locate(image)) > 0 for image in images], dtype=bool)

    def locate(self, image: np.ndarray) -> np.ndarray:
        image = np.ascontiguousarray(image)  # dlib reads others wrongly, without a word
        found, scores, _ = self.detector.run(image, self.upsampling, self.threshold)
        return boxes_of([(*edges(box), score) for box, score in zip(found, scores, strict=True)])


def edges(box: Any) -> tuple[int, int, int, int]:
    """A dlib rectangle, whose right and bottom are the last pixels in it -> left, top, right, bottom of its edges."""
    return box.left(), box.top(), box.right() + 1, box.bottom() + 1


def check_upsampling(upsampling: int) -> int:
    """upsampling itself. Raises ValueError if it is negative."""
    if upsampling < 0:
        raise ValueError(f"upsampling: {upsampling}; 0 or more doublings.")
    return upsampling


def dlib_version() -> str:
    """Of the installed package, which may be called dlib-bin."""
    for package in ("dlib-bin", "dlib"):
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return str(dlib.__version__)
