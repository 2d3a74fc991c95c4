from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.media.tracks import Track, Tracker, TrackSettings, overlap
from tests.properties import examples

STEP = 0.25


def box(x: float, y: float = 50.0, side: float = 100.0) -> tuple[float, float, float, float]:
    return (x, y, x + side, y + side)


def followed(looks: list[list[tuple[float, ...]]], cuts: tuple[int, ...] = (), **settings: float) -> list[Track]:
    tracker = Tracker(TrackSettings(**settings))  # type: ignore[arg-type]
    for number, boxes in enumerate(looks):
        tracker.add(number * STEP, np.array(boxes, np.float64).reshape(-1, 4), number in cuts)
    return tracker.finish()


def test_a_moving_face_is_one_track_whose_box_lies_between_two_looks() -> None:
    (track,) = followed([[box(10 * number)] for number in range(6)])
    assert track.seconds == [number * STEP for number in range(6)]
    assert track.box_at(0.125) == pytest.approx(box(5))
    assert track.box_at(-1) == pytest.approx(box(0))
    assert track.box_at(9) == pytest.approx(box(50))


def test_two_faces_that_pass_each_other_do_not_change_places() -> None:
    """Each moves by a tenth of its size a look; they meet at one height, and the nearer one is larger."""
    looks = []
    for number in range(21):
        pair = [box(20 * number, side=130), box(400 - 20 * number, side=90)]
        looks.append(pair if number % 2 else pair[::-1])  # a detector sorts by its own liking
    tracks = followed(looks)
    sides = [sorted({round(float(each[2] - each[0])) for each in track.boxes}) for track in tracks]
    assert sorted(sides) == [[90], [130]]
    assert [len(track.looks) for track in tracks] == [21, 21]
    for track in tracks:
        assert all(looks[look][row] == tuple(each) for look, row, each in zip(track.looks, track.rows, track.boxes, strict=True))


def test_a_cut_between_two_heads_in_one_place_ends_the_track() -> None:
    first, second = followed([[box(50)]] * 8, cuts=(4,))
    assert (first.end, second.start) == (3 * STEP, 4 * STEP)
    assert (first.shot, second.shot) == (0, 1)
    assert len(followed([[box(50)]] * 8)) == 1


@pytest.mark.parametrize(("missed", "tracks"), [(2, 1), (5, 2)])
def test_a_face_may_be_lost_for_a_while(missed: int, tracks: int) -> None:
    assert len(followed([[box(50)]] * 3 + [[]] * missed + [[box(55)]] * 3, gap_seconds=1.0)) == tracks


def test_two_faces_may_be_lost_at_once() -> None:
    assert len(followed([[box(0), box(300)]] * 3 + [[]] * 6 + [[box(0)]] * 2)) == 3


def test_the_greater_overlap_wins_and_a_false_box_of_one_look_is_dropped() -> None:
    (track,) = followed([[box(0)], [box(30), box(5)], [box(10)]])
    assert track.rows == [0, 1, 0]


boxes = st.builds(box, st.floats(0, 500), st.floats(0, 300), st.floats(1, 200))


@examples(50)
@given(looks=st.lists(st.lists(boxes, max_size=4), max_size=10), cuts=st.sets(st.integers(0, 9)))
def test_every_box_is_in_one_track_or_none_and_no_track_crosses_a_cut(
    looks: list[list[tuple[float, ...]]], cuts: set[int]
) -> None:
    tracks = followed(looks, tuple(cuts), least_looks=1)
    taken = [place for track in tracks for place in zip(track.looks, track.rows, strict=True)]
    assert sorted(taken) == [(look, row) for look, each in enumerate(looks) for row in range(len(each))]
    for track in tracks:
        assert not any(track.looks[0] < cut <= track.looks[-1] for cut in cuts)
        assert track.looks == sorted(set(track.looks))


@examples(50)
@given(a=st.lists(boxes, max_size=4), b=st.lists(boxes, max_size=4))
def test_overlap_is_a_share(a: list[tuple[float, ...]], b: list[tuple[float, ...]]) -> None:
    first, second = (np.array(each, np.float64).reshape(-1, 4) for each in (a, b))
    shares = overlap(first, second)
    assert shares.shape == (len(a), len(b))
    assert ((shares >= 0) & (shares <= 1 + 1e-6)).all()
    assert np.allclose(np.diag(overlap(first, first)), 1)


@pytest.mark.parametrize(("key", "value"), [("overlap", 1.0), ("gap_seconds", -1.0), ("least_looks", 0)])
def test_settings_are_checked(key: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{key}: {value} came"):
        TrackSettings(**{key: value})  # type: ignore[arg-type]
