"""Near-equal things without comparing every pair: 64 bits each that small changes leave nearly alone, and an index of them.

The bits are those of the perceptual hash of pictures (C. Zauner, Implementation and Benchmarking of Perceptual Image Hash
Functions, 2010): low frequencies of a cosine transform, each held against its median, because aligned faces, or voices, are much
alike and would else share most bits. The index is multi-index hashing (Norouzi, Punjani, Fleet, Fast Search in Hamming Space with
Multi-Index Hashing, CVPR 2012): 64 bits are four parts of 16, and of two hashes that differ in at most 7 bits, one part
differs in at most one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.fft import dctn

from evaluation.progress import Progress

BITS = 64
PARTS, PART_BITS = 4, 16
SURE_DISTANCE = 2 * PARTS - 1  # bits: pairs this near are always met
# A part asks with itself, and with each of its bits turned.
PROBES = (0, *(1 << bit for bit in range(PART_BITS)))
PAIRS_AT_ONCE = 1 << 20
_ONES = np.array([value.bit_count() for value in range(256)], np.uint8)


def low_frequencies(patches: np.ndarray, count: int = BITS) -> np.ndarray:
    """float (N, H, W) -> float32 (N, count): each patch's lowest frequencies but its mean, by the sum of their two numbers.

    H and W are large enough that the triangle of low frequencies holds so many: 11 for 64, 16 for 128.
    """
    rows, columns = np.indices(patches.shape[1:])
    order = np.argsort((rows + columns).ravel(), kind="stable")[1 : count + 1]
    return dctn(patches.astype(np.float32), axes=(1, 2), norm="ortho").reshape(len(patches), -1)[:, order]


def hashed(frequencies: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """float (N, 64 K), (64 K,) -> uint64 (K, N): which frequencies exceed their thresholds, 64 of them in a number."""
    bits = (frequencies > thresholds).reshape(len(frequencies), frequencies.shape[1] // BITS, BITS)
    return np.ascontiguousarray(np.ascontiguousarray(np.packbits(bits, axis=2)).view(np.uint64)[:, :, 0].T)


def differing_bits(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """uint64 (N,), (N,) -> (N,) of 0 to 64."""
    return _count(a ^ b)


def _count(words: np.ndarray) -> np.ndarray:
    return _ONES[words.view(np.uint8)].reshape(-1, 8).sum(axis=1, dtype=np.int64)


def near_pairs(
    hashes: np.ndarray, group: np.ndarray, distance: int, asked: np.ndarray | None = None, progress: str = "Comparing"
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs (a, b) of rows of different groups whose hashes differ in at most `distance` bits, in blocks, each pair once.

    hashes: uint64 (N,). group: int (N,). asked: uint64 (N,), what row a asks the hash of row b with; default its own hash. A pair
    then comes either way round; with other hashes (a, b) and (b, a) are two questions.
    All within SURE_DISTANCE bits are met, and many a little further apart.
    Work grows with the rows outside the largest group times all rows, divided by 65,536.
    """
    if not len(hashes):
        return
    own, asked, largest = hashes, hashes if asked is None else asked, np.bincount(group).argmax()
    # What the largest group shares with others, they find: it need not ask, unless what it would ask differs.
    asking = np.flatnonzero(group != largest) if asked is own else np.arange(len(own))
    with Progress(total=PARTS * len(PROBES), desc=progress, unit="probe", leave=False) as bar:
        for part in range(PARTS):
            shift, mask = np.uint64(part * PART_BITS), np.uint64((1 << PART_BITS) - 1)
            keys, questions = (((values >> shift) & mask).astype(np.int64) for values in (own, asked[asking]))
            order = np.argsort(keys, kind="stable")
            bounds = np.searchsorted(keys[order], np.arange((1 << PART_BITS) + 1))
            for probe in PROBES:
                bar.update()
                wanted = questions ^ probe
                starts, sizes = bounds[wanted], bounds[wanted + 1] - bounds[wanted]
                for rows in _blocks(sizes):
                    count = sizes[rows]
                    a = np.repeat(asking[rows], count)
                    within = np.arange(len(a)) - np.repeat(np.cumsum(count) - count, count)
                    b = order[np.repeat(starts[rows], count) + within]
                    apart = group[a] != group[b]
                    if asked is own:  # and of two that both ask, one is enough
                        apart &= (a < b) | (group[b] == largest)
                    a, b = a[apart], b[apart]
                    difference = asked[a] ^ own[b]
                    near = _count(difference) <= distance
                    for earlier in range(part):  # which had met them already, if it differs in one bit at most
                        near[near] = _count((difference[near] >> np.uint64(earlier * PART_BITS)) & mask) > 1
                    if near.any():
                        yield a[near], b[near]


def _blocks(sizes: np.ndarray) -> Iterator[slice]:
    """Runs of rows whose sizes add up to about PAIRS_AT_ONCE at most."""
    total = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = total[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(total, before + PAIRS_AT_ONCE)))
        yield slice(start, end)
        start = end
