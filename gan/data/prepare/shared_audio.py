"""Which clips were cut from the same sound? Exactly, at any offset, without comparing every pair.

Two clips share sound if some run of RUN samples occurs in both, equal sample for sample, at whatever offset. Nothing is
missed and nothing is guessed: candidates come from winnowing (Schleimer, Wilkerson, Aiken, "Winnowing: local algorithms
for document fingerprinting", SIGMOD 2003) and are then compared sample by sample. Winnowing hashes every GRAM-sample
piece and keeps, for each RUN-sample window, the piece of least hash. Which piece is least depends on the window's own
samples alone, so a window that occurs in two clips keeps the same piece in both, and the two meet under one hash.
About 70 pieces of a one-second clip are kept.

A run proves a common origin only if there is something in it. Digital silence, a held tone and an idle converter's
pattern recur in unrelated recordings, so a window counts only if MIN_FRESH of its WORD-sample words differ from all
words of the LOOK samples before them. Quiet speech, room noise and even random one-bit dither pass; a constant, a
sparse click train and any pattern that repeats within LOOK samples do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import minimum_filter1d

from evaluation.progress import Progress

RUN = 512
GRAM = 64
WORD = 8
LOOK = 128
MIN_FRESH = 32
# A piece may stand for its window only if it is not a repeating pattern itself, else silence would fill one bucket.
# Every window that counts has such a piece: a piece shows GRAM - WORD - GRAM_LOOK + 1 = 25 words with the GRAM_LOOK
# samples before them, so 16 pieces show all 377 words of a window behind LOOK, and one of them 32 / 16 fresh ones.
GRAM_LOOK = 32
MIN_GRAM_FRESH = 2
PIECES = RUN - GRAM + 1  # pieces in a window


class Groups:
    """Items joined pair by pair into connected groups (union-find)."""

    def __init__(self, count: int):
        self._parent = list(range(count))

    def find(self, item: int) -> int:
        """The group's representative: equal for two items exactly if they are connected."""
        while self._parent[item] != item:
            self._parent[item] = self._parent[self._parent[item]]
            item = self._parent[item]
        return item

    def join(self, a: int, b: int) -> None:
        a, b = sorted((self.find(a), self.find(b)))
        self._parent[b] = a

    def join_equal(self, keys: Iterable[object]) -> None:
        """Join the items whose keys are equal; a key of None joins nothing."""
        first: dict[object, int] = {}
        for item, key in enumerate(keys):
            if key is not None:
                self.join(item, first.setdefault(key, item))

    def members(self) -> list[list[int]]:
        """The groups, each in order, ordered by their first item."""
        groups: dict[int, list[int]] = {}
        for item in range(len(self._parent)):
            groups.setdefault(self.find(item), []).append(item)
        return list(groups.values())


@dataclass(frozen=True)
class Meeting:
    """Two clips that hold an equal piece: b's sample 0 lies at a's sample `shift`."""

    a: int
    b: int
    shift: int


class SharedAudio:
    """An index of clips, int16 (S,) each; about 2 kB a one-second clip besides the samples."""

    def __init__(self, waveforms: Sequence[np.ndarray]):
        self.waveforms = waveforms
        self._counted: list[np.ndarray] = []  # per clip: (n, 2) first and last start of windows that count
        hashes, clips, starts = [], [], []
        for clip, waveform in enumerate(Progress(waveforms, "Indexing sound", unit="clip")):
            piece_hash, start, counted = _pieces(waveform)
            self._counted.append(counted)
            hashes.append(piece_hash)
            starts.append(start)
            clips.append(np.full(len(start), clip))
        self._hash = np.concatenate([*hashes, np.zeros(0, np.uint64)])
        self._clip = np.concatenate([*clips, np.zeros(0, np.int64)])
        self._start = np.concatenate([*starts, np.zeros(0, np.int64)])
        order = np.argsort(self._hash, kind="stable")
        self._hash, self._clip, self._start = self._hash[order], self._clip[order], self._start[order]

    def join(self, groups: Groups) -> None:
        """Join every two clips that share sound."""
        seen: set[Meeting] = set()
        for entries in self._buckets():
            clips = [int(c) for c in self._clip[entries]]
            if len({groups.find(c) for c in clips}) == 1:
                continue
            for i, a in enumerate(clips):
                for j in range(i):
                    if groups.find(a) != groups.find(clips[j]):
                        meeting = Meeting(a, clips[j], int(self._start[entries[i]] - self._start[entries[j]]))
                        if meeting not in seen:
                            seen.add(meeting)
                            if self._runs(meeting):
                                groups.join(a, clips[j])

    def found_elsewhere(self, clips: Iterable[int], others: Iterable[int]) -> dict[int, np.ndarray]:
        """For each of clips a bool (S,): which samples lie in a run shared with one of others.

        A passage that a clip itself repeats, sample for sample and for a thousand samples, is marked in one place only.
        """
        ours, theirs = set(clips), set(others)
        covered = {clip: np.zeros(len(self.waveforms[clip]), bool) for clip in ours}
        seen: set[Meeting] = set()
        for entries in self._buckets():
            pairs = [(int(self._clip[e]), int(self._start[e])) for e in entries]
            for a, start in pairs:
                if a in ours:
                    for b, other_start in pairs:
                        meeting = Meeting(a, b, start - other_start)
                        if b in theirs and b != a and meeting not in seen:
                            seen.add(meeting)
                            for first, length in self._runs(meeting):
                                covered[a][first : first + length] = True
        return covered

    def _buckets(self) -> Iterable[np.ndarray]:
        """Entries of one hash, where there are at least two."""
        edges = np.flatnonzero(np.diff(self._hash)) + 1
        bounds = np.concatenate([[0], edges, [len(self._hash)]])
        for i in np.flatnonzero(np.diff(bounds) > 1):
            yield np.arange(bounds[i], bounds[i + 1])

    def _runs(self, meeting: Meeting) -> list[tuple[int, int]]:
        """(first sample in a, length) of every equal run of RUN samples or more that counts, at this shift."""
        a, b = self.waveforms[meeting.a], self.waveforms[meeting.b]
        first, last = max(0, meeting.shift), min(len(a), len(b) + meeting.shift)
        equal = np.zeros(last - first + 2, bool)
        equal[1:-1] = a[first:last] == b[first - meeting.shift : last - meeting.shift]
        edges = np.diff(equal.astype(np.int8))
        begins, ends = ((np.flatnonzero(edges == sign) + first).tolist() for sign in (1, -1))
        counted = self._counted[meeting.a]
        return [
            (begin, end - begin)
            for begin, end in zip(begins, ends, strict=True)
            if end - begin >= RUN and ((counted[:, 0] <= end - RUN) & (counted[:, 1] >= begin)).any()
        ]


