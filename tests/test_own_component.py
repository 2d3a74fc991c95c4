"""docs/add_a_component.md is true: its encoder, in a package of one's own, trains with an unchanged recipe and draws."""

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gan.__main__ import main
from gan.data.corpus import Corpus
from gan.data.pictures import read_face
from tests.sound import write_wav

Voxface = Callable[[list[str]], tuple[int, str]]
ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "add_a_component.md").read_text(encoding="utf-8")
# Added to the page's training: the same command, briefly.
BRIEF = [
    "data.corpus=toy:tiny",
    "train.steps=2",
    "train.batch_size=4",
    "train.device=cpu",
    "losses.perceptual=null",
    "decoder.width=16",
    "discriminators.image.width=4",
    "logging.num_images=2",
    "logging.embeddings=0",
]


def block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert len(found) == 1
    return found[0]


@pytest.fixture(scope="module")
def folder_of_a_lab(tiny: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    (folder / "my_lab").mkdir()
    (folder / "my_lab" / "__init__.py").touch()
    (folder / "my_lab" / "nets.py").write_text(block("python"), encoding="utf-8")
    write_wav(folder / "speech.wav", tiny.waveform(0))
    return folder


@pytest.fixture
def voxface(folder_of_a_lab: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Voxface:
    """The command, called in that folder with its package importable: the exit code and what standard error got."""
    monkeypatch.chdir(folder_of_a_lab)
    monkeypatch.syspath_prepend(str(folder_of_a_lab))
    monkeypatch.delitem(sys.modules, "my_lab", raising=False)
    monkeypatch.delitem(sys.modules, "my_lab.nets", raising=False)

    def called(arguments: list[str]) -> tuple[int, str]:
        code = main(arguments)
        return code, capsys.readouterr().err

    return called


@pytest.mark.slow
def test_the_page_as_written(folder_of_a_lab: Path, voxface: Voxface) -> None:
    """Train; draw with leave; be refused without, in one line that names the code and the option."""
    training, drawing = (shlex.split(line)[1:] for line in block("bash").splitlines())
    assert voxface([*training, *BRIEF])[0] == 0
    (run,) = (folder_of_a_lab / "runs").iterdir()
    assert "my_lab.nets.MyEncoder" in (run / "config.yaml").read_text(encoding="utf-8")

    drawing = [str(run) if word == "runs/demo-*" else word for word in drawing]
    assert voxface(drawing)[0] == 0
    assert read_face(folder_of_a_lab / "faces" / "speech.png").shape == (64, 64, 3)

    without = [word for word in drawing if word not in ("--allow-code", "my_lab")]
    code, said = voxface([*without, "--out", "refused"])
    assert code == 2
    assert said.count("\n") == 1
    assert "encoder.name: my_lab.nets.MyEncoder" in said
    assert "--allow-code my_lab" in said
    assert not (folder_of_a_lab / "refused").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("my_lab.nets.Nobody", "my_lab.nets.Nobody cannot be imported"),
        ("nobody.nets.MyEncoder", "No module named 'nobody'"),
        ("my_lab.nets.Tensor", "is not a subclass of encoders.base.Encoder"),
    ],
)
def test_a_name_that_leads_nowhere(name: str, said: str, voxface: Voxface) -> None:
    code, line = voxface(["train", "demo", f"encoder.name={name}", "--runs", "none", *BRIEF])
    assert code == 2
    assert line.count("\n") == 1
    assert "encoder.name: " in line
    assert said in line


def test_a_wrong_argument_names_the_right_ones(voxface: Voxface) -> None:
    wrong = "encoder={name: my_lab.nets.MyEncoder, widht: 96}"
    code, line = voxface(["train", "demo", wrong, "--runs", "none", *BRIEF])
    assert code == 2
    assert "encoder.widht: my_lab.nets.MyEncoder takes no such argument. Allowed: embedding_dim, width." in line


@pytest.mark.parametrize(
    "command", [["train", "demo", "encoder={name: my_lab.broken.Narrow, width: 0}"], ["sweep", "run", "my.yaml", "--dry-run"]]
)
def test_debug_shows_the_line_of_ones_own_code(command: list[str], folder_of_a_lab: Path, voxface: Voxface) -> None:
    (folder_of_a_lab / "my_lab" / "broken.py").write_text(
        "from my_lab.nets import MyEncoder\n\n\nclass Narrow(MyEncoder):\n    def __init__(self, num_channels, width: int):\n"
        "        raise ValueError(f'width {width} came')\n",
        encoding="utf-8",
    )
    (folder_of_a_lab / "my.yaml").write_text("base: demo\nset: {encoder: {name: my_lab.broken.Narrow, width: 0}}\nseeds: [0]\n")
    code, plain = voxface(command)
    assert code == 2
    assert plain.count("\n") == 1
    assert "encoder: width 0 came" in plain
    code, debugged = voxface([*command, "--debug"])
    assert code == 2
    assert 'broken.py", line 6' in debugged
