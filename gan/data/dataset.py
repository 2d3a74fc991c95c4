"""Corpus -> batches, drawn from (seed, step) by counters: no loader state, so resume is exact and workers change nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gan.data.corpus import Corpus
from gan.data.faces import to_pixel_space

# Keys of the independent random streams. A stream never depends on how much another one was used.
STREAM_BATCH, STREAM_VOICES, STREAM_FACES = range(3)


class Batch(NamedTuple):
    """B items; with segments N > 1 the first two have a second axis N, and num_samples is 0 where a speaker has fewer.

    waveform: (B, S) float32 in [-1, 1], zero beyond num_samples; num_samples: (B,) int64. Of a corpus of mels these are frames,
    (B, F, M), and their number.
    face, mismatched_face: (B, 3, H, W) in the decoder's pixel space; mismatched_face is of another speaker (empty if not asked).
    voice_identity, face_identity: (B,) int64 labels among the training speakers; equal but for independent pairing.
    face_index: (B,) int64, the face's row in the corpus, a key for caches; -1 for a mirrored face, which no cache knows.
    """

    waveform: Tensor
    num_samples: Tensor
    face: Tensor
    mismatched_face: Tensor
    voice_identity: Tensor
    face_identity: Tensor
    face_index: Tensor

    def to(self, device: torch.device) -> Batch:
        """On the device, but for face_index: a key for the host's caches, which asking a GPU for would stall it."""
        moved = Batch(*(tensor.to(device, non_blocking=True) for tensor in self))
        return moved._replace(face_index=self.face_index)


