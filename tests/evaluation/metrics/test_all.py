"""Every metric file keeps the contract."""

import importlib
import inspect
import math
import pkgutil
import typing

import numpy as np
import pytest
import torch

import evaluation.metrics
from evaluation.detectors.base import Detector
from evaluation.extractors.base import Embedder
from evaluation.face_nets.base import VectorNet
from evaluation.face_nets.vgg import Vgg
from evaluation.metrics.base import Metric
from tests.evaluation.world import Bright, Pooled, trial

NAMES = [module.name for module in pkgutil.iter_modules(evaluation.metrics.__path__) if module.name != "base"]
QUICK = {"identity_accuracy": {"steps": 25}}


def find(name):
    module = importlib.import_module(f"evaluation.metrics.{name}")
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Metric) and value.__module__ == module.__name__
    ]
    assert len(found) == 1, f"{name}.py: one public metric"
    return found[0]


def small_face_net():
    """A net that names nine people at random, the same ones each time."""
    torch.manual_seed(0)
    return Vgg(num_identities=9, width=2, dense_dim=8, input_size=16)


def build(name):
    metric = find(name)
    judges = {Embedder: Pooled(), Detector: Bright(), VectorNet: small_face_net()}
    nested = {key: judges[kind] for key, kind in typing.get_type_hints(metric.__init__).items() if kind in judges}
    return metric(**nested, **QUICK.get(name, {}))


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_scores_are_whole(name):
    shown = trial()
    for score in build(name)(shown):
        assert not score.skipped, score.note
        assert score.interval[0] <= score.value <= score.interval[1]
        for number in (score.chance, score.upper):
            assert number is None or math.isfinite(number)
        if score.items is not None:
            assert score.items.shape == shown.speaker.shape
            assert score.items.mean() == pytest.approx(score.value)  # as many faces of each speaker
        assert "\n" not in score.metric + score.extractor + score.note


@pytest.mark.parametrize("name", NAMES)
def test_right_faces_are_not_worse_than_wrong_ones(name):
    metric = build(name)
    pairs = list(zip(metric(trial()), metric(trial(shift=5)), strict=True))
    # Correlations over 12 people agree by luck; that of all measures together hardly does.
    for right, wrong in pairs[-1:] if name == "craniofacial" else pairs:
        better = right.value - wrong.value
        assert better >= -1e-6 if right.higher_is_better else better <= 1e-6
        if right.chance is not None:
            assert (right.value > right.chance) == right.higher_is_better
            assert abs(wrong.value - right.chance) < 0.5 * abs(right.value - right.chance)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_same_trial_same_scores_and_nothing_is_changed(name):
    shown = trial(speakers=6)
    before = {key: value.copy() for key, value in vars(shown).items() if isinstance(value, np.ndarray)}
    first, second = build(name)(shown), build(name)(shown)
    for a, b in zip(first, second, strict=True):
        assert same(a.value, b.value)
        assert a.interval == b.interval or math.isnan(a.interval[0])
        assert a.extractor == b.extractor
    for key, value in before.items():
        assert np.array_equal(getattr(shown, key), value)


@pytest.mark.parametrize("name", NAMES)
def test_order_of_the_faces_does_not_matter(name):
    shown = trial(speakers=6, seed=1)
    order = np.random.default_rng(0).permutation(len(shown.speaker))
    moved = {key: getattr(shown, key)[order] for key in ("generated", "speaker", "clip", "run", "target")}
    for a, b in zip(build(name)(shown), build(name)(trial(speakers=6, seed=1, **moved)), strict=True):
        assert a.value == pytest.approx(b.value, rel=1e-6, abs=1e-6, nan_ok=True)
        if a.items is not None:
            assert np.allclose(a.items[order], b.items, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_no_generated_faces_is_skipped_with_a_reason(name):
    shown = trial(speakers=4)
    none = {key: getattr(shown, key)[:0] for key in ("generated", "speaker", "clip", "run", "target")}
    scores = build(name)(trial(speakers=4, **none))
    assert scores
    for score in scores:
        assert score.skipped
        assert score.note.startswith("skipped: ")


@pytest.mark.parametrize("name", NAMES)
def test_empty_galleries_do_not_break_it(name):
    shown = trial(speakers=4)
    none = dict(gallery=shown.gallery[:0], gallery_speaker=shown.gallery_speaker[:0])
    none |= dict(training=shown.training[:0], training_speaker=shown.training_speaker[:0])
    for score in build(name)(trial(speakers=4, **none)):
        assert score.note if score.skipped else math.isfinite(score.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("speakers", [1, 2])
def test_one_or_two_speakers_do_not_break_it(name, speakers):
    for score in build(name)(trial(speakers=speakers)):
        assert score.note if score.skipped else math.isfinite(score.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_unseen_speakers_are_scored_or_skipped_with_a_reason(name):
    for score in build(name)(trial(seen=False)):
        assert score.skipped == (name == "identity_accuracy")
        assert not score.skipped or "unseen_speaker" in score.note
