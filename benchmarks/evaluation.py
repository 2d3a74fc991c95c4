"""What the whole evaluation of one model costs, from one picture at a time to what voxface does: processor seconds, one thread.

    OMP_NUM_THREADS=1 python -m benchmarks.evaluation --run runs/demo-...

Ten runs of random crops at two clip lengths, both unseen splits, every metric of the default protocol that needs no weight file.
At first each metric puts every drawn and every true face that it asks for through its net, one after the other, as a script a
metric does; then one thing after the other is switched on, and all must give the same scores. True faces are taken once a metric,
and not once a run as where each run is an evaluation of its own. The judges that metrics train (of identities, of attributes) are
trained before and count nowhere. Without --run the generator is the demo recipe's, untrained but for batch norm, so that
its pictures differ as a trained one's do.
"""

from __future__ import annotations

import argparse
import copy
import functools
import hashlib
import importlib
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import dlib
import numpy as np
import torch

from benchmarks.record import RESULTS, record
from evaluation.cache import VARIABLE, cached_features
from evaluation.extractors.dlib import FILE, SIZE, Dlib, find_weights
from evaluation.faces import FaceBox, crop_and_resize
from evaluation.metrics import attributes, identity_accuracy
from evaluation.metrics.base import Metric
from evaluation.trained.attribute_reader import AttributeReader
from gan.config import Evaluation
from gan.data.corpora import open_corpus
from gan.data.corpus import Corpus
from gan.model import Generator, build_model
from gan.recipes import load, load_protocol
from gan.run import load as load_run
from gan.scoring.evaluate import build_metrics, evaluate_system
from gan.scoring.requests import Condition, make_requests
from gan.scoring.systems import Drawn, Prior

# Where pictures reach nets: each of these modules took evaluation.cache's cached_features.
ASKING = ("evaluation.extractors.base", "evaluation.detectors.base", "evaluation.landmarks", "evaluation.metrics.vggface_score")
FIRST, BAR = "one picture at a time", "every picture once"
TOLERANCE = 0.01  # between scores: a batch's faces may differ from single ones by a grey level, and nets in the last digits

Compute = Callable[[np.ndarray], np.ndarray]
Features = Callable[[np.ndarray, Compute, int, int], np.ndarray]
Scores = dict[tuple[str, float, str], float]


def singly(images: np.ndarray, compute: Compute, dim: int, batch_size: int) -> np.ndarray:
    """In place of cached_features: every picture, one after the other."""
    return in_batches(images, compute, dim, 1)


def in_batches(images: np.ndarray, compute: Compute, dim: int, batch_size: int) -> np.ndarray:
    """In place of cached_features: every picture, batch by batch."""
    parts = [compute(images[start : start + batch_size]) for start in range(0, len(images), batch_size)]
    return np.concatenate([np.zeros((0, dim), np.float32), *parts]).astype(np.float32)


def distinct(images: np.ndarray, compute: Compute, dim: int, batch_size: int) -> np.ndarray:
    """In place of cached_features: of equal pictures of one call the first, batch by batch."""
    place: dict[bytes, int] = {}
    of = [place.setdefault(image.tobytes(), len(place)) for image in images]
    first = np.unique(of, return_index=True)[1]
    return in_batches(images[first], compute, dim, batch_size)[of]


def by_dlib_itself(embedder: Dlib, images: np.ndarray, face_box: FaceBox) -> np.ndarray:
    """In place of Dlib.embed: the published implementation of the same net."""
    planar = torch.from_numpy(images).movedim(-1, 1).float()
    chips = crop_and_resize(planar, face_box, SIZE).round_().clamp_(0, 255).byte().movedim(1, -1).numpy()
    net = _published_net()
    return np.array([net.compute_face_descriptor(np.ascontiguousarray(chip)) for chip in chips], dtype=np.float32)


@functools.cache
def _published_net() -> dlib.face_recognition_model_v1:
    return dlib.face_recognition_model_v1(str(find_weights(FILE)))


@dataclass(frozen=True)
class Rung:
    """How the evaluation is done. features: in cached_features' place; None is itself. batches: the generator and the classifier
    work in them too. keeps: what the rungs before left in the cache. another: a model whose faces are not there yet.
    """

    features: Features | None = None
    batches: bool = True
    published_net: bool = False
    keeps: bool = False
    another: bool = False


