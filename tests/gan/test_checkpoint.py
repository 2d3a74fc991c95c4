import json
import pickle
import shutil
import warnings
from pathlib import Path

import pytest
import torch

from gan import checkpoint

WEIGHTS = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(1, dtype=torch.int64)}


def save(folder: Path, step: int) -> Path:
    return checkpoint.save(folder, step, WEIGHTS, {"adam": {"step": torch.tensor(3.0)}}, note="x")


def test_there_and_back(tmp_path: Path) -> None:
    loaded = checkpoint.load(save(tmp_path, 12))
    assert loaded.step == 12
    assert loaded.info["note"] == "x"
    assert {k: v.tolist() for k, v in loaded.weights.items()} == {k: v.tolist() for k, v in WEIGHTS.items()}
    assert loaded.state["adam"]["step"] == 3
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000012"]


@pytest.mark.parametrize("name", ["weights.safetensors", "state.pt", "checkpoint.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_a_damaged_newest_falls_back_with_a_warning(name: str, damage: str, tmp_path: Path) -> None:
    save(tmp_path, 1)
    path = save(tmp_path, 2) / name
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded = checkpoint.load_latest(tmp_path)
    # Without checkpoint.json a folder never counted as one; a flipped byte of its text may still be good JSON.
    if not (name == "checkpoint.json" and damage in ("gone", "flip")):
        assert loaded is not None
        assert loaded.step == 1
        assert "Falling back" in str(caught[0].message)


def test_none_is_sound(tmp_path: Path) -> None:
    assert checkpoint.load_latest(tmp_path) is None
    (save(tmp_path, 1) / "state.pt").unlink()
    with pytest.warns(UserWarning, match="damaged"):
        assert checkpoint.load_latest(tmp_path) is None


def test_a_full_disk_leaves_the_old_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, 1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path, 2)
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000001"]
    assert checkpoint.load_latest(tmp_path).step == 1


class _Payload:
    def __reduce__(self) -> tuple:
        return (pytest.fail, ("code of a checkpoint was run",))


def test_a_pickle_in_place_of_the_state_is_not_run(tmp_path: Path) -> None:
    path = save(tmp_path, 1)
    (path / "state.pt").write_bytes(pickle.dumps(_Payload(), protocol=2))
    info = json.loads((path / "checkpoint.json").read_text())
    info["checksums"]["state.pt"] = checkpoint.sha256(path / "state.pt")
    (path / "checkpoint.json").write_text(json.dumps(info))
    with pytest.raises(ValueError, match="damaged checkpoint"):
        checkpoint.load(path)


def test_prune_keeps_the_last_and_the_best(tmp_path: Path) -> None:
    for step in range(1, 7):
        save(tmp_path, step)
    checkpoint.prune(tmp_path, keep_last=2, best=3)
    assert [p.name for p in checkpoint.steps(tmp_path)] == ["step-00000003", "step-00000005", "step-00000006"]


def test_half_written_ones_are_not_seen(tmp_path: Path) -> None:
    path = save(tmp_path, 1)
    shutil.copytree(path, tmp_path / ".step-00000002.77.partial")
    assert [p.name for p in checkpoint.steps(tmp_path)] == ["step-00000001"]
