from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.media.copies import choose, difference, thumbnail
from tests.properties import examples


def face(seed: int) -> np.ndarray:
    small = np.random.default_rng(seed).integers(60, 190, (8, 8, 3))
    return np.kron(small, np.ones((16, 16, 1))).astype(np.uint8)


def test_light_and_size_do_not_count() -> None:
    one = face(0)
    assert difference(thumbnail(one), thumbnail((one * 0.6 + 20).astype(np.uint8))) < 1
    assert difference(thumbnail(one), thumbnail(np.repeat(np.repeat(one, 2, 0), 2, 1))) < 1
    assert difference(thumbnail(one), thumbnail(face(1))) > 20
    assert np.isfinite(thumbnail(np.zeros((10, 10, 3), np.uint8))).all()


def test_the_best_of_several_alike_are_chosen() -> None:
    thumbnails = [thumbnail(each) for each in (face(0), face(0), face(1), face(2))]
    seconds = [0.0, 5.0, 9.0, 9.5]
    assert choose(thumbnails, [1, 2, 0, -1], seconds, None, 10) == [1, 2]  # 0 is like 1; 3 is of the second of 2
    assert choose(thumbnails, [1, 2, 0, -1], [np.nan] * 4, None, 10) == [1, 2, 3]
    assert choose(thumbnails, [1, 2, 0, -1], [np.nan] * 4, 2, 0) == [1, 0]
    assert choose([], [], [], 3, 10) == []


@pytest.mark.slow
@examples(50)
@given(
    seeds=st.lists(st.integers(0, 5), max_size=8),
    qualities=st.lists(st.floats(-9, 9), min_size=8, max_size=8),
    most=st.none() | st.integers(0, 8),
)
def test_what_is_chosen_differs_and_is_in_order(seeds: list[int], qualities: list[float], most: int | None) -> None:
    thumbnails = [thumbnail(face(seed)) for seed in seeds]
    chosen = choose(thumbnails, qualities[: len(seeds)], [np.nan] * len(seeds), most, 10)
    assert len({seeds[at] for at in chosen}) == len(chosen) == min(len(set(seeds)), len(seeds) if most is None else most)
    assert [qualities[at] for at in chosen] == sorted((qualities[at] for at in chosen), reverse=True)


def test_difference_is_of_255() -> None:
    assert difference(np.zeros((32, 32)), np.full((32, 32), 7.0)) == pytest.approx(7)