LADDER = {
    f"{FIRST}, dlib's own face net": Rung(singly, batches=False, published_net=True),
    FIRST: Rung(singly, batches=False),
    "+ batches": Rung(in_batches),
    "+ equal pictures once a metric": Rung(distinct),
    BAR: Rung(),
    "+ cache, another model": Rung(keeps=True, another=True),
    "+ cache, the same again": Rung(keeps=True),
}


@dataclass(frozen=True)
class Cost:
    """seconds: of the processor. pictures: how many nets were given, each net counting; faces to draw are not among them."""

    seconds: float
    pictures: int
    scores: Scores


class Bench:
    """One model on one corpus under one protocol. folder: for a cache of its own."""

    def __init__(self, generator: Generator, corpus: Corpus, settings: Evaluation, folder: Path):
        self.generator, self.corpus, self.settings, self.folder = generator, corpus, settings, folder
        self.metrics = {name: metric for name, metric in build_metrics(settings).items() if isinstance(metric, Metric)}
        self.size = generator.image_sizes[-1]
        # Another model of the same kind: the same work, other faces.
        self.other = copy.deepcopy(generator)
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            for weights in self.other.parameters():
                weights.mul_(1 + 0.02 * torch.randn_like(weights))
        self._readers: dict[bytes, AttributeReader] = {}

    def prepare(self) -> None:
        """Train the judges, and read weights and speech, so that no rung pays for it."""
        brief = replace(self.settings, runs=1)
        with self._as(Rung()):
            for split in brief.splits:
                evaluate_system(Prior(), Condition(self.corpus, brief, split, min(brief.seconds)), self.size, self.metrics)
        for split in self.settings.splits:
            for seconds in self.settings.seconds:
                make_requests(self.corpus, split, seconds, self.settings.runs, self.settings.seed)

    def measure(self, rung: Rung) -> Cost:
        if not rung.keeps:
            for kept in ("features", "reference"):
                shutil.rmtree(self.folder / kept, ignore_errors=True)
        if rung.published_net:
            _published_net()
        settings = self.settings if rung.batches else replace(self.settings, batch_size=1)
        system, scores = Drawn(self.other if rung.another else self.generator), Scores()
        with self._as(rung) as count:
            began = time.process_time()
            for split in settings.splits:
                for seconds in settings.seconds:
                    found = evaluate_system(system, Condition(self.corpus, settings, split, seconds), self.size, self.metrics)
                    scores |= {(split, seconds, score.metric): score.value for score in found.scores}
            return Cost(time.process_time() - began, sum(count), scores)

    def drawn(self, generator: Generator) -> tuple[int, int]:
        """Faces that a generator is asked for, and how many of them are unlike."""
        asked = [
            make_requests(self.corpus, split, seconds, self.settings.runs, self.settings.seed)
            for split in self.settings.splits
            for seconds in self.settings.seconds
        ]
        faces = [face.tobytes() for one in asked for face in Drawn(generator).draw(one, self.corpus, self.size, self.settings)]
        return len(faces), len(set(faces))

    @contextmanager
    def _as(self, rung: Rung) -> Iterator[list[int]]:
        """Within, the evaluation works as a rung says. Yields the counts of pictures that nets were given."""
        count: list[int] = []

        def features(
            images: np.ndarray, label: str, compute: Compute, dim: int, batch_size: int = 64, progress: str = ""
        ) -> np.ndarray:
            def counted(batch: np.ndarray) -> np.ndarray:
                count.append(len(batch))
                return compute(batch)

            if rung.features is None:
                return cached_features(images, label, counted, dim, batch_size, progress)
            # In rows of pixels, as cached_features hands them on: of others dlib's detector may see anything.
            return rung.features(np.ascontiguousarray(images), counted, dim, batch_size)

        with ExitStack() as patches:
            patches.enter_context(mock.patch.dict(os.environ, {VARIABLE: str(self.folder)}))
            for module in ASKING:
                patches.enter_context(mock.patch.object(importlib.import_module(module), "cached_features", features))
            patches.enter_context(mock.patch.object(attributes, "AttributeReader", self._reader))
            if not rung.batches:
                one = functools.partial(identity_accuracy.name_faces, batch_size=1)
                patches.enter_context(mock.patch.object(identity_accuracy, "name_faces", one))
            if rung.published_net:
                patches.enter_context(mock.patch.object(Dlib, "embed", by_dlib_itself))
            yield count

    def _reader(self, faces: np.ndarray, *rest: object) -> AttributeReader:
        """The judge of attributes, fitted once for the same faces."""
        content = hashlib.sha256(faces.tobytes()).digest()
        if content not in self._readers:
            self._readers[content] = AttributeReader(faces, *rest)  # type: ignore[arg-type]
        return self._readers[content]


