"""What every embedder does with pictures, whatever its net."""

import numpy as np
import pytest

from tests.evaluation.world import Pooled, person


def test_the_face_box_is_part_of_the_cache_key():
    faces, seen = person(0, 3), []

    class Boxed(Pooled):
        label = "boxed"

        def embed(self, images, face_box):
            seen.append(face_box)
            return super().embed(images, face_box)

    for box in ((0, 0, 1, 1), (0.1, 0.1, 0.9, 0.9), (np.float64(0.1), 0.1, 0.9, 0.9)):
        Boxed()(faces, box)
    assert seen == [(0, 0, 1, 1), (0.1, 0.1, 0.9, 0.9)]


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="images: float64"):
        Pooled()(np.zeros((2, 32, 32, 3)), (0, 0, 1, 1))
    with pytest.raises(ValueError, match="face_box"):
        Pooled()(person(0, 1), (0, 0, 2, 1))
