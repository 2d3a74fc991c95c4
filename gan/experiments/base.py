"""The contract of an experiment, what it is given (a Study), what it hands back (a Finding), and what all of them share.

The folder is the registry: `voxface experiment audio-length RUN` is the public subclass of Experiment in audio_length.py.
"""

from __future__ import annotations

import csv
import io
import math
import sys
import textwrap
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from evaluation.bootstrap import interval, mean_over_speakers, paired_difference
from evaluation.detectors.base import Detector
from evaluation.extractors.base import Embedder
from evaluation.faces import FaceBox
from evaluation.gallery import unit
from gan.build import build, names
from gan.config import nearest
from gan.data.audio import SOUND, read_sound
from gan.data.corpora import open_corpus
from gan.data.corpus import SAMPLE_RATE_HZ, Corpus, resize, write_atomically
from gan.data.dataset import INT16_SCALE, BySpeaker, rng
from gan.data.faces import to_uint8
from gan.data.media import UNREAD_SOUND, below, unread
from gan.generate import Run
from gan.model import Generator, evaluating, pixel_space

STREAM_VOICES, STREAM_CLIPS = range(110, 112)
SHOWN = 8                   # voices in a sheet; the numbers are over all
SPEECH_SECONDS = 40.0       # of a voice that is read: enough for every experiment
REAL_FACES = 50             # of a speaker that are compared with
MARK = "Faces drawn from speech by voxface, beside real faces of the speakers where the caption says so."


@dataclass(frozen=True)
class Voice:
    """name: in captions. speaker: the corpus's number; of sound files, their place in the list.

    clips: float32 (S,) in [-1, 1], 16 kHz. faces: uint8 (G, H, W, 3) real ones at the run's size; none for sound files.
    """

    name: str
    speaker: int
    clips: list[np.ndarray]
    faces: np.ndarray

    def crops(self, samples: int) -> list[np.ndarray]:
        """The clips cut into pieces of that many samples, end to end; what is left over at a clip's end is dropped."""
        return [piece for clip in self.clips for piece in windows(clip, samples, samples)]


@dataclass(frozen=True)
class Measured:
    """The mean over speakers and its 95 % interval, which resamples speakers; NaN where there is nothing."""

    value: float
    low: float = math.nan
    high: float = math.nan

    def __str__(self) -> str:
        if math.isnan(self.value):
            return ""
        return f"{self.value:.3f}" + ("" if math.isnan(self.low) else f" [{self.low:.3f}, {self.high:.3f}]")


@dataclass(frozen=True)
class Finding:
    """columns: captions of the sheet's columns. pictures: rows of the sheet, a caption and uint8 (H, W, 3) faces or None each.

    rows: the numbers, every row with the same keys; values are Measured, numbers or text. notes: what a reader must know of the
    sheet, a sentence each; legend: of the numbers.
    """

    columns: list[str]
    pictures: list[tuple[str, list[np.ndarray | None]]]
    rows: list[dict[str, Any]]
    notes: list[str]
    legend: list[str]


