"""Do two splits, or two people, have the same picture? Equal, or near-equal: compressed again, resized, with noise, mirrored."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evaluation.progress import Progress
from gan.audit.base import Finding, Item, Names
from gan.audit.hashes import hashed, low_frequencies, near_pairs
from gan.data.corpus import SPLITS, Corpus

SIZE = 32  # px: finer detail is what compression and noise change
DISTANCE = 10  # bits
# Mean difference of two pictures of SIZE px, of 255, once their level and contrast agree. JPEG at quality 50 differs by 2,
# two pictures of one person in one pose by 3 (toy world) and 8 (Wav2Pix's presenters) at the least.
NEAR = 2.5
USUAL_CONTRAST = 50.0  # standard deviation of a picture; a paler one is enhanced to it
LEAST_CONTRAST = 1.0
LARGEST_RATIO = 2.0  # of two pictures' contrasts
LEARNT_FROM = 10_000  # faces the medians are taken from
BLOCK = 4096


def check(corpus: Corpus) -> tuple[Finding, Finding]:
    """(pictures in two splits, a leak; pictures of two people, a flaw)."""
    faces, names = corpus.faces, Names(corpus)
    spread = np.unique(np.linspace(0, max(len(faces) - 1, 0), min(LEARNT_FROM, len(faces))).astype(np.int64))
    leaks, doubles = list[Item](), list[Item]()
    if len(faces):
        thresholds = np.median(np.concatenate([low_frequencies(_grey(part)) for _, part in _pictures(corpus, spread)]), axis=0)
        hashes, mirrored = (np.zeros(len(faces), np.uint64) for _ in range(2))
        blocks = _pictures(corpus, np.arange(len(faces)))
        for rows, part in Progress(blocks, "Hashing faces", total=-(-len(faces) // BLOCK), unit="block", leave=False):
            grey = _grey(part)
            hashes[rows] = hashed(low_frequencies(grey), thresholds)[0]
            mirrored[rows] = hashed(low_frequencies(grey[:, :, ::-1]), thresholds)[0]
        # Two pictures of one person in one split are what a corpus is made of; every other pair is asked about.
        _, group = np.unique(faces["speaker"].astype(np.int64) * len(SPLITS) + faces["split"], return_inverse=True)
        found: dict[tuple[int, int], float] = {}
        for asked in (None, mirrored):
            for a, b in near_pairs(hashes, group, DISTANCE, asked, progress="Comparing faces"):
                for start in range(0, len(a), BLOCK):
                    first, second = a[start : start + BLOCK], b[start : start + BLOCK]
                    difference = _difference(_small(corpus, first, mirror=asked is not None), _small(corpus, second))
                    for at in np.flatnonzero(difference <= NEAR):
                        pair = int(min(first[at], second[at])), int(max(first[at], second[at]))
                        found[pair] = min(float(difference[at]), found.get(pair, np.inf))
        for pair, value in sorted(found.items(), key=lambda entry: entry[1]):
            known, other = sorted(pair, key=lambda face: (faces["split"][face], face))
            item = names.face(other, value, names.told(names.face(known, 0)), known)
            (leaks if faces["split"][known] != faces["split"][other] else doubles).append(item)
    unit = "of 255 mean difference"
    return (
        Finding(
            "shared_face",
            "Do two splits hold the same picture?",
            leak=True,
            things="faces",
            unit=unit,
            checked=len(faces),
            items=leaks,
        ),
        Finding(
            "face_of_two",
            "Does one split hold one picture under two names?",
            leak=False,
            things="faces",
            unit=unit,
            checked=len(faces),
            items=doubles,
        ),
    )


def _pictures(corpus: Corpus, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, len(rows), BLOCK):
        yield rows[start : start + BLOCK], _small(corpus, rows[start : start + BLOCK])


def _small(corpus: Corpus, rows: np.ndarray, mirror: bool = False) -> np.ndarray:
    """float32 (N, SIZE, SIZE, 3): block means of the smallest stored pictures that have so many pixels."""
    size = min((px for px in corpus.face_sizes if px % SIZE == 0), default=max(corpus.face_sizes))
    pictures = corpus.pixels(rows, size).astype(np.float32)
    # Sizes that do not divide are cut into blocks as equal as they go.
    edges = np.linspace(0, size, SIZE + 1).astype(np.int64)[:-1]
    counts = np.diff(np.append(edges, size)).astype(np.float32)
    rows_added = np.add.reduceat(pictures, edges, axis=1) / counts[:, None, None]
    small = np.add.reduceat(rows_added, edges, axis=2) / counts[:, None]
    return small[:, :, ::-1] if mirror else small


def _grey(pictures: np.ndarray) -> np.ndarray:
    return pictures.mean(axis=3)


def _difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) mean absolute difference, of 255, once level and contrast of each two are alike; pale pictures are enhanced for it."""
    a, b = (part.reshape(len(part), -1).astype(np.float64) for part in (a, b))
    a, b = (part - part.mean(axis=1, keepdims=True) for part in (a, b))
    contrast_a, contrast_b = (np.maximum(part.std(axis=1, keepdims=True), LEAST_CONTRAST) for part in (a, b))
    contrast = np.maximum(USUAL_CONTRAST, contrast_b)
    # Made alike no further than LARGEST_RATIO: a blank picture would become any other.
    ratio = np.clip(contrast_b / contrast_a, 1 / LARGEST_RATIO, LARGEST_RATIO)
    return (np.abs(a * ratio - b) * (contrast / contrast_b)).mean(axis=1)
