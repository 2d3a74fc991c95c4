import numpy as np
import pytest

from evaluation.real_faces.ends import OTHERS, real_ends
from tests.evaluation.world import trial


def test_own_other_faces_and_those_of_others():
    shown = trial(speakers=4)
    asked = []

    def compare(rows, at):
        asked.append(at)
        mine = shown.gallery_speaker[rows] == shown.speaker[at]
        assert mine.all() or not mine.any()
        if mine.all():
            assert len(rows) == 2, "the true face itself is no other face"
        else:
            assert len(set(rows.tolist())) == OTHERS
        return np.where(mine, 10.0 + shown.speaker[at], 1.0)

    assert real_ends(shown, compare) == (1.0, pytest.approx(11.5))
    assert len(asked) == 2 * 4, "once for each distinct true face"


def test_neither_where_there_are_no_such_faces():
    shown = trial(speakers=1)
    only = dict(gallery=shown.gallery[:1], gallery_speaker=shown.gallery_speaker[:1])
    assert real_ends(trial(speakers=1, **only), lambda rows, at: np.ones(len(rows))) == (None, None)
    assert real_ends(
        trial(speakers=2, gallery=shown.gallery[:0], gallery_speaker=shown.gallery_speaker[:0]),
        lambda rows, at: np.ones(len(rows)),
    ) == (None, None)


def test_the_order_of_faces_does_not_matter():
    shown = trial(speakers=6)
    order = np.random.default_rng(0).permutation(len(shown.speaker))
    moved = trial(speakers=6, **{key: getattr(shown, key)[order] for key in ("generated", "speaker", "clip", "run", "target")})
    ends = [
        real_ends(one, lambda rows, at, one=one: np.abs(one.gallery[rows].astype(float) - one.target[at]).mean((1, 2, 3)))
        for one in (shown, moved)
    ]
    assert ends[0] == pytest.approx(ends[1])
