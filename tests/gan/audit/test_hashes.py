import numpy as np
import pytest

from gan.audit import hashes as module
from gan.audit.hashes import SURE_DISTANCE, differing_bits, hashed, low_frequencies, near_pairs


def turned(value: int, bits: list[int]) -> int:
    for bit in bits:
        value ^= 1 << bit
    return value


def test_bits_are_counted() -> None:
    a = np.array([0, 2**64 - 1, 5], np.uint64)
    assert list(differing_bits(a, np.zeros(3, np.uint64))) == [0, 64, 2]


def test_level_is_not_in_the_frequencies_and_words_hold_64_of_them() -> None:
    pictures = np.random.default_rng(0).random((5, 16, 24))
    frequencies = low_frequencies(pictures, 128)
    assert frequencies.shape == (5, 128)
    assert np.allclose(frequencies, low_frequencies(pictures + 7, 128), atol=1e-4)
    words = hashed(frequencies, np.zeros(128))
    assert words.shape == (2, 5)
    assert np.array_equal(words[0], hashed(frequencies[:, :64], np.zeros(64))[0])
    assert hashed(frequencies[:0], np.zeros(128)).shape == (2, 0)


@pytest.mark.parametrize("at_once", [7, 1 << 20])
def test_every_pair_within_the_sure_distance_is_met(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAIRS_AT_ONCE", at_once)
    random = np.random.default_rng(0)
    first = [int(value) for value in random.integers(0, 2**63, 200, dtype=np.uint64)]
    second = [turned(value, random.choice(64, SURE_DISTANCE, replace=False).tolist()) for value in first]
    hashes, group = np.array([*first, *second], np.uint64), np.repeat([0, 1], 200)
    met = [sorted(pair) for a, b in near_pairs(hashes, group, SURE_DISTANCE) for pair in zip(a.tolist(), b.tolist(), strict=True)]
    assert sorted(met) == [[number, number + 200] for number in range(200)]
    assert not list(near_pairs(hashes, np.zeros(400, np.int64), SURE_DISTANCE))
    assert not list(near_pairs(hashes[:0], group[:0], SURE_DISTANCE))


def test_asking_with_another_hash() -> None:
    hashes, asked = np.array([1, 2**40], np.uint64), np.array([2**40, 9 * 2**20], np.uint64)
    assert [(a.tolist(), b.tolist()) for a, b in near_pairs(hashes, np.arange(2), 0, asked)] == [([0], [1])]


def test_three_groups_meet_once_each() -> None:
    hashes, group = np.full(5, 77, np.uint64), np.array([2, 0, 1, 0, 2])
    met = [tuple(sorted(pair)) for a, b in near_pairs(hashes, group, 0) for pair in zip(a.tolist(), b.tolist(), strict=True)]
    assert sorted(met) == [(a, b) for a in range(5) for b in range(a + 1, 5) if group[a] != group[b]]