def untrained(corpus: Corpus) -> Generator:
    """The demo recipe's generator with random weights. With batch norm as it begins, all its pictures would be one."""
    heard = make_requests(corpus, "train", 1.0, 5, 0).waveforms
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = build_model(load("demo"), len(corpus.speakers)).generator.train()
        for step in range(30):
            generator(generator.fit([heard[(step * 16 + at) % len(heard)] for at in range(16)]))
    return generator.eval()


def difference(scores: Scores, than: Scores) -> float:
    """The largest of |a - b| / max(1, |b|). Raises ValueError naming one that is above TOLERANCE or that only one of them has."""
    largest = 0.0
    for key in scores.keys() | than.keys():
        a, b = scores.get(key, math.nan), than.get(key, math.nan)
        if math.isnan(a) and math.isnan(b):
            continue
        apart = abs(a - b) / max(1.0, abs(b))
        if not apart <= TOLERANCE:
            raise ValueError(f"{key}: {a} and {b}. The evaluations that are compared must give the same scores.")
        largest = max(largest, apart)
    return largest


def climb(bench: Bench, ladder: dict[str, Rung]) -> dict[str, Cost]:
    """Every rung's cost. Raises ValueError if two of them give other scores for the same model."""
    costs: dict[str, Cost] = {}
    for name, rung in ladder.items():
        costs[name] = cost = bench.measure(rung)
        print(f"{name}: {cost.seconds:.1f} s, {cost.pictures} pictures", flush=True)
        if not rung.another:
            difference(cost.scores, costs[FIRST if FIRST in costs else name].scores)
    return costs


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluation", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, help="of a model without noise, its folder (default: demo's generator, untrained)")
    parser.add_argument("--corpus", default="toy:tiny", help="default %(default)s")
    parser.add_argument("--runs", type=int, default=10, help="of random crops (default %(default)s)")
    # The tiny world's clips last 4 s: crops of 5 s would all be one, and equal pictures count once.
    parser.add_argument("--seconds", type=float, nargs="+", default=[1.25, 2.5], help="of speech (default: 1.25 2.5)")
    parser.add_argument("--rungs", nargs="+", choices=list(LADDER), default=list(LADDER), metavar="RUNG", help=", ".join(LADDER))
    parser.add_argument("--results", type=Path, default=RESULTS, help="file to append to (default: benchmarks/results.jsonl)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    corpus = open_corpus(options.corpus)
    run = load_run(options.run, "cpu") if options.run else None
    generator = run.generator if run else untrained(corpus)
    settings = replace(load_protocol("default"), runs=options.runs, seconds=options.seconds)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(generator, corpus, settings, Path(folder))
        bench.prepare()
        costs = climb(bench, {name: LADDER[name] for name in options.rungs})
        drawn, unlike = bench.drawn(generator)
    before: Cost | None = None
    for name, cost in costs.items():
        record(
            "evaluation",
            dict(
                model=run.path.name if run else "demo, untrained",
                corpus=corpus.name,
                splits=settings.splits,
                runs=settings.runs,
                speech_seconds=settings.seconds,
                metrics=list(bench.metrics),
                drawn=drawn,
                drawn_unlike=unlike,
                rung=name,
                processor_seconds=round(cost.seconds, 2),
                pictures=cost.pictures,
                times_faster=round(costs[FIRST].seconds / cost.seconds, 2),
                times_faster_than_before=None if before is None else round(before.seconds / cost.seconds, 2),
                scores=sum(not math.isnan(value) for value in cost.scores.values()),
                largest_difference=None if LADDER[name].another else difference(cost.scores, costs[FIRST].scores),
            ),
            options.results,
        )
        before = cost


if __name__ == "__main__":
    main()
