"""Recordings and speakers are shared out whole, near the fractions asked for, and always the same way."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.data.prepare.splits import split_recordings, split_speakers
from tests.properties import examples

recordings_of_speakers = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 30), min_size=1, max_size=2), min_size=1, max_size=40
)


def clips(recordings, splits, split, speaker):
    return sum(r.get(speaker, 0) for r, s in zip(recordings, splits, strict=True) if s == split)


@given(recordings=recordings_of_speakers, val=st.floats(0, 0.2), unseen=st.floats(0, 0.3), seed=st.integers(0, 99))
@examples(150)
def test_every_speaker_trains_on_at_least_half(recordings, val, unseen, seed):
    splits = split_recordings(recordings, val, unseen, seed)
    assert splits == split_recordings(recordings, val, unseen, seed)
    assert set(splits) <= {"train", "val_speech", "unseen_speech"}
    for speaker in {s for r in recordings for s in r}:
        total = sum(r.get(speaker, 0) for r in recordings)
        assert clips(recordings, splits, "train", speaker) >= total / 2


@pytest.mark.parametrize("seed", range(5))
def test_fractions_are_met_where_recordings_are_small(seed):
    recordings = [{speaker: 2} for speaker in "ab" for _ in range(50)]
    splits = split_recordings(recordings, 0.1, 0.2, seed)
    for speaker in "ab":
        assert [clips(recordings, splits, s, speaker) for s in ("train", "val_speech", "unseen_speech")] == [70, 10, 20]


def test_seeds_draw_different_recordings():
    recordings = [{"a": 1}] * 40
    assert split_recordings(recordings, 0.1, 0.2, 0) != split_recordings(recordings, 0.1, 0.2, 1)


def test_a_few_large_recordings_still_give_unseen_speech():
    splits = split_recordings([{"a": 100}, {"a": 60}, {"a": 90}], 0.1, 0.2, 0)
    assert Counter(splits) == {"train": 2, "unseen_speech": 1}


def test_a_single_recording_trains():
    assert split_recordings([{"a": 500}], 0.1, 0.2, 0) == ["train"]
    assert split_recordings([], 0.1, 0.2, 0) == []


def test_nothing_is_held_out_of_a_split_not_asked_for():
    splits = split_recordings([{"a": 1}] * 30, 0.0, 0.2, 0)
    assert Counter(splits) == {"train": 24, "unseen_speech": 6}


def test_speakers():
    names = [f"s{i}" for i in range(20)]
    split = split_speakers(names, 0.1, 0.2, 0)
    assert Counter(split.values()) == {"train": 14, "val_speaker": 2, "unseen_speaker": 4}
    assert split == split_speakers(reversed(names), 0.1, 0.2, 0)
    assert split != split_speakers(names, 0.1, 0.2, 1)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_few_speakers_all_train_before_any_is_held_out(count):
    split = split_speakers([f"s{i}" for i in range(count)], 0.1, 0.1, 0)
    assert Counter(split.values())["train"] >= min(2, count)


@pytest.mark.parametrize(("val", "unseen"), [(-0.1, 0.1), (0.1, 0.7), (0.3, 0.3)])
def test_impossible_fractions(val, unseen):
    with pytest.raises(ValueError, match="fraction"):
        split_recordings([{"a": 1}], val, unseen, 0)
    with pytest.raises(ValueError, match="fraction"):
        split_speakers(["a"], val, unseen, 0)
