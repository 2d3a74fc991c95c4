"""The contract of a face detector: uint8 pictures in, found or not out; and where, in a whole frame."""

from __future__ import annotations

import multiprocessing
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch

from evaluation.cache import cached_features
from evaluation.faces import check_faces

PIECES = 8  # parts of a batch that each worker process takes in turn, so that none waits long for the others


class Detector(ABC):
    """A frozen face detector that sees the whole picture.

    label: name, thresholds, upsampling, weight checksum; one line. name: short, for a metric's name.
    processes: worker processes that look at pictures not in the cache; 1 looks in this process, None takes one a core.
        More than one needs a detector that can be pickled. The result is the same.
    """

    name: str
    label: str
    batch_size: int = 64
    processes: int | None = 1

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """uint8 (N, H, W, 3) -> bool (N,): was at least one face found? Cached by content."""
        check_faces(images, "images")
        with self._detecting() as detect:
            found = cached_features(
                images,
                self.label,
                lambda batch: detect(batch).astype(np.float32)[:, None],
                1,
                self.batch_size,
                progress=self.name,
            )
        return found[:, 0] > 0.5

    @abstractmethod
    def detect(self, images: np.ndarray) -> np.ndarray:
        """The detections themselves, uncached, in this process. uint8 (B, H, W, 3) -> bool (B,)."""

    def locate(self, image: np.ndarray) -> np.ndarray:
        """Where the faces of one picture of any size are, uncached.

        image: uint8 (H, W, 3). Returns float32 (n, 5), strongest first: left, top, right, bottom in px, and the score. A box is
        drawn as dlib's HOG detector draws it: square, from the brows to the chin, about 2.4 pupil distances wide; it may reach
        out of the picture. Scores of two detectors are not comparable.
        Raises ValueError where a detector says only whether there is a face.
        """
        raise ValueError(f"detector: {self.name} says whether there is a face, not where. Allowed: one that has `locate`.")

    @contextmanager
    def _detecting(self) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
        """`detect`, spread over worker processes where more than one is asked for. They start with the first picture."""
        count = check_processes(self.processes) or os.cpu_count() or 1
        if count == 1:
            yield self.detect
            return
        # Spawned, not forked: a fork of a process that runs threads (torch's, a logger's) may hang.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(count, context, _keep, (self,)) as pool:

            def detect(batch: np.ndarray) -> np.ndarray:
                pieces = np.array_split(batch, min(len(batch), PIECES * count))
                return np.concatenate(list(pool.map(_detect, pieces)))

            yield detect


def check_processes(processes: int | None) -> int | None:
    """processes itself. Raises ValueError if it is not None and below 1."""
    if processes is not None and processes < 1:
        raise ValueError(f"processes: {processes}; 1 or more, or null for one a core.")
    return processes


def boxes_of(rows: Sequence[Sequence[float]]) -> np.ndarray:
    """Rows of left, top, right, bottom, score -> float32 (n, 5), strongest first."""
    boxes = np.array(rows, dtype=np.float32).reshape(-1, 5)
    return boxes[np.argsort(-boxes[:, 4], kind="stable")]


def _keep(detector: Detector) -> None:
    """In a worker process: the detector it is to use, on one thread, as there is a worker for each core."""
    torch.set_num_threads(1)
    _kept.append(detector)


_kept: list[Detector] = []


def _detect(images: np.ndarray) -> np.ndarray:
    return _kept[0].detect(images)
