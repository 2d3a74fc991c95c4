"""dlib's CNN face detector: max-margin object detection (D. King 2015; weights public domain)."""

from __future__ import annotations

import functools
from typing import Any

import dlib
import numpy as np

from evaluation.cache import file_checksum
from evaluation.detectors.base import Detector, boxes_of, check_processes
from evaluation.detectors.dlib_hog import check_upsampling, dlib_version, edges
from evaluation.extractors.dlib import find_weights

FILE = "mmod_human_face_detector.dat"
SMALLEST = 16  # pixels, after doubling: below, dlib's pyramid of pictures is empty and it fails


class DlibCnn(Detector):
    """dlib's CNN face detector, which also finds turned and half hidden faces.

    upsampling: how often the picture is doubled before looking. Its window is 80 px: without one doubling it finds no face
        in a 64 px picture. Each doubling takes four times as long.
    threshold: the confidence a detection must exceed; dlib itself drops all below 0.
    processes: worker processes, null for one a core. One core takes 50 ms for a 64 px picture and 210 ms for a 128 px one
        (one doubling), alone or in a batch.
    Raises ValueError if the package that carries the weights is missing.
    """

    name = "dlib_cnn"

    def __init__(self, upsampling: int = 1, threshold: float = 0.0, processes: int | None = 1):
        if threshold < 0:
            raise ValueError(f"threshold: {threshold:g}; 0 or more, as dlib drops all below 0.")
        self.upsampling, self.threshold = check_upsampling(upsampling), float(threshold)
        self.processes = check_processes(processes)
        self.weights = str(path := find_weights(FILE))
        self.label = (
            f"dlib CNN {dlib_version()}, threshold {self.threshold:g}, upsampling {upsampling}, "
            f"weights {file_checksum(path)[:12]}"
        )

    def detect(self, images: np.ndarray) -> np.ndarray:
        return np.array([len(self.locate(image)) > 0 for image in images], dtype=bool)

    def locate(self, image: np.ndarray) -> np.ndarray:
        if min(image.shape[:2]) << self.upsampling < SMALLEST:
            return boxes_of([])
        found = _net(self.weights)(np.ascontiguousarray(image), self.upsampling)
        return boxes_of([(*edges(one.rect), one.confidence) for one in found if one.confidence > self.threshold])


@functools.cache
def _net(path: str) -> Any:
    """Read once a process; not kept in the detector, as dlib's net cannot be pickled."""
    return dlib.cnn_face_detection_model_v1(path)
