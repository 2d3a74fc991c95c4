import numpy as np
import pytest
from PIL import Image

from evaluation.confusion import CELL, FULL, confusion, draw_confusion


def test_shares_of_each_speakers_faces():
    speakers, matrix = confusion(*map(np.array, ([3, 3, 3, 7, 7, 9], [3, 3, 7, 7, 5, 3], [1, 1, 0, 1, 0, np.nan])))
    assert speakers.tolist() == [3, 5, 7]  # 9 is not known to the classifier: left out
    assert matrix[0] == pytest.approx([2 / 3, 0, 1 / 3])
    assert np.isnan(matrix[1]).all()
    assert matrix[2] == pytest.approx([0, 0.5, 0.5])


@pytest.mark.parametrize("count", [0, 1, 6, 400])
def test_a_picture_of_any_size_of_matrix(count):
    picture = draw_confusion([f"speaker {at}" for at in range(count)], np.eye(count), "run, unseen_speech")
    assert isinstance(picture, Image.Image)
    assert max(picture.size) < 1100
    if count == 6:
        seen = np.asarray(picture)
        assert (seen == FULL).all(2).sum() == 6 * CELL**2


def test_who_did_not_speak_is_grey():
    matrix = np.eye(3)
    matrix[1] = np.nan
    seen = np.asarray(draw_confusion(["a", "b", "c"], matrix))
    assert sum((row == 225).all(1).sum() == 3 * CELL for row in seen) == CELL
