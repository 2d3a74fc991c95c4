"""What draws faces in an evaluation: a trained run, or one of the controls that every table stands between."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from evaluation.progress import Progress
from gan.config import Evaluation, nearest
from gan.data.corpus import Corpus
from gan.data.dataset import BySpeaker, rng
from gan.data.pictures import resize
from gan.data.toy.faces import draw_picture, render_face
from gan.data.toy.speakers import Speaker, given_audible
from gan.model import Generator
from gan.run import Run
from gan.scoring.requests import Requests

STREAM_SHUFFLE, STREAM_ORACLE, STREAM_NOISE, STREAM_ATTRIBUTES = range(101, 105)
AGAIN = 1 << 20  # added to the seed of a system's noise when the same speech is drawn once more


class System(ABC):
    """Something that draws faces. name: as it stands in tables. about: what a picture of its faces must say of it, or ""."""

    name: str
    about: str = ""

    @abstractmethod
    def draw(self, requests: Requests, corpus: Corpus, size: int, settings: Evaluation) -> np.ndarray:
        """uint8 (N, size, size, 3), one face a request."""

    def again(self, requests: Requests, corpus: Corpus, size: int, settings: Evaluation) -> np.ndarray:
        """The same once more with other noise. A system without noise draws the same."""
        return self.draw(requests, corpus, size, replace(settings, seed=settings.seed + AGAIN))


class Drawn(System):
    """A trained generator, given the right speech."""

    def __init__(self, generator: Generator, name: str = "model"):
        self.generator, self.name = generator, name
        self.about = f"{name} draws from the true face, not from speech" if generator.reads == "face" else ""
        self._last: tuple[Requests, int, np.ndarray] | None = None

    def draw(self, requests: Requests, corpus: Corpus, size: int, settings: Evaluation) -> np.ndarray:
        if self._last is None or self._last[0] is not requests or self._last[1] != size:  # its shuffled twin asks for the same
            self._last = requests, size, self._draw(requests, corpus, size, settings, settings.seed)
        return self._last[2]

    def again(self, requests: Requests, corpus: Corpus, size: int, settings: Evaluation) -> np.ndarray:
        return self._draw(requests, corpus, size, settings, settings.seed + AGAIN)

    def _draw(self, requests: Requests, corpus: Corpus, size: int, settings: Evaluation, seed: int) -> np.ndarray:
        face_to_face = self.generator.reads == "face"  # such a system gets the true face: the bound of its decoder
        items = list(corpus.pixels(requests.target, max(corpus.face_sizes))) if face_to_face else requests.waveforms
        batches = range(0, len(items), settings.batch_size)
        faces = np.concatenate(
            [
                self.generator.draw(items[start : start + settings.batch_size], seed + start)
                for start in Progress(batches, desc=f"draw {self.name}", unit="batch", leave=False)
            ]
        )
        return np.stack([resize(face, size) for face in faces])


class Shuffled(System):
    """The same faces, each handed to another speaker: what the model scores when it cannot know who spoke."""

    about = "shuffled: a system's faces, each handed to another speaker"

    def __init__(self, drawn: Drawn):
        self.drawn, self.name = drawn, f"shuffled {drawn.name}"

    def draw(self, requests: Requests, corpus: Corpus, size: int, settings: Evaluation) -> np.ndarray:
        return self._shuffle(self.drawn.draw(requests, corpus, size, settings), requests, settings)

    def again(self, requests: Requests, corpus: Corpus, size: int, settings: Evaluation) -> np.ndarray:
        return self._shuffle(self.drawn.again(requests, corpus, size, settings), requests, settings)

    def _shuffle(self, faces: np.ndarray, requests: Requests, settings: Evaluation) -> np.ndarray:
        shuffled = faces.copy()
        for run in np.unique(requests.run):
            here = np.flatnonzero(requests.run == run)  # every speaker once
            if len(here) > 1:
                random = rng(settings.seed, STREAM_SHUFFLE, int(run))
                order = here[random.permutation(len(here))]
                shuffled[order] = faces[np.roll(order, 1)]
        return shuffled


class Prior(System):
    """The mean training face, whoever speaks."""

    name, about = "prior", "prior: the mean training face, whoever speaks"

    def draw(self, requests: Requests, corpus: Corpus, size: int, settings: Evaluation) -> np.ndarray:
        faces = corpus.in_split(corpus.faces, "train")
        total = np.zeros((size, size, 3))
        for start in range(0, len(faces), 1024):
            total += corpus.pixels(faces[start : start + 1024], size).sum(axis=0, dtype=np.float64)
        mean = np.rint(total / max(len(faces), 1)).astype(np.uint8)
        return np.broadcast_to(mean, (len(requests.speaker), *mean.shape)).copy()


class OracleIdentity(System):
    """Toy world: a fresh picture from all true attributes. Nothing that knows the speaker can do better."""

    name, about = "oracle-identity", "oracle-identity: a new picture of the very person"

    def draw(self, requests: Requests, corpus: Corpus, size: int, settings: Evaluation) -> np.ndarray:
        return np.stack(
            [
                self._picture(Speaker.from_row(corpus.speakers[speaker]), number, size, corpus, settings)
                for number, speaker in enumerate(Progress(requests.speaker, desc=f"draw {self.name}", unit="face", leave=False))
            ]
        )

    def _picture(self, speaker: Speaker, number: int, size: int, corpus: Corpus, settings: Evaluation) -> np.ndarray:
        random = rng(settings.seed, STREAM_ORACLE, number)
        picture = draw_picture(random, corpus.info["extra"]["toy"]["background"])
        return resize(render_face(self._seen(speaker, random), picture, 128), size)

    def _seen(self, speaker: Speaker, random: np.random.Generator) -> Speaker:
        return speaker


class OracleVoice(OracleIdentity):
    """Toy world: true audible attributes, the inaudible ones drawn as they are distributed. Nobody can hear more."""

    name, about = "oracle-voice", "oracle-voice: of the person what can be heard, the rest at random"

    def _seen(self, speaker: Speaker, random: np.random.Generator) -> Speaker:
        return given_audible(speaker, random)


class Noise(System):
    """Uniform random pixels: what a metric says of pictures that are no faces."""

    name = "noise"

    def draw(self, requests: Requests, corpus: Corpus, size: int, settings: Evaluation) -> np.ndarray:
        return rng(settings.seed, STREAM_NOISE, 0).integers(0, 256, (len(requests.speaker), size, size, 3), dtype=np.uint8)


class AttributeOracle(System):
    """A real training face of another speaker of the same sex, and of the nearest ages where ages are known: what hearing just
    these two, perfectly, is worth. Nearest: the closest tenth of the speakers of that sex, one at least.
    """

    name, about = "attribute-oracle", "attribute-oracle: a real face of somebody else of the same sex, and age where it is known"

    def draw(self, requests: Requests, corpus: Corpus, size: int, settings: Evaluation) -> np.ndarray:
        faces = corpus.in_split(corpus.faces, "train")
        by_speaker = BySpeaker(corpus.faces["speaker"][faces], faces)
        random = rng(settings.seed, STREAM_ATTRIBUTES, 0)
        chosen = [random.choice(self._alike(int(speaker), by_speaker.speakers, corpus)) for speaker in requests.speaker]
        rows = by_speaker.draw(np.searchsorted(by_speaker.speakers, chosen), random.random(len(chosen)))
        return corpus.pixels(rows, size)

    def _alike(self, speaker: int, others: np.ndarray, corpus: Corpus) -> np.ndarray:
        about = corpus.speakers
        alike = np.array([o for o in others if o != speaker and about[o]["sex"] == about[speaker]["sex"]])
        try:
            apart = np.array([abs(float(about[o]["age"]) - float(about[speaker]["age"])) for o in alike])
        except (KeyError, ValueError):  # ages are not known
            return alike
        return alike[np.argsort(apart, kind="stable")[: max(1, len(alike) // 10)]]


def _needs_toy(corpus: Corpus) -> str | None:
    return None if "toy" in corpus.info["extra"] else f"only the toy world knows true attributes; {corpus.name} is none"


def _needs_sex(corpus: Corpus) -> str | None:
    if not all(row.get("sex") for row in corpus.speakers):
        return f"{corpus.name} does not say every speaker's sex"
    training = set(corpus.faces["speaker"][corpus.in_split(corpus.faces, "train")].tolist())
    for number, row in enumerate(corpus.speakers):  # said now, not by the one speaker who stops an evaluation
        if not any(corpus.speakers[other]["sex"] == row["sex"] for other in training - {number}):
            return f"{corpus.name} has no training speaker, besides {row['speaker']}, of sex {row['sex']}"
    return None


# name -> how it is made, and why a corpus cannot have it (None: it can). `shuffled` besides: it is made of a run.
_CONTROLS: dict[str, tuple[Callable[[], System], Callable[[Corpus], str | None]]] = {
    "noise": (Noise, lambda corpus: None),
    "prior": (Prior, lambda corpus: None),
    "attribute-oracle": (AttributeOracle, _needs_sex),
    "oracle-voice": (OracleVoice, _needs_toy),
    "oracle-identity": (OracleIdentity, _needs_toy),
}
CONTROLS = ("noise", "prior", "shuffled", "attribute-oracle", "oracle-voice", "oracle-identity")


def possible(corpus: Corpus, runs: bool) -> list[str]:
    """The controls a corpus can have; shuffled needs a run."""
    return [name for name in CONTROLS if (runs if name == "shuffled" else _CONTROLS[name][1](corpus) is None)]


def make_systems(run: Run | None, names: Sequence[str], corpus: Corpus) -> list[System]:
    """The run itself and the named controls. Raises ValueError for one this corpus or call cannot have."""
    drawn = None if run is None else Drawn(run.generator, run.path.name)
    found: list[System] = [] if drawn is None else [drawn]
    for name in names:
        if name not in CONTROLS:
            raise ValueError(f"{name}: no such system. Have: a run's folder, {', '.join(CONTROLS)}." + nearest(name, CONTROLS))
        if name == "shuffled":
            if drawn is None:
                raise ValueError("shuffled: name a run too; it is that run's faces handed to other speakers.")
            found.append(Shuffled(drawn))
            continue
        make, lacks = _CONTROLS[name]
        if reason := lacks(corpus):
            raise ValueError(f"{name}: {reason}.")
        found.append(make())
    return found
