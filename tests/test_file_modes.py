"""Colleagues share runs, corpora, caches and results: what is written has the mode that the umask allows, and a file that may not
be read is not called damaged."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import gan
from evaluation.cache import cached_features
from evaluation.real_faces.sets import fit_once
from gan import checkpoint
from gan.__main__ import main
from gan.data.corpus import Corpus

MADE = Path(__file__).parent / "fixtures" / "33ff0c6"
RUN = "trained/recipe-abcbf983"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(MADE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(params=[0o022, 0o002], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.slow
@pytest.mark.floor
def test_every_file_has_the_mode_the_umask_allows(umask: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A corpus, a run, the cache, results, and what is drawn."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path / "cache"))
    subprocess.run([sys.executable, MADE / "recordings.py", "recordings"], check=True)
    recipe = (
        (MADE / "recipe.yaml")
        .read_text()
        .replace("unseen_speech", "val_speech")
        .replace("losses:\n", "losses:\n  perceptual:    {name: perceptual, network: corpus, weight: 1.0}\n")
    )
    Path("recipe.yaml").write_text(recipe + "    frechet:     {name: frechet, extractor: {name: dlib}}\n")
    for command in (
        "prepare folder recordings --out people --face-sizes 16 32 --unseen-speech 0 --val-speech 0.34",
        "audit people --out audited --quick",
        "train recipe.yaml train.validate_every=1 train.best.split=val_speech",
        "evaluate runs --out results --sheet sheet.png",
        "generate runs recordings --out drawn",
    ):
        words = [next(str(run) for run in Path("runs").iterdir()) if word == "runs" else word for word in command.split()]
        assert main(words) in (0, 1), command  # 1: the audit finds those few sounds wanting
    assert {path.name for path in Path("cache").iterdir()} >= {"audits", "face_nets", "features"}
    written = [path for path in tmp_path.rglob("*") if "recordings" not in path.parts]
    assert len(written) > 50
    wrong = {
        str(path.relative_to(tmp_path)): oct(path.stat().st_mode & 0o777)
        for path in written
        if path.stat().st_mode & 0o777 != (0o777 if path.is_dir() else 0o666) & ~umask
    }
    assert not wrong


@pytest.fixture
def forbid(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Forbid reading the files whose name ends so: root, as whom tests may run, can read whatever its mode."""

    def forbidden(ending: str) -> None:
        def refuse(true: Callable) -> Callable:
            def opened(file: object, *arguments: object, **named: object) -> object:
                if str(file).endswith(ending):
                    raise PermissionError(13, "Permission denied", str(file))
                return true(file, *arguments, **named)

            return opened

        monkeypatch.setattr("builtins.open", refuse(open))
        monkeypatch.setattr("io.open", refuse(open))

    return forbidden


@pytest.mark.parametrize("ending", ["weights.safetensors", "state.pt", "checkpoint.json"])
def test_a_checkpoint_that_may_not_be_read_is_not_called_damaged(ending: str, made: None, forbid, capsys) -> None:
    step = checkpoint.steps(Path(RUN, "checkpoints"))[0]
    shutil.copytree(step, step.with_name("step-00000001"))
    forbid(f"step-00000002/{ending}")
    with pytest.raises(PermissionError):  # and an older one does not stand in for it
        gan.load(RUN)
    assert main(["train", "recipe.yaml", "--runs", "trained", "train.steps=4"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert ending in said
    assert "may not be read" in said
    assert "damaged" not in said


@pytest.mark.parametrize("ending", ["corpus.json", "clips.npy", "audio-00000.npy"])
def test_a_corpus_that_may_not_be_read_is_not_called_damaged(ending: str, made: None, forbid) -> None:
    forbid(f"people/{ending}")
    with pytest.raises(ValueError, match=f"{ending}: may not be read.*chmod") as caught:
        Corpus("people")
    assert "damaged" not in str(caught.value)


def test_a_kept_file_that_may_not_be_read_is_not_made_again_each_time(made: None, forbid) -> None:
    def features() -> np.ndarray:
        return cached_features(np.zeros((1, 2, 2, 3), np.uint8), "label", lambda images: np.ones((len(images), 3), np.float32), 3)

    features()
    law = np.random.default_rng(0).normal(size=(5, 3))
    fit_once(law, "label")
    forbid(".npy")
    with pytest.raises(ValueError, match=r"may not be read.*VOXFACE_CACHE"):
        features()
    forbid(".npz")
    with pytest.raises(ValueError, match=r"may not be read.*VOXFACE_CACHE"):
        fit_once(law, "label")


def test_scores_that_may_not_be_read_are_not_called_damaged(made: None, forbid, capsys) -> None:
    forbid(".npz")
    assert main(["table", "trained/results.jsonl"]) == 2
    assert "may not be read" in capsys.readouterr().err
