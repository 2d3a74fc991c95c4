import importlib
import json
import pkgutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import evaluation
from benchmarks import evaluation as benchmark
from benchmarks import table
from benchmarks.evaluation import ASKING, BAR, FIRST, LADDER, Bench, climb, difference, distinct, in_batches, singly, untrained
from evaluation import cache
from gan.config import Evaluation
from gan.data.corpus import Corpus
from gan.recipes import load_protocol

SOME = ("l1", "similarity", "collapse", "landmarks_hog")


@pytest.fixture(autouse=True)
def threads_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)


def test_every_module_that_keeps_features_is_switched() -> None:
    found = {
        module.name
        for module in pkgutil.walk_packages(evaluation.__path__, "evaluation.")
        if hasattr(importlib.import_module(module.name), "cached_features")
    }
    assert found == {*ASKING, cache.__name__}


@pytest.mark.parametrize(("features", "looked"), [(singly, [1] * 5), (in_batches, [2, 2, 1]), (distinct, [2, 1])])
def test_what_is_looked_at(features: benchmark.Features, looked: list[int]) -> None:
    batches = []

    def compute(images: np.ndarray) -> np.ndarray:
        batches.append(len(images))
        return images.reshape(len(images), -1)[:, :2].astype(np.float32)

    images = np.array([7, 3, 7, 9, 3], np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    assert np.array_equal(features(images, compute, 2, 2), [[7, 7], [3, 3], [7, 7], [9, 9], [3, 3]])
    assert batches == looked
    assert features(images[:0], compute, 2, 2).shape == (0, 2)


def test_other_scores_are_refused() -> None:
    scores = {("s", 1.0, "a"): 0.5, ("s", 1.0, "b"): float("nan")}
    assert difference(scores, scores) == 0
    assert difference(scores | {("s", 1.0, "a"): 0.504}, scores) == pytest.approx(0.004)
    for other in ({("s", 1.0, "a"): 0.52}, {("s", 1.0, "b"): 1.0}, {("s", 1.0, "c"): 1.0}):
        with pytest.raises(ValueError, match="must give the same scores"):
            difference(scores | other, scores)


def brief() -> Evaluation:
    """The default protocol with a few of its metrics, on one split."""
    settings = load_protocol("default")
    metrics = {name: settings.metrics[name] for name in SOME} | {"identity": {"name": "identity_accuracy", "steps": 2}}
    return replace(settings, splits=["unseen_speech"], runs=2, seconds=[0.3], metrics=metrics)


@pytest.fixture(scope="module")
def bench(tiny: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    made = Bench(untrained(tiny), tiny, brief(), tmp_path_factory.mktemp("cache"))
    made.prepare()
    return made


@pytest.mark.slow
def test_the_ladder(bench: Bench) -> None:
    costs = climb(bench, {name: rung for name, rung in LADDER.items() if not rung.published_net})
    pictures = [cost.pictures for cost in costs.values()]
    assert pictures[0] == pictures[1] > pictures[2] > pictures[3] > pictures[4] > pictures[5] == 0
    drawn, unlike = bench.drawn(bench.other)
    assert drawn == unlike == 2 * 12
    # dlib's net and the detector look at each face once; the true faces are known to the next model.
    assert pictures[4] == 2 * unlike
    assert {cost.scores.keys() == costs[FIRST].scores.keys() for cost in costs.values()} == {True}
    assert costs["+ cache, another model"].scores != costs[BAR].scores
    assert ("unseen_speech", 0.3, "identity_accuracy") in costs[BAR].scores


@pytest.mark.slow
def test_a_rung_that_scores_otherwise_is_no_rung(bench: Bench) -> None:
    def wrong(images: np.ndarray, compute: benchmark.Compute, dim: int, batch_size: int) -> np.ndarray:
        darkened = images.copy()
        darkened[::2] //= 8
        return in_batches(darkened, compute, dim, batch_size)

    with pytest.raises(ValueError, match="must give the same scores"):
        climb(bench, {FIRST: LADDER[FIRST], "wrong": replace(LADDER[FIRST], features=wrong)})


@pytest.mark.slow
def test_rows(tiny: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """dlib's own face net included, which takes its time."""
    monkeypatch.setattr(benchmark, "load_protocol", lambda name: brief())
    results = tmp_path / "results.jsonl"
    benchmark.main(["--runs", "1", "--seconds", "0.3", "--results", str(results)])
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    assert [row["rung"] for row in rows] == list(LADDER)
    assert rows[0]["pictures"] == rows[1]["pictures"] > rows[4]["pictures"] > rows[6]["pictures"] == 0
    assert all(row["largest_difference"] < benchmark.TOLERANCE for row in rows if row["rung"] != "+ cache, another model")
    text = table.tables(rows)
    assert "| demo, untrained | 12, " in text
    assert f"| {BAR} |" in text
