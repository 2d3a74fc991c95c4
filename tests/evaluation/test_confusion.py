import numpy as np
import pytest
from PIL import Image

from evaluation.confusion import CELL, FULL, confusion, draw_confusion


def test_shares_of_each_speakers_faces(tmp_path):
    np.savez(tmp_path / "row.npz", speaker=[3, 3, 3, 7, 7, 9], predicted=[3, 3, 7, 7, 5, 3], value=[1, 1, 0, 1, 0, np.nan])
    speakers, matrix = confusion(tmp_path / "row.npz")
    assert speakers.tolist() == [3, 5, 7]  # 9 is not known to the classifier: left out
    assert matrix[0] == pytest.approx([2 / 3, 0, 1 / 3])
    assert np.isnan(matrix[1]).all()
    assert matrix[2] == pytest.approx([0, 0.5, 0.5])


def test_other_files_are_refused_by_name(tmp_path):
    (tmp_path / "text.npz").write_text("no scores")
    np.savez(tmp_path / "other.npz", speaker=[1], value=[1.0])
    for name in ("text", "other", "absent"):
        with pytest.raises(ValueError, match=rf"{name}\.npz: not readable as scores of identity_accuracy"):
            confusion(tmp_path / f"{name}.npz")


@pytest.mark.parametrize("count", [0, 1, 6, 400])
def test_a_picture_of_any_size_of_matrix(count):
    picture = draw_confusion(np.arange(count) + 1000, np.eye(count), "run, unseen_speech")
    assert isinstance(picture, Image.Image)
    assert max(picture.size) < 1100
    if count == 6:
        seen = np.asarray(picture)
        assert (seen == FULL).all(2).sum() == 6 * CELL**2


def test_who_did_not_speak_is_grey():
    matrix = np.eye(3)
    matrix[1] = np.nan
    seen = np.asarray(draw_confusion(np.arange(3), matrix))
    assert sum((row == 225).all(1).sum() == 3 * CELL for row in seen) == CELL
