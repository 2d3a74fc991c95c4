"""docs/add_a_component.md is true: its encoder, in a package of one's own, trains with an unchanged recipe and draws."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gan.data.audio import write_wav
from gan.data.corpus import Corpus
from gan.data.pictures import read_face

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "add_a_component.md").read_text(encoding="utf-8")
# Added to the page's training: the same command, briefly.
BRIEF = ["data.corpus=toy:tiny", "train.steps=2", "train.batch_size=4", "train.device=cpu", "losses.perceptual=null",
         "decoder.width=16", "discriminators.image.width=4", "logging.num_images=2", "logging.embeddings=0"]


def block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert len(found) == 1
    return found[0]


def voxface(arguments: list[str], folder: Path) -> subprocess.CompletedProcess:
    paths = os.pathsep.join([str(folder), str(ROOT)])
    return subprocess.run([sys.executable, "-m", "gan", *arguments], cwd=folder, env=os.environ | {"PYTHONPATH": paths},
                          capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def folder_of_a_lab(tiny: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    (folder / "my_lab").mkdir()
    (folder / "my_lab" / "__init__.py").touch()
    (folder / "my_lab" / "nets.py").write_text(block("python"), encoding="utf-8")
    write_wav(folder / "speech.wav", tiny.waveform(0))
    return folder


def test_the_page_as_written(folder_of_a_lab: Path) -> None:
    """Train; draw with leave; be refused without, in one line that names the code and the option."""
    training, drawing = (shlex.split(line)[1:] for line in block("bash").splitlines())
    trained = voxface([*training, *BRIEF], folder_of_a_lab)
    assert trained.returncode == 0, trained.stderr
    run, = (folder_of_a_lab / "runs").iterdir()
    assert "my_lab.nets.MyEncoder" in (run / "config.yaml").read_text(encoding="utf-8")

    drawing = [str(run) if word == "runs/demo-*" else word for word in drawing]
    drawn = voxface(drawing, folder_of_a_lab)
    assert drawn.returncode == 0, drawn.stderr
    assert read_face(folder_of_a_lab / "faces" / "speech.png").shape == (64, 64, 3)

    without = [word for word in drawing if word not in ("--allow-code", "my_lab")]
    refused = voxface([*without, "--out", "refused"], folder_of_a_lab)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "encoder.name: my_lab.nets.MyEncoder" in refused.stderr
    assert "--allow-code my_lab" in refused.stderr
    assert not (folder_of_a_lab / "refused").exists()


@pytest.mark.parametrize(("name", "said"), [
    ("my_lab.nets.Nobody", "my_lab.nets.Nobody cannot be imported"),
    ("nobody.nets.MyEncoder", "No module named 'nobody'"),
    ("my_lab.nets.Tensor", "is not a subclass of encoders.base.Encoder"),
])
def test_a_name_that_leads_nowhere(name: str, said: str, folder_of_a_lab: Path) -> None:
    tried = voxface(["train", "demo", f"encoder.name={name}", "--runs", "none", *BRIEF], folder_of_a_lab)
    assert tried.returncode == 2
    assert tried.stderr.count("\n") == 1
    assert "encoder.name: " in tried.stderr
    assert said in tried.stderr


def test_a_wrong_argument_names_the_right_ones(folder_of_a_lab: Path) -> None:
    wrong = "encoder={name: my_lab.nets.MyEncoder, widht: 96}"
    tried = voxface(["train", "demo", wrong, "--runs", "none", *BRIEF], folder_of_a_lab)
    assert tried.returncode == 2
    assert "encoder.widht: my_lab.nets.MyEncoder takes no such argument. Allowed: embedding_dim, width." in tried.stderr
