import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks import metrics
from evaluation.metrics.base import Metric
from evaluation.trial import Score, Trial
from gan.build import build
from gan.data.corpus import Corpus

FACES = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
RUN = np.repeat([0, 1], 6)


class Brightness(Metric):
    """A metric of one line: it needs no net."""

    def __call__(self, trial: Trial) -> list[Score]:
        return [Score("brightness", float(trial.generated.mean()), (0.0, 255.0))]


def score(value: float, higher_is_better: bool = True) -> Score:
    return Score("one", value, (value - 0.1, value + 0.1), higher_is_better=higher_is_better)


def reaction(real: float, *values: float, higher_is_better: bool = True) -> metrics.Reaction:
    return metrics.reaction(score(real, higher_is_better), [score(value, higher_is_better) for value in values])


def test_swapping_hands_the_share_asked_for_to_others_of_the_run() -> None:
    half, all_of_them = metrics.swapped(FACES, RUN, 0.5), metrics.swapped(FACES, RUN, 1.0)
    moved = (half != FACES).any(axis=(1, 2, 3))
    assert moved.reshape(2, 6).sum(axis=1).tolist() == [3, 3]
    assert (all_of_them != FACES).any(axis=(1, 2, 3)).all()
    for one in (0, 1):
        assert sorted(face.tobytes() for face in half[one == RUN]) == sorted(face.tobytes() for face in FACES[one == RUN])
    np.testing.assert_array_equal(metrics.swapped(FACES, RUN, 0.0), FACES)


def test_damage_grows_with_its_level() -> None:
    mean = np.full((8, 8, 3), 128, np.uint8)
    for kind in metrics.ladders(RUN, mean):
        apart = [np.abs(kind.make(FACES, level, 0).astype(float) - FACES).mean() for level in kind.levels]
        assert 0 < apart[0] < apart[1] < apart[2], kind.name
        assert kind.make(FACES, kind.levels[0], 0).dtype == np.uint8
    np.testing.assert_array_equal(metrics.averaged(FACES, mean, 1.0), np.broadcast_to(mean, FACES.shape))
    assert (metrics.noisy(FACES, 10, 0) != metrics.noisy(FACES, 10, 1)).any(), "the second drawing has noise of its own"


@pytest.mark.parametrize(
    ("found", "mark", "outside"),
    [
        (reaction(1.0, 0.95, 0.5, 0.2), "", [0, 1, 1]),
        (reaction(1.0, 1.0, 0.5, 0.2), "", [0, 1, 1]),  # a ceiling is no wrong order
        (reaction(1.0, 0.5, 0.8, 0.2), "order: rho 0.8", [1, 1, 1]),
        (reaction(1.0, 1.0, 1.0, 1.0), "unnoticed", [0, 0, 0]),
        (reaction(1.0, 1.2, 1.3, 1.4), "prefers it", [-1, -1, -1]),
        (reaction(1.0, 1.2, 1.3, 1.4, higher_is_better=False), "", [1, 1, 1]),
        (reaction(1.0, 0.5, math.nan, math.nan), "worst not scored", [1, 0, 0]),
    ],
)
def test_a_reaction_is_named(found: metrics.Reaction, mark: str, outside: list[int]) -> None:
    assert (found.mark, found.outside) == (mark, outside)


def test_drift_needs_more_than_the_spread() -> None:
    assert metrics.drift([[1.0, 1.1, 0.9], [1.05, 0.95]]) == ""
    assert metrics.drift([[3.0, 3.1, 2.9], [2.0, 2.1], [1.05, 0.95]]) == "falls"
    assert metrics.drift([[1.0, 1.0, 1.0], [0.9, 1.1], [0.99]]) == "", "five equal values at a ceiling have a spread elsewhere"
    assert metrics.drift([[math.nan], [1.0]]) == ""


@pytest.mark.parametrize("split", metrics.SPLITS)
def test_the_real_faces_are_of_recordings_nobody_else_has(tiny: Corpus, split: str) -> None:
    trial = metrics.real_trial(tiny, split)
    assert trial.again is not None
    drawn = {face.tobytes() for face in trial.generated}
    assert len(drawn) == len(trial.generated), "none twice"
    for others in (trial.gallery, trial.training, trial.target):
        assert not drawn & {face.tobytes() for face in others}
    assert {face.tobytes() for face in trial.target} <= {face.tobytes() for face in trial.gallery}
    owner = {
        face.tobytes(): speaker
        for face, speaker in zip(
            tiny.pixels(np.arange(len(tiny.faces)), metrics.FACE_SIZE), tiny.faces["speaker"].tolist(), strict=True
        )
    }
    for faces in (trial.generated, trial.again, trial.target):
        assert [owner[face.tobytes()] for face in faces] == trial.speaker.tolist()


@pytest.mark.slow
def test_the_page_is_renewed_between_its_markers(tiny: Corpus, tmp_path: Path) -> None:
    page = tmp_path / "metrics.md"
    page.write_text(f"# Mine\n\n{metrics.BEGIN}\nstale\n{metrics.END}\n\nMy conclusions.\n")
    asked = {"l1": build(Metric, {"name": "pixels"}, "l1"), "recall": Brightness()}
    metrics.write_page(metrics.content(tiny, asked, ["fid"], sizes=(3, 6), numbers=(2, 4)), page)
    text = page.read_text()
    assert text.startswith("# Mine\n")
    assert text.endswith("My conclusions.\n")
    assert "stale" not in text
    assert "want of a weight file: fid" in text
    assert text.count("| l1 (low is good) |") == 2
    assert "| brightness | " in text.partition("Number of speakers")[2]