class Study:
    """A run, and the voices it is asked to draw: those of a corpus's split, or of sound files.

    split: None for the experiment's own. limit: most voices. seed: chooses them, their clips, and the decoder's noise.
    audio: sound files, each a voice of its own, and folders, each one voice of several clips.
    """

    def __init__(self, run: Run, corpus: Corpus, split: str | None = None, audio: Sequence[Path] = (), limit: int = 100,
                 seed: int = 0):
        if limit < 1:
            raise ValueError(f"--speakers: {limit} came. Allowed: 1 or more.")
        if audio and split:
            raise ValueError("--split: sound files belong to no split. Give --split or --audio, not both.")
        if run.generator.features.reads != "waveform":
            raise ValueError(f"{run.path}: this run draws from {run.generator.features.reads}s, not from speech. "
                             "Experiments need a run that hears.")
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
            raise ValueError(f"voices: {len(found)} came, this experiment needs {at_least} or more. "
                             + ("Name more sound files." if self.audio else "Raise --speakers, or choose another --split."))
        return found

    def of_split(self, corpus: Corpus, split: str) -> list[Voice]:
        """Speakers with clips and faces in a split, at most `limit` of them, drawn by the seed."""
        clips, faces = corpus.in_split(corpus.clips, split), corpus.in_split(corpus.faces, split)
        by_clip, by_face = (BySpeaker(index["speaker"][rows], rows) for index, rows in
                            ((corpus.clips, clips), (corpus.faces, faces)))
        speakers = np.intersect1d(by_clip.speakers, by_face.speakers)
        if not len(speakers):
            raise ValueError(f"split: {corpus.name} has no speaker with clips and faces in {split}.")
        order = rng(self.seed, STREAM_VOICES, 0).permutation(len(speakers))[:self.limit]
        stored = self.size if self.size in corpus.face_sizes else max(corpus.face_sizes)
        voices = []
        for speaker in speakers[order].tolist():
            own = by_face.of(int(np.searchsorted(by_face.speakers, speaker)))[:REAL_FACES]
            real = np.stack([resize(face, self.size) for face in corpus.pixels(own, stored)])
            spoken = by_clip.of(int(np.searchsorted(by_clip.speakers, speaker)))
            waveforms: list[np.ndarray] = []
            for clip in rng(self.seed, STREAM_CLIPS, speaker).permutation(spoken).tolist():
                if sum(map(len, waveforms)) < SPEECH_SECONDS * SAMPLE_RATE_HZ:
                    waveforms.append(corpus.waveform(clip) * INT16_SCALE)
            voices.append(Voice(corpus.speakers[speaker]["speaker"], speaker, waveforms, real))
        return voices

    def _of_files(self) -> list[Voice]:
        voices = []
        for number, path in enumerate(self.audio[:self.limit]):
            files = [path]
            if path.is_dir():
                files = below(path, SOUND)
                if left := below(path, UNREAD_SOUND):
                    print(f"{path}: {unread(left, SOUND)}", file=sys.stderr)
                if not files:
                    raise ValueError(f"{path}: no sound files in this folder. Looked for: {', '.join(SOUND)}.")
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
        assert generator.decoder is not None        # else there are no image_sizes
        plain = Generator(generator.features, generator.encoder, None, generator.decoder, generator.window_samples)
        embedded = plain.embeddings([segment for of_item in segments for segment in of_item], self.batch_size)
        ends = np.cumsum([len(of_item) for of_item in segments])
        means = np.stack([part.mean(axis=0) for part in np.split(embedded, ends[:-1])])
        device = next(generator.parameters()).device
        faces = []
        with torch.no_grad(), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), evaluating(generator):
            for start in range(0, len(means), self.batch_size):
                torch.manual_seed(self.seed + start)
                drawn = generator.decoder(torch.from_numpy(means[start:start + self.batch_size]).to(device))
                faces.append(to_uint8(drawn[self.size], pixel_space(generator.decoder)))
        return np.concatenate(faces)

    @cached_property
    def _device(self) -> str:
        return str(next(self.run.generator.parameters()).device)

    def judge(self, voices: Sequence[Voice], corpus: Corpus | None = None) -> Judge:
        """corpus: which the voices' real faces are of, if not the study's."""
        embedder = build(Embedder, {"name": "dlib", "device": self._device}, "extractor")
        detector = build(Detector, {"name": "mtcnn", "device": self._device}, "detector")
        return Judge(voices, (corpus or self.corpus).face_box, embedder, detector, self.seed)


