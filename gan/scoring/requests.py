"""What systems are asked to draw in an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from gan.config import Evaluation
from gan.data.corpus import Corpus
from gan.data.dataset import BySpeaker, rng

STREAM_CROPS, STREAM_REFERENCE = 100, 105


class Condition(NamedTuple):
    """Under what systems are scored: of a split of a corpus, from speech of one length, under a protocol's settings."""

    corpus: Corpus
    settings: Evaluation
    split: str
    seconds: float


@dataclass(frozen=True)
class Requests:
    """What a system is asked to draw: one face for each, of speech by `speaker`.

    speaker, clip, run: (N,) int64. waveforms: N float32 (S,) crops in [-1, 1], or (F, M) of
    a corpus of mels. target: (N,) the corpus face that is right.
    """

    speaker: np.ndarray
    clip: np.ndarray
    run: np.ndarray
    waveforms: list[np.ndarray]
    target: np.ndarray


@lru_cache(maxsize=4)  # every system of an evaluation is asked the same
def make_requests(corpus: Corpus, split: str, seconds: float, runs: int, seed: int) -> Requests:
    """In each run one random crop of one random clip of every speaker who has clips and faces in the split.

    The right face is the one aligned with the clip where there is one, else one of the speaker's in the split.
    Protocol: SF2F, ten runs of random crops of chosen length.
    """
    clips, faces = corpus.in_split(corpus.clips, split), corpus.in_split(corpus.faces, split)
    by_clip = BySpeaker(corpus.clips["speaker"][clips], clips)
    by_face = BySpeaker(corpus.faces["speaker"][faces], faces)
    speakers = np.intersect1d(by_clip.speakers, by_face.speakers)
    count = round(seconds * corpus.stored.rate_hz)
    chosen, targets, waveforms = [], [], []
    for run in range(runs):
        random = rng(seed, STREAM_CROPS, run)
        drawn = by_clip.draw(np.searchsorted(by_clip.speakers, speakers), random.random(len(speakers)))
        spare = np.maximum(corpus.clips["length"][drawn].astype(np.int64) - count, 0)
        starts = (random.random(len(speakers)) * (spare + 1)).astype(np.int64)
        aligned = corpus.clips["face"][drawn]
        any_face = by_face.draw(np.searchsorted(by_face.speakers, speakers), random.random(len(speakers)))
        chosen.append(drawn)
        targets.append(np.where(aligned >= 0, aligned, any_face))
        waveforms += [corpus.speech(clip, start, start + count) for clip, start in zip(drawn, starts, strict=True)]
    return Requests(
        np.tile(speakers, runs),
        np.concatenate(chosen),
        np.repeat(np.arange(runs), len(speakers)),
        waveforms,
        np.concatenate(targets),
    )


def few_of_each(speaker: np.ndarray, count: int | None, seed: int) -> np.ndarray:
    """Indices, ascending, of at most `count` items of each speaker, (N,); all of them where count is None.

    A speaker's are drawn by the seed, whoever else is there, and a greater count only adds to them.
    """
    if count is None:
        return np.arange(len(speaker))
    rank = np.empty(len(speaker), dtype=np.int64)
    for who in np.unique(speaker).tolist():
        own = np.flatnonzero(speaker == who)
        rank[own] = rng(seed, STREAM_REFERENCE, who).permutation(len(own))
    return np.flatnonzero(rank < count)
