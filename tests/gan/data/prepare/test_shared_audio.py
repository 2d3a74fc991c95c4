"""Every run of 512 equal samples is found, at any offset, and nothing else joins two clips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.data.prepare.shared_audio import LOOK, MIN_FRESH, RUN, WORD, Groups, SharedAudio
from tests.properties import examples


def counts(window):
    """The definition, word by word: is there enough in these samples to prove a common origin?"""
    words = [window[i : i + WORD].tobytes() for i in range(RUN - WORD + 1)]
    return sum(words[i] not in words[i - LOOK : i] for i in range(LOOK, len(words))) >= MIN_FRESH


def share_by_brute_force(a, b):
    windows = {a[i : i + RUN].tobytes() for i in range(len(a) - RUN + 1)}
    return any(b[i : i + RUN].tobytes() in windows and counts(b[i : i + RUN]) for i in range(len(b) - RUN + 1))


def groups_of(clips):
    groups = Groups(len(clips))
    SharedAudio(clips).join(groups)
    return groups.members()


def noise(size, seed, loudness=3_000):
    return np.random.default_rng(seed).normal(0, loudness, size).astype(np.int16)


def joined(a, b):
    return len(groups_of([a, b])) == 1


@given(
    seed=st.integers(0, 10_000),
    length=st.integers(RUN - 3, RUN + 40),
    at=st.integers(0, 2_000),
    to=st.integers(0, 2_000),
    loudness=st.sampled_from([1, 3, 3_000]),
)
@examples(80)
def test_a_run_is_found_at_any_offset_exactly_from_512_samples_on(seed, length, at, to, loudness):
    a, b = noise(3_000, seed, loudness), noise(3_000, seed + 1, loudness)
    assert all(counts(a[i : i + RUN]) for i in range(0, len(a) - RUN, 100))
    b[to : to + length] = a[at : at + length]
    # The samples at both ends must differ, or the run is longer than it was made.
    for end_a, end_b in ((at - 1, to - 1), (at + length, to + length)):
        if 0 <= end_a < len(a) and 0 <= end_b < len(b) and a[end_a] == b[end_b]:
            b[end_b] += 1
    assert joined(a, b) == (length >= RUN)


@given(seed=st.integers(0, 10_000), kinds=st.lists(st.integers(0, 5), min_size=4, max_size=8))
@examples(25)
def test_brute_force_agrees_on_mixtures_of_noise_silence_and_tones(seed, kinds):
    """Clips are strung together from few pieces, so they share runs of every kind, long and short, rich and poor."""
    rng = np.random.default_rng(seed)
    pieces = [
        noise(700, 1),
        noise(400, 2),
        noise(900, 3, 0.5),
        np.zeros(600, np.int16),
        (3_000 * np.sin(np.arange(800) * 2 * np.pi / 40)).round().astype(np.int16),
        (rng.random(700) < 0.01).astype(np.int16),
    ]
    cut = [rng.integers(0, 300) for _ in kinds]
    parts = [pieces[kind][start:] for kind, start in zip(kinds, cut, strict=True)]
    a, b = np.concatenate(parts[: len(parts) // 2]), np.concatenate(parts[len(parts) // 2 :])
    assert joined(a, b) == share_by_brute_force(a, b)


@pytest.mark.parametrize(
    "filler",
    [
        np.zeros(8_000, np.int16),
        np.full(8_000, -1, np.int16),
        np.tile(np.array([0, 1], np.int16), 4_000),
        np.tile(noise(100, 9), 80),
        np.eye(1, 8_000, 4_000, dtype=np.int16)[0],
    ],
    ids=["silence", "offset", "idle pattern", "held tone", "one click"],
)
def test_silence_and_tones_join_nothing(filler):
    a, b = (np.concatenate([noise(2_000, seed), filler, noise(2_000, seed + 1)]) for seed in (1, 3))
    assert not joined(a, b)
    assert not joined(filler, filler.copy())


def test_quiet_dither_does_prove_a_common_origin():
    dither = np.random.default_rng(0).integers(0, 2, 1_000).astype(np.int16)
    assert joined(np.concatenate([noise(900, 1), dither]), np.concatenate([dither, noise(900, 2)]))


def test_groups_reach_through_a_middle_clip():
    sound = noise(8_000, 0)
    clips = [sound[:2_000], noise(2_000, 1), sound[1_400:3_400], sound[2_800:], sound[1_900:2_600]]
    assert groups_of(clips) == [[0, 2, 3, 4], [1]]


def test_a_jingle_in_many_clips_joins_them_quickly():
    jingle = noise(1_000, 0)
    clips = [np.concatenate([noise(100 + seed, seed), jingle, noise(300, seed + 500)]) for seed in range(1, 200)]
    assert len(groups_of(clips)) == 1


def test_short_and_empty_clips_share_nothing():
    sound = noise(RUN - 1, 0)
    assert groups_of([sound, sound, np.zeros(0, np.int16)]) == [[0], [1], [2]]
    assert groups_of([]) == []


def test_found_elsewhere_marks_the_shared_samples():
    sound = noise(6_000, 0)
    clips = [sound[:3_000], sound[2_000:5_000], noise(3_000, 1)]
    covered = SharedAudio(clips).found_elsewhere([0, 2], [1])
    assert np.flatnonzero(covered[0]).tolist() == list(range(2_000, 3_000))
    assert not covered[2].any()


def test_groups_join_equal_keys():
    groups = Groups(5)
    groups.join_equal(["a", None, "b", "a", None])
    assert groups.members() == [[0, 3], [1], [2], [4]]