class BySpeaker:
    """The rows of an index (clips or faces of one split), grouped by speaker for drawing without loops."""

    def __init__(self, speaker_of_row: np.ndarray, rows: np.ndarray):
        order = np.argsort(speaker_of_row, kind="stable")
        self.rows = rows[order]
        self.speakers, self.starts, self.counts = np.unique(speaker_of_row[order], return_index=True, return_counts=True)

    def of(self, position: int) -> np.ndarray:
        """All rows of one speaker."""
        return self.rows[self.starts[position] : self.starts[position] + self.counts[position]]

    def draw(self, positions: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """One row for each position in self.speakers; uniform in [0, 1) chooses among the speaker's rows."""
        return self.rows[self.starts[positions] + (uniform * self.counts[positions]).astype(np.int64)]


class _Permutations:
    """An endless concatenation of permutations of 0..n-1, addressable anywhere: every item equally often, any batch size."""

    def __init__(self, size: int, seed: int, stream: int):
        self.size, self.seed, self.stream = size, seed, stream
        self._epochs: dict[int, np.ndarray] = {}

    def _epoch(self, epoch: int) -> np.ndarray:
        if epoch not in self._epochs:
            self._epochs = {e: p for e, p in self._epochs.items() if e == epoch - 1}
            self._epochs[epoch] = rng(self.seed, self.stream, epoch).permutation(self.size)
        return self._epochs[epoch]

    def take(self, start: int, count: int) -> np.ndarray:
        first, last = start // self.size, (start + count - 1) // self.size
        joined = np.concatenate([self._epoch(epoch) for epoch in range(first, last + 1)])
        return joined[start - first * self.size :][:count]


def rng(seed: int, stream: int, counter: int) -> np.random.Generator:
    """The random numbers of one counter of one stream."""
    return np.random.Generator(
        np.random.Philox(key=np.array([seed, stream], np.uint64), counter=np.array([0, 0, 0, counter], np.uint64))
    )


class Batches(Dataset[Batch]):
    """batches[step] is the batch of that step, or its rows `own`.

    pairing: `aligned` (a face with what was said while it was seen), `identity` (any face with any clip of the speaker),
    `independent` (voices and faces of unrelated speakers). clip_seconds: shortest and longest crop, one length a batch. segments
    above 1: from each of the speaker's clips, in random order, windows one after another from a random start, up to so many.
    flip: probability that a face is mirrored. face_size in px; pixel_space as in gan/data/faces.py.
    share: (which, of how many) equal parts of every batch is read; it is drawn whole, so that the parts make up the batch.
    Raises ValueError if the corpus cannot give such batches.
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        pairing: str,
        clip_seconds: tuple[float, float],
        batch_size: int,
        seed: int,
        face_size: int,
        pixel_space: str,
        segments: int = 1,
        mismatched: bool = False,
        flip: float = 0.0,
        split: str = "train",
        share: tuple[int, int] = (0, 1),
    ):
        self.corpus, self.pairing, self.batch_size, self.seed = corpus, pairing, batch_size, seed
        self.face_size, self.pixel_space, self.segments, self.mismatched = face_size, pixel_space, segments, mismatched
        self.flip = flip
        part = batch_size // share[1]
        self.own = slice(share[0] * part, (share[0] + 1) * part)
        self.samples = [round(seconds * corpus.stored.rate_hz) for seconds in clip_seconds]
        clips, faces = corpus.in_split(corpus.clips, split), corpus.in_split(corpus.faces, split)
        self.clips = BySpeaker(corpus.clips["speaker"][clips], clips)
        self.faces = BySpeaker(corpus.faces["speaker"][faces], faces)
        self.labels = identity_labels(corpus)
        if not len(faces) or not len(clips):
            raise ValueError(
                f"data.corpus: {corpus.name} has {len(clips)} clips and {len(faces)} faces in split {split}; both are needed."
            )
        if mismatched and len(self.faces.speakers) < 2:
            raise ValueError(f"data.corpus: {corpus.name} has one speaker; a mismatched face needs a second.")
        if pairing == "aligned":
            self.pairs = clips[corpus.clips["face"][clips] >= 0]
            if not len(self.pairs):
                raise ValueError(f"data.pairing: aligned, but no clip of {corpus.name} names a face. Use identity.")
            if segments > 1:
                raise ValueError(f"data.segments: {segments} came; aligned pairing has 1, use identity for more.")
            self._voices = _Permutations(len(self.pairs), seed, STREAM_VOICES)
        else:
            self.shared = np.intersect1d(self.clips.speakers, self.faces.speakers)
            if not len(self.shared):
                raise ValueError(f"data.corpus: no speaker of {corpus.name} has both clips and faces in split {split}.")
            self._voices = _Permutations(len(self.shared), seed, STREAM_VOICES)
            self._faces = _Permutations(len(self.shared), seed, STREAM_FACES)

    def __getitem__(self, step: int) -> Batch:
        size = self.batch_size
        random = rng(self.seed, STREAM_BATCH, step)
        length = int(random.integers(self.samples[0], self.samples[1], endpoint=True))
        if self.pairing == "aligned":
            clips = self.pairs[self._voices.take(step * size, size)]
            faces = self.corpus.clips["face"][clips].astype(np.int64)
        else:
            speakers = self.shared[self._voices.take(step * size, size)]
            where = np.searchsorted(self.clips.speakers, speakers)
            clips = self.clips.draw(where, random.random(size))
            face_speakers = speakers if self.pairing == "identity" else self.shared[self._faces.take(step * size, size)]
            faces = self.faces.draw(np.searchsorted(self.faces.speakers, face_speakers), random.random(size))
        if self.segments == 1:
            waveform, num_samples = self._crop(clips, length, random)
        else:
            waveform, num_samples = self._windows(where, length, random)
        mismatched = torch.empty(0)
        if self.mismatched:
            others = len(self.faces.speakers)
            own = np.searchsorted(self.faces.speakers, self.corpus.faces["speaker"][faces])
            other = (own + random.integers(1, others, size)) % others
            mismatched = self._faces_of(self.faces.draw(other, random.random(size))[self.own])
        clips, faces = clips[self.own], faces[self.own]
        shown, index = self._faces_of(faces), torch.from_numpy(faces)
        if self.flip:
            mirrored = torch.from_numpy((random.random(size) < self.flip)[self.own])
            shown = torch.where(mirrored[:, None, None, None], shown.flip(3), shown)
            index = index.masked_fill(mirrored, -1)
        return Batch(
            torch.from_numpy(waveform),
            torch.from_numpy(num_samples),
            shown,
            mismatched,
            torch.from_numpy(self.labels[self.corpus.clips["speaker"][clips]]),
            torch.from_numpy(self.labels[self.corpus.faces["speaker"][faces]]),
            index,
        )

    def _crop(self, clips: np.ndarray, length: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A random crop of each of our clips; clips shorter than it are whole, zeros after. (B, length, ...), (B,)."""
        lengths = self.corpus.clips["length"][clips].astype(np.int64)
        num_samples = np.minimum(lengths, length)
        starts = (random.random(clips.shape) * (lengths - num_samples + 1)).astype(np.int64)
        clips, starts, num_samples = clips[self.own], starts[self.own], num_samples[self.own]
        out = np.zeros((len(clips), length, *self.corpus.stored.row_shape), np.float32)
        for row, clip, start, count in zip(out, clips, starts, num_samples, strict=True):
            row[:count] = self.corpus.speech(clip, start, start + count)
        return out, num_samples

    def _windows(self, speakers: np.ndarray, length: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Up to self.segments windows of each of our speakers; who has no clip as long as a window gives one clip whole.

        speakers: positions in self.clips. Returns (B, segments, length, ...), (B, segments).
        """
        out = np.zeros((len(speakers[self.own]), self.segments, length, *self.corpus.stored.row_shape), np.float32)
        num_samples = np.zeros(out.shape[:2], np.int64)
        for item, speaker in enumerate(speakers, -self.own.start):
            clips = random.permutation(self.clips.of(speaker))
            lengths = self.corpus.clips["length"][clips].astype(np.int64)
            starts = (random.random(len(clips)) * np.maximum(lengths - length, 1)).astype(np.int64)
            if not 0 <= item < len(out):
                continue
            cuts = [
                (clip, at)
                for clip, start, end in zip(clips, starts, lengths, strict=True)
                for at in range(start, end - length + 1, length)
            ] or [(clips[0], 0)]
            for segment, (clip, at) in enumerate(cuts[: self.segments]):
                window = self.corpus.speech(clip, at, at + length)
                out[item, segment, : len(window)] = window
                num_samples[item, segment] = len(window)
        return out, num_samples

    def _faces_of(self, faces: np.ndarray) -> Tensor:
        return to_pixel_space(torch.from_numpy(self.corpus.pixels(faces, self.face_size)), self.pixel_space)


def identity_labels(corpus: Corpus) -> np.ndarray:
    """int64, one a speaker: its number among the training speakers, -1 for the others."""
    training = np.array([row["split"] == "train" for row in corpus.speakers])
    return np.where(training, np.cumsum(training) - 1, -1)


def people(corpus: Corpus) -> str:
    """Stands for who the training speakers are, in the order of their numbers: a digest, because names are personal data."""
    names = [row["speaker"] for row in corpus.speakers if row["split"] == "train"]
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()


def loader(batches: Batches, start: int, stop: int, workers: int, pin_memory: bool = False) -> Iterator[Batch]:
    """The batches of steps start..stop-1 in order, read ahead by worker processes."""
    return iter(
        DataLoader(
            batches,
            sampler=range(start, stop),
            batch_size=None,
            num_workers=workers,
            pin_memory=pin_memory,
            persistent_workers=False,
        )
    )
