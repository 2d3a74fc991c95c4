import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from gan.recipes import load
from gan.training.logger import Logger


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def events(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder / "tensorboard"), size_guidance={"images": 0, "audio": 0, "scalars": 0})
    found.Reload()
    return found


def log(folder: Path, first: int, steps: range, value: float) -> None:
    with closing(Logger(folder, first)) as logger:
        for step in steps:
            logger.scalars(step, {"loss/g": value + step})


@pytest.fixture(autouse=True)
def first_event_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorBoard reads files by name: the second, then a number counted by the process. Within a second 10 comes before 9."""
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))


@pytest.fixture
def eight_steps(tmp_path: Path) -> Path:
    log(tmp_path, 0, range(1, 9), 0.0)
    return tmp_path


def test_scalars_of_any_kind_are_fetched_and_kept(tmp_path: Path) -> None:
    with closing(Logger(tmp_path, 0)) as logger:
        numbers = logger.scalars(3, {"a": torch.tensor([0.25]), "b": 1.5, "c": torch.tensor(2, dtype=torch.bfloat16), "d": 1 / 3})
        assert numbers == {"a": 0.25, "b": 1.5, "c": 2.0, "d": 1 / 3}
        assert lines(tmp_path) == [{"step": 3, "a": 0.25, "b": 1.5, "c": 2.0, "d": 0.333333}]  # there before it is closed
        assert logger.scalars(4, {"b": 0.5}) == {"b": 0.5}
    assert [event.step for event in events(tmp_path).Scalars("b")] == [3, 4]


def test_a_resumed_log_forgets_what_came_after(eight_steps: Path) -> None:
    log(eight_steps, 5, range(6, 11), 100.0)
    assert [(line["step"], line["loss/g"]) for line in lines(eight_steps)] == [(s, s) for s in range(1, 6)] + [
        (s, 100 + s) for s in range(6, 11)
    ]
    assert [(event.step, event.value) for event in events(eight_steps).Scalars("loss/g")] == [(s, s) for s in range(1, 6)] + [
        (s, 100 + s) for s in range(6, 11)
    ]


def test_a_log_begun_again_is_new(eight_steps: Path) -> None:
    """Killed before its first checkpoint: the next run starts from step 0."""
    log(eight_steps, 0, range(1, 4), 100.0)
    assert [line["step"] for line in lines(eight_steps)] == [1, 2, 3]
    assert [(event.step, event.value) for event in events(eight_steps).Scalars("loss/g")] == [(s, 100 + s) for s in (1, 2, 3)]


@pytest.mark.parametrize("tail", ['{"step": 5, "loss/g"', '{"step": 5, "loss/g": 5.0', "\x00\x00\x00"])
def test_a_line_cut_short_is_dropped(tail: str, tmp_path: Path) -> None:
    log(tmp_path, 0, range(1, 5), 0.0)
    with open(tmp_path / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write(tail)
    log(tmp_path, 6, range(7, 8), 0.0)
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4, 7]


def test_pictures_voices_and_words(tmp_path: Path) -> None:
    faces = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    with closing(Logger(tmp_path, 0)) as logger:
        logger.images(4, {"image/real": faces})
        logger.voices([np.zeros(800, np.float32)], ["ana"])
        logger.config(load("wav2pix-64"))
        logger.embeddings(4, np.eye(2, 5, dtype=np.float32), ["ana", "bruno"], faces)
        logger.hparams(load("wav2pix-64"), {"l1": 3.0})
    found = events(tmp_path)
    (picture,) = found.Images("image/real")
    assert (picture.width, picture.height) == (16, 8)  # two faces side by side
    assert len(found.Audio("voice/0-ana")) == 1
    assert found.Scalars("final/l1")[0].value == 3.0
    (labels,) = (tmp_path / "tensorboard").rglob("metadata.tsv")
    assert labels.read_text().split() == ["ana", "bruno"]
