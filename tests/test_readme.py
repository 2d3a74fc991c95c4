"""The README is true: its commands run as written, its Python works, its links and pictures exist."""

import glob
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from gan.__main__ import main
from gan.data.corpus import Corpus
from gan.data.pictures import write_face
from gan.recipes import recipe_names
from tests.sound import write_wav

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Added to the README's trainings, which take minutes: the same command, briefly.
BRIEF = [
    "train.steps=2",
    "train.batch_size=4",
    "train.device=cpu",
    "losses.perceptual=null",
    "evaluation.runs=1",
    "evaluation.splits=[unseen_speech]",
    "logging.num_images=2",
    "logging.embeddings=4",
]
BRIEF_SWEEP = [
    "base=sf2f-64-tiny",
    "set.data.corpus=toy:tiny",
    "set.train.steps=2",
    "set.losses.perceptual=null",
    "seeds=[0]",
    "evaluate.protocol=null",
    "evaluate.runs=1",
    "evaluate.splits=[unseen_speech]",
    "evaluate.seconds=[0.5]",
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    return [line.split("  #")[0].strip() for block in blocks("bash") for line in block.splitlines() if line.strip()]


@pytest.fixture
def folder_of_a_user(tiny: Corpus, tmp_path: Path) -> Path:
    """An empty folder but for `my_recordings`: six speakers, three recordings and three pictures each."""
    for speaker in range(6):
        home = tmp_path / "my_recordings" / f"speaker-{speaker}"
        home.mkdir(parents=True)
        clips = np.flatnonzero(tiny.clips["speaker"] == speaker)[:3]
        for number, clip in enumerate(clips):
            write_wav(home / f"{number}.wav", tiny.waveform(clip).astype(np.float32) / 32768)
            write_face(home / f"{number}.png", tiny.pixels([int(tiny.clips["face"][clip])], 128)[0])
    return tmp_path


def typed(command: str) -> list[str]:
    """A command's words after `voxface`, as a shell hands them on."""
    program, *words = shlex.split(command)
    assert program == "voxface"
    return [name for word in words for name in (sorted(glob.glob(word)) or [word] if "*" in word else [word])]


@pytest.mark.slow
def test_every_command_runs_in_order(
    folder_of_a_user: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder_of_a_user)
    (sweep,) = blocks("yaml")
    Path("my.yaml").write_text(sweep)
    for command in commands():
        words = typed(command)
        if words[0] == "train":
            words += [*BRIEF, *([] if "data.corpus=" in command else ["data.corpus=toy:tiny"])]
        if words[0] == "sweep":
            words += BRIEF_SWEEP
        assert main(words) == 0, f"{command}\n{capsys.readouterr()}"
    assert len(list((folder_of_a_user / "faces").rglob("*.png"))) == 18
    folder = next((folder_of_a_user / "runs").glob("demo-*"))
    example = next(block for block in blocks("python") if "gan.load" in block)
    assert 'gan.load("runs/demo-...")' in example
    write_wav("speech.wav", np.zeros(16_000, np.float32))
    names = {"waveform": np.zeros(48_000, np.float32)}
    exec(example.replace("runs/demo-...", str(folder)), names)
    assert names["face"].shape == (64, 64, 3)


def test_the_encoder_of_the_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gan.model import build_model
    from gan.recipes import load

    code = next(block for block in blocks("python") if "MeanPool" in block)
    (tmp_path / "example_lab.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    model = build_model(load("sf2f-64", ["encoder.name=example_lab.MeanPool"]), 3)
    assert model.generator.draw([np.zeros(4000, np.float32)]).shape == (1, 64, 64, 3)


def test_links_and_pictures_exist() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_recipes_named_are_the_recipes_there_are() -> None:
    rows = [line for line in README.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])} == {
        recipe for recipe in recipe_names() if not recipe.endswith(("-small", "-tiny"))
    }
