import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import detectors, table
from evaluation.detectors.base import Detector


class Counting(Detector):
    """Finds every face, or none; keeps count."""

    name = "counting"

    def __init__(self, finds: bool = True):
        self.label, self.finds, self.looked = f"counting {finds}", finds, 0

    def detect(self, images: np.ndarray) -> np.ndarray:
        self.looked += len(images)
        return np.full(len(images), self.finds)


def test_every_face_is_another_and_none_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path))
    faces = detectors.distinct_faces(5, 64)
    assert len({face.tobytes() for face in faces}) == 5
    counting = {"a": Counting(), "b": Counting()}
    clock, processor = detectors.seconds(dict(counting), faces, repetitions=3)
    assert {name: len(values) for name, values in clock.items()} == {"a": 3, "b": 3}
    assert set(processor) == {"a", "b"}
    assert all(one.looked == 15 for one in counting.values())
    assert not list(tmp_path.iterdir()), "the user's cache is left alone"


def test_those_that_disagree_are_refused() -> None:
    with pytest.raises(ValueError, match="do not find the same"):
        detectors.seconds({"a": Counting(), "b": Counting(False)}, detectors.distinct_faces(1, 64), repetitions=1)


@pytest.mark.slow
def test_one_row(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    detectors.main(
        [
            "--detector",
            "dlib_hog",
            "--faces",
            "3",
            "--face-size",
            "64",
            "--processes",
            "1",
            "--repetitions",
            "1",
            "--results",
            str(results),
        ]
    )
    row = json.loads(results.read_text())
    assert (row["benchmark"], row["detector"], row["faces"]) == ("detectors", "dlib_hog", 3)
    assert row["times_faster"][1] > 0
    assert set(row["seconds"]) == {"one process", "1 processes"}
    assert "| dlib_hog | 3 of 64 px | 1 |" in table.tables([row])
