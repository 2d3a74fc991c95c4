from functools import partial

import numpy as np
import pytest

from benchmarks import faces_in_films
from benchmarks.faces_in_films import Row, area


def run(work, count):
    return [work(number) for number in range(count)]


def test_area_under_the_curve():
    assert area(np.array([0.5, 0.9]), np.array([0.1, 0.5])) == 0.875
    assert area(np.array([0.0]), np.array([0.1, 0.5])) == 0.0


def test_a_row_says_whether_its_bar_is_met():
    assert Row("a", 5, 0.9, (0.8, 1.0), least=0.9).cells()[-2:] == (">= 0.9", "met")
    assert Row("a", 5, 0.1, (0.0, 0.2), most=0.01).cells()[-2:] == ("<= 0.01", "NOT met")
    assert Row("a", 5, 0.1, (0.0, 0.2)).cells()[-2:] == ("", "")


@pytest.mark.slow
def test_a_face_is_found_in_a_frame():
    assert faces_in_films.found(5, 0, (120.0, 130.0), (0.0, 0.1)) == [(1, 0), (1, 0)]


@pytest.mark.slow
def test_bad_pictures_differ_from_good_ones():
    measured = {name: run(partial(faces_in_films.measured, 5, name=name), 2) for name in ("good", "blur 1.5", "yaw 0.3")}
    good, blurred, turned = (np.mean([(one.sharpness, one.asymmetry) for one, _ in those], axis=0) for those in measured.values())
    assert blurred[0] < good[0] - 0.5
    assert turned[1] > good[1] + 0.05


@pytest.mark.slow
def test_rows_of_alignment_and_identity():
    rows = faces_in_films.alignment(run, 5, 2) + faces_in_films.identity(run, 5, 3)
    assert [row.n for row in rows[:2]] == [2, 2]
    assert rows[-1].n == 3