def _rolling_hash(samples: np.ndarray, length: int) -> np.ndarray:
    """uint64 hash of every `length` consecutive samples, a power of two: a polynomial made by doubling, then mixed."""
    hashed, base, width = samples.astype(np.int64).astype(np.uint64) + np.uint64(0x10000), 0x9E3779B97F4A7C15, 1
    while width < length:
        hashed = hashed[:-width] * np.uint64(base) + hashed[width:]
        base, width = base * base % 2**64, width * 2
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # splitmix64's finaliser
        hashed = (hashed ^ (hashed >> np.uint64(shift))) * np.uint64(factor)
    return hashed ^ (hashed >> np.uint64(31))


def _count_between(flags: np.ndarray, first: int, last: int, starts: int) -> np.ndarray:
    """For each s below starts: how many flags are set among s + first ... s + last."""
    total = np.concatenate([[0], np.cumsum(flags)])
    return total[last + 1 : last + 1 + starts] - total[first : first + starts]


def _counts(waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """bool: does the window that starts here count; may the piece that starts here stand for one?"""
    words = _rolling_hash(waveform, WORD)
    order = np.argsort(words, kind="stable")
    since = np.full(len(words), len(words))  # samples since the same word was last heard
    repeated = words[order][1:] == words[order][:-1]
    since[order[1:][repeated]] = np.diff(order)[repeated]
    windows, pieces = len(waveform) - RUN + 1, len(waveform) - GRAM + 1
    return (
        _count_between(since > LOOK, LOOK, RUN - WORD, windows) >= MIN_FRESH,
        _count_between(since > GRAM_LOOK, GRAM_LOOK, GRAM - WORD, pieces) >= MIN_GRAM_FRESH,
    )


def _pieces(waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hashes and starts of the pieces kept of one clip, and the (n, 2) ranges of starts of windows that count."""
    nothing = np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros((0, 2), np.int64)
    if len(waveform) < RUN:
        return nothing
    counts, may_stand = _counts(waveform)
    if not counts.any():
        return nothing
    hashes = _rolling_hash(waveform, GRAM) >> np.uint64(11)  # 53 bits: exact as float64, which the filter works in
    ranked = np.where(may_stand, hashes.astype(np.float64), np.inf)
    least = minimum_filter1d(ranked, PIECES, origin=-(PIECES // 2))[: len(counts)]
    starts = np.flatnonzero(np.isin(ranked, np.unique(least[counts])) & may_stand)
    # Inside a long repeating pattern pieces recur with all their surroundings: one of each kind is enough.
    _, group, sizes = np.unique(hashes[starts], return_inverse=True, return_counts=True)
    kept, surroundings = list[int](), set[tuple[int, bytes]]()
    for start, number in zip(starts.tolist(), group.tolist(), strict=True):
        if sizes[number] > 1:
            left = max(0, start - PIECES + 1)
            around = start - left, waveform[left : start + RUN].tobytes()
            if around in surroundings:
                continue
            surroundings.add(around)
        kept.append(start)
    edges = np.diff(np.concatenate([[0], counts.astype(np.int8), [0]]))
    ranges = np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1], axis=1)
    starts = np.array(kept, np.int64)
    return hashes[starts], starts, ranges
