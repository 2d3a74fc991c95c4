"""What an experiment is given: a run, and the voices it is asked to draw."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from evaluation.detectors.base import Detector
from evaluation.extractors.base import Embedder
from gan.build import build
from gan.data.audio import SOUND, read_sound, readable, unreadable
from gan.data.corpus import NO_SOUND, SAMPLE_RATE_HZ, Corpus
from gan.data.dataset import BySpeaker, rng
from gan.data.media import below, unread
from gan.data.pictures import resize
from gan.experiments._judge import Judge
from gan.experiments._voice import Voice
from gan.model import Generator
from gan.run import Run

STREAM_VOICES, STREAM_CLIPS = range(110, 112)
SPEECH_SECONDS = 40.0  # of a voice that is read: enough for every experiment
REAL_FACES = 50  # of a speaker that are compared with


class Study:
    """A run, and the voices it is asked to draw: those of a corpus's split, or of sound files.

    split: None for the experiment's own. limit: most voices. seed: chooses them, their clips, and the decoder's noise.
    audio: sound files, each a voice of its own, and folders, each one voice of several clips.
    """

    def __init__(
        self, run: Run, corpus: Corpus, split: str | None = None, audio: Sequence[Path] = (), limit: int = 100, seed: int = 0
    ):
        if limit < 1:
            raise ValueError(f"--speakers: {limit} came. Allowed: 1 or more.")
        if audio and split:
            raise ValueError("--split: sound files belong to no split. Give --split or --audio, not both.")
        if run.generator.features.reads != "waveform":
            raise ValueError(
                f"{run.path}: this run draws from {run.generator.features.reads}s, not from speech. "
                "Experiments need a run that hears."
            )
        if corpus.mels and not audio:
            raise ValueError(f"data.corpus: {corpus.path} {NO_SOUND} Or name sound files with --audio.")
        self.run, self.corpus, self.split, self.audio, self.limit, self.seed = run, corpus, split, list(audio), limit, seed
        self.size = run.generator.image_sizes[-1]
        self.batch_size = run.config.evaluation.batch_size

    @property
    def seconds(self) -> float:
        """The length of clip the run was trained on: the middle of data.clip_seconds."""
        return sum(self.run.config.data.clip_seconds) / len(self.run.config.data.clip_seconds)

    @property
    def samples(self) -> int:
        return round(self.seconds * SAMPLE_RATE_HZ)

    @property
    def window(self) -> int:
        """Samples of one segment: those a fuser joins, else the clip length the run was trained on."""
        return self.run.generator.window_samples if self.run.generator.fuser is not None else self.samples

    def voices(self, default_split: str, at_least: int = 1) -> list[Voice]:
        """Raises ValueError if there are fewer than at_least."""
        found = self._of_files() if self.audio else self.of_split(self.corpus, self.split or default_split)
        if len(found) < at_least:
            raise ValueError(
                f"voices: {len(found)} came, this experiment needs {at_least} or more. "
                + ("Name more sound files." if self.audio else "Raise --speakers, or choose another --split.")
            )
        return found

    def of_split(self, corpus: Corpus, split: str) -> list[Voice]:
        """Speakers with clips and faces in a split, at most `limit` of them, drawn by the seed."""
        clips, faces = corpus.in_split(corpus.clips, split), corpus.in_split(corpus.faces, split)
        by_clip, by_face = (
            BySpeaker(index["speaker"][rows], rows) for index, rows in ((corpus.clips, clips), (corpus.faces, faces))
        )
        speakers = np.intersect1d(by_clip.speakers, by_face.speakers)
        if not len(speakers):
            raise ValueError(f"split: {corpus.name} has no speaker with clips and faces in {split}.")
        order = rng(self.seed, STREAM_VOICES, 0).permutation(len(speakers))[: self.limit]
        stored = self.size if self.size in corpus.face_sizes else max(corpus.face_sizes)
        voices = []
        for speaker in speakers[order].tolist():
            own = by_face.of(int(np.searchsorted(by_face.speakers, speaker)))[:REAL_FACES]
            real = np.stack([resize(face, self.size) for face in corpus.pixels(own, stored)])
            spoken = by_clip.of(int(np.searchsorted(by_clip.speakers, speaker)))
            waveforms: list[np.ndarray] = []
            for clip in rng(self.seed, STREAM_CLIPS, speaker).permutation(spoken).tolist():
                if sum(map(len, waveforms)) < SPEECH_SECONDS * SAMPLE_RATE_HZ:
                    waveforms.append(corpus.speech(clip))
            voices.append(Voice(corpus.speakers[speaker]["speaker"], speaker, waveforms, real))
        return voices

    def _of_files(self) -> list[Voice]:
        voices = []
        for number, path in enumerate(self.audio[: self.limit]):
            files = [path]
            if path.is_dir():
                files = below(path, readable())
                if left := below(path, unreadable()):
                    print(f"{path}: {unread(left, SOUND)}", file=sys.stderr)
                if not files:
                    raise ValueError(f"{path}: no sound files in this folder. Looked for: {', '.join(readable())}.")
            waveforms = []
            for file in files:
                waveform, note = read_sound(file)
                waveforms.append(waveform)
                if note:
                    print(f"{file}: {note}.", file=sys.stderr)
            none = np.zeros((0, self.size, self.size, 3), np.uint8)
            voices.append(Voice(path.stem if path.is_file() else path.name, number, waveforms, none))
        return voices

    def draw(self, waveforms: Sequence[np.ndarray]) -> np.ndarray:
        """uint8 (N, H, W, 3). A decoder's noise is the same for each place in calls of equally many waveforms: faces of one place
        then differ by voice alone. Those of two places differ by noise too, and are no control for them.
        """
        return self.run.draw(waveforms, self.batch_size, self.seed)

    def draw_mean(self, segments: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
        """One face for each list of segments: decoded from the mean of their embeddings, which is not brought to unit length.

        The way of SF2F that needs no fuser; a fuser that the run has is passed by.
        """
        generator = self.run.generator
        plain = Generator(generator.features, generator.encoder, None, generator.decoder, generator.window_samples)
        embedded = plain.embeddings([segment for of_item in segments for segment in of_item], self.batch_size)
        ends = np.cumsum([len(of_item) for of_item in segments])
        means = np.stack([part.mean(axis=0) for part in np.split(embedded, ends[:-1])])
        return np.concatenate(
            [
                generator.draw_embeddings(means[start : start + self.batch_size], self.seed + start)
                for start in range(0, len(means), self.batch_size)
            ]
        )

    @cached_property
    def _device(self) -> str:
        return str(next(self.run.generator.parameters()).device)

    def judge(self, voices: Sequence[Voice], corpus: Corpus | None = None) -> Judge:
        """corpus: which the voices' real faces are of, if not the study's."""
        embedder = build(Embedder, {"name": "dlib", "device": self._device}, "extractor")
        detector = build(Detector, {"name": "mtcnn", "device": self._device}, "detector")
        return Judge(voices, (corpus or self.corpus).face_box, embedder, detector, self.seed)
