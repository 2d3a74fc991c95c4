"""Which stretches of a film are looked at frame by frame, and which pictures of a track are kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.raw.look import LookSettings, _common, _lower, _now_and_then, _union, _watched
from tests.properties import examples

spans = st.lists(st.tuples(st.floats(0, 60), st.floats(0.01, 20)).map(lambda pair: (pair[0], sum(pair))), max_size=6)
at = st.floats(0, 90)


def within(second: float, those: list[tuple[float, float]]) -> bool:
    return any(start <= second <= end for start, end in those)


@examples(100)
@given(a=spans, b=spans, second=at)
def test_union_and_common_part(a: list[tuple[float, float]], b: list[tuple[float, float]], second: float) -> None:
    joined = _union([*a, *b])
    assert within(second, joined) == within(second, [*a, *b])
    assert all(one[1] < other[0] for one, other in zip(joined, joined[1:], strict=False))
    both = _common(a, b)
    assert within(second, both) <= (within(second, a) and within(second, b))
    if any(start < second < end for start, end in a) and any(start < second < end for start, end in b):
        assert within(second, both)


def test_nearly_touching_spans_may_be_joined() -> None:
    assert _union([(3, 4), (0, 1), (1.5, 2)], gap=0.6) == [(0, 2), (3, 4)]
    assert _union([]) == []


@pytest.mark.slow
@examples(100)
@given(speech=spans, settings=st.builds(LookSettings, watch_seconds=st.floats(0.5, 3), watch_every_seconds=st.floats(3, 20)))
def test_now_and_then(speech: list[tuple[float, float]], settings: LookSettings) -> None:
    speech = _union(speech)
    chosen = _now_and_then(speech, settings)
    assert all(any(a <= start and end <= b for a, b in speech) for start, end in chosen)
    assert all(end - start <= settings.watch_seconds + 1e-6 for start, end in chosen)
    starts = [start for start, _ in chosen]
    assert all(b - a >= settings.watch_every_seconds - 1e-6 for a, b in zip(starts, starts[1:], strict=False))
    if speech:
        assert chosen[0][0] == speech[0][0]


def test_a_lone_face_is_watched_now_and_then_and_two_all_the_time() -> None:
    settings, speech = LookSettings(), [(2.0, 40.0)]
    assert _watched(0, [(0.0, 60.0)], speech, settings) == [(1.0, 4.0), (16.0, 19.0), (31.0, 34.0)]
    beside = [(0.0, 60.0), (10.0, 14.0)]
    assert _watched(0, beside, speech, settings) == [(1.0, 4.0), (10.0, 14.0), (16.0, 19.0), (31.0, 34.0)]
    assert _watched(1, beside, speech, settings) == [(10.0, 14.0)]
    assert _watched(0, [(50.0, 60.0)], speech, settings) == []


def test_tall_pictures_are_made_smaller() -> None:
    image = np.zeros((720, 1280, 3), np.uint8)
    small, factor = _lower(image, 480)
    assert small.shape == (480, 853, 3)
    assert factor == 1.5
    assert _lower(image, 1080)[0] is image


@pytest.mark.parametrize(
    ("key", "value"), [("detect_height", 10), ("per_second", 0.0), ("watch_seconds", 99.0), ("faces_a_track", 0)]
)
def test_settings_are_checked(key: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{key}: {value} came"):
        LookSettings(**{key: value})  # type: ignore[arg-type]
