"""Detectors that do to their process what a hostile file may do, when they see a picture of WIDTH; named in a profile by path."""

import os
import signal
import threading

import numpy as np

from evaluation.detectors.base import Detector, boxes_of

WIDTH = 333


class Killer(Detector):
    name = label = "killer"

    def detect(self, images: np.ndarray) -> np.ndarray:
        return np.zeros(len(images), bool)

    def locate(self, image: np.ndarray) -> np.ndarray:
        if image.shape[1] == WIDTH:
            self.harm()
        return boxes_of([])

    def harm(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Hanger(Killer):
    name = label = "hanger"

    def harm(self) -> None:
        threading.Event().wait()


class Glutton(Killer):
    name = label = "glutton"

    def harm(self) -> None:
        np.ones(1 << 40)