class Judge:
    """Holds drawn faces against the voices' real ones: dlib's embedding for likeness, MTCNN for whether there is a face."""

    def __init__(self, voices: Sequence[Voice], face_box: FaceBox, embedder: Embedder, detector: Detector, seed: int = 0):
        self.face_box, self.embedder, self.detector, self.seed = face_box, embedder, detector, seed
        self.real = np.concatenate([voice.faces for voice in voices])
        self.owner = np.repeat(np.arange(len(voices)), [len(voice.faces) for voice in voices])
        self._units = self.embed(self.real)
        self._sums = np.zeros((len(voices), embedder.dim))
        np.add.at(self._sums, self.owner, self._units)
        known = np.bincount(self.owner, minlength=len(voices)) > 0
        self.means = np.where(known[:, None], unit(self._sums), np.nan)

    def embed(self, faces: np.ndarray) -> np.ndarray:
        """uint8 (N, H, W, 3) -> float64 (N, E) of unit length."""
        return unit(self.embedder(faces, self.face_box).astype(np.float64))

    def found(self, faces: np.ndarray) -> np.ndarray:
        """(N,): 1 where the detector finds a face, else 0."""
        return self.detector(faces).astype(np.float64)

    def to_real(self, embedded: np.ndarray, voice: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cosine of each embedding to its voice's mean real face, and its mean cosine to the others': (N,) each.

        embedded: (N, E) of unit length. voice: (N,), places in `voices`. The second is what a face scores when it is handed to
        everybody else in turn: the shuffled control, without chance. NaN where there is no real face.
        """
        return self.own_and_others(embedded, voice, self.means)

    @staticmethod
    def own_and_others(embedded: np.ndarray, voice: np.ndarray, references: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As to_real, to references (P, E), one a voice; rows of NaN are no voice's."""
        cosines = embedded @ references.T
        own = cosines[np.arange(len(voice)), voice]
        mine = np.arange(len(references)) == voice[:, None]
        others = np.isfinite(cosines) & ~mine
        count = others.sum(axis=1)
        total = np.where(others, cosines, 0.0).sum(axis=1)
        return own, np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def real_similarity(self) -> float:
        """What real faces score: each against the mean of the speaker's other real faces. NaN if nobody has two."""
        counts = np.bincount(self.owner, minlength=len(self.means))[self.owner]
        without = unit(self._sums[self.owner] - self._units)
        return mean_over_speakers(np.where(counts > 1, (self._units * without).sum(axis=1), np.nan), self.owner)

    def real_found(self) -> float:
        """Share of real faces in which the detector finds one."""
        return mean_over_speakers(self.found(self.real), self.owner) if len(self.real) else math.nan

    def measure(self, values: np.ndarray, voice: np.ndarray) -> Measured:
        """values, voice: (N,). The mean over voices with its interval."""
        return Measured(mean_over_speakers(values, voice), *interval(values, voice, self.seed))

    def change(self, values: np.ndarray, voice: np.ndarray, before: np.ndarray, voice_before: np.ndarray) -> Measured:
        """values minus before, paired by voice."""
        found = paired_difference(values, voice, before, voice_before, self.seed)
        return Measured(found.mean, *found.interval)


class Experiment(ABC):
    """about: one line for the command's help. split: whose voices are drawn where none is named."""

    about: str
    split: str = "unseen_speech"

    @abstractmethod
    def __call__(self, study: Study) -> Finding:
        """Raises ValueError, one line, if the voices do not suffice."""


# -- what several experiments do --------------------------------------------------------------------------------------


def windows(waveform: np.ndarray, samples: int, hop: int) -> list[np.ndarray]:
    """Every window of that many samples, each `hop` after the one before; none if the waveform is shorter."""
    return [waveform[start:start + samples] for start in range(0, len(waveform) - samples + 1, hop)]


# What `likeness` measures, in a sheet's words.
COLUMNS = ("similarity: cosine (dlib) to the speaker's mean real face; to_others: to the other speakers' mean real faces; "
           "change: from the first row, paired by speaker; real_similarity: of real faces; found: share in which MTCNN finds a "
           "face; real_found: of real faces.")


def likeness(judge: Judge, faces: np.ndarray, voice: np.ndarray,
             first: tuple[np.ndarray, np.ndarray] | None) -> tuple[dict[str, Any], tuple[np.ndarray, np.ndarray]]:
    """The columns that most tables share, of faces drawn for voices; and (values, voice) for the rows below to be compared with.

    They are explained in COLUMNS.
    """
    own, others = judge.to_real(judge.embed(faces), voice)
    values, before = first or (own, voice)
    return dict(speakers=len(np.unique(voice)), faces=len(faces), similarity=judge.measure(own, voice),
                to_others=judge.measure(others, voice),
                change=Measured(math.nan) if first is None else judge.change(own, voice, values, before),
                real_similarity=judge.real_similarity(), found=judge.measure(judge.found(faces), voice),
                real_found=judge.real_found()), (values, before)


def real_picture(voice: Voice) -> np.ndarray | None:
    return voice.faces[0] if len(voice.faces) else None


# -- from a name to files ---------------------------------------------------------------------------------------------


def experiments() -> list[str]:
    """The names, as the command takes them."""
    return [name.replace("_", "-") for name in names(Experiment)]


def overview() -> str:
    """A line on each, for the command's help."""
    return "\n".join(["experiments:", *(f"  {name:<20}{find(name).about}" for name in experiments())])


def find(name: str) -> Experiment:
    """Raises ValueError naming what there is."""
    if name not in experiments():
        raise ValueError(f"experiment: no experiment {name}. Have: {', '.join(experiments())}." + nearest(name, experiments()))
    return build(Experiment, {"name": name.replace("-", "_")}, "experiment")


def perform(name: str, run: Run, corpus_name: str | None = None, split: str | None = None, audio: Sequence[Path] = (),
            limit: int = 100, seed: int = 0, out: Path = Path()) -> tuple[Path, Path]:
    """Do an experiment; write out/NAME.png and out/NAME.csv, print the numbers as a Markdown table, and return the two paths.

    corpus_name: default the run's own. Raises ValueError, one line, for what does not exist or does not suffice.
    """
    experiment = find(name)
    study = Study(run, open_corpus(corpus_name or run.config.data.corpus), split, audio, limit, seed)
    finding = experiment(study)
    voices = f"{len(audio)} of your sounds" if audio else f"{study.corpus.name}, {split or experiment.split}"
    title = f"{name}: {run.path.name}, step {run.step}, {voices}"
    out.mkdir(parents=True, exist_ok=True)
    picture, numbers = out / f"{name}.png", out / f"{name}.csv"
    write_sheet(picture, finding, title)
    write_atomically(numbers, _csv(finding.rows))
    print(f"### {title}", "", markdown(finding.rows), "", *finding.notes, *finding.legend, "", picture, numbers, sep="\n")
    return picture, numbers


def write_sheet(path: Path, finding: Finding, title: str) -> None:
    """The sheet as a PNG, marked as what it is."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "voxface")
    info.add_text("Description", MARK)
    content = io.BytesIO()
    draw_sheet(finding, title).save(content, format="PNG", pnginfo=info)
    write_atomically(path, content.getvalue())


def _csv(rows: Sequence[dict[str, Any]]) -> bytes:
    """Measured becomes three columns: name, name_low, name_high. What is not known is left empty."""
    flat = []
    for row in rows:
        line: dict[str, Any] = {}
        for key, value in row.items():
            parts = {key: value.value, f"{key}_low": value.low, f"{key}_high": value.high} if isinstance(value, Measured) \
                else {key: value}
            line |= {k: "" if isinstance(v, float) and math.isnan(v) else f"{v:.6g}" if isinstance(v, float) else v
                     for k, v in parts.items()}
        flat.append(line)
    text = io.StringIO()
    table = csv.DictWriter(text, list(flat[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(flat)
    return text.getvalue().encode()


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """A Markdown table; columns in which nothing is known are left out."""
    def cell(value: Any) -> str:
        if isinstance(value, float):
            return "" if math.isnan(value) else f"{round(value, 3):g}"
        return " ".join(str(value).split()).replace("|", "\\|")

    cells = [{key: cell(value) for key, value in row.items()} for row in rows]
    keys = [key for key in cells[0] if any(line[key] for line in cells)]
    lines = [keys, ["---", *["---:"] * (len(keys) - 1)], *([line[key] for key in keys] for line in cells)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


# -- the sheet --------------------------------------------------------------------------------------------------------

SMALLEST_CELL = 96  # px; smaller faces are enlarged by a whole factor
GAP = 6
INK, PAPER = (20, 20, 20), (255, 255, 255)


def draw_sheet(finding: Finding, title: str) -> Image.Image:
    """Title, column captions, rows of faces with their captions before them, notes below. A column without a face is left out."""
    face = next(face for _, row in finding.pictures for face in row if face is not None)
    kept = [at for at in range(len(finding.columns)) if any(row[at] is not None for _, row in finding.pictures)]
    factor = math.ceil(SMALLEST_CELL / face.shape[0])
    cell = face.shape[0] * factor
    font, bold = ImageFont.load_default(size=13), ImageFont.load_default(size=16)
    heads = [_wrapped(finding.columns[at], font, cell) for at in kept]
    sides = [_wrapped(caption, font, 150) for caption, _ in finding.pictures]
    left = GAP + math.ceil(max(font.getlength(line) for side in sides for line in side)) + GAP
    width = max(left + len(heads) * (cell + GAP), 560)
    below = [line for note in finding.notes for line in _wrapped(note, font, width - 2 * GAP)]
    name = _wrapped(title, bold, width - 2 * GAP)
    line_height = 17
    top = GAP + len(name) * 21 + GAP + max(map(len, heads)) * line_height + GAP
    height = top + len(sides) * (cell + GAP) + GAP + len(below) * line_height + GAP
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, line in enumerate(name):
        pen.text((GAP, GAP + number * 21), line, INK, bold)
    for column, head in enumerate(heads):
        for number, line in enumerate(head):
            x = left + column * (cell + GAP) + (cell - font.getlength(line)) / 2
            pen.text((x, top - GAP - (len(head) - number) * line_height), line, INK, font)
    for number, (side, (_, row)) in enumerate(zip(sides, finding.pictures, strict=True)):
        y = top + number * (cell + GAP)
        for at, line in enumerate(side):
            pen.text((GAP, y + (cell - len(side) * line_height) / 2 + at * line_height), line, INK, font)
        for column, at in enumerate(kept):
            if (picture := row[at]) is not None:
                large = Image.fromarray(picture).resize((cell, cell), Image.Resampling.NEAREST)
                sheet.paste(large, (left + column * (cell + GAP), y))
    for number, line in enumerate(below):
        pen.text((GAP, height - GAP - (len(below) - number) * line_height), line, INK, font)
    return sheet


def _wrapped(text: str, font: Any, width: float) -> list[str]:
    """Lines no wider than that; a word that is wider alone is cut. Letters that Pillow's own font lacks lose their accents."""
    if "\n" in text:
        return [line for part in text.splitlines() for line in _wrapped(part, font, width)]
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    text = plain.encode("ascii", "replace").decode()
    narrowest = max(1, int(width / max(font.getlength("m"), 1)))
    for characters in range(max(len(text), narrowest), narrowest - 1, -1):
        lines = textwrap.wrap(text, characters) or [""]
        if all(font.getlength(line) <= width for line in lines):
            return lines
    return textwrap.wrap(text, narrowest)
