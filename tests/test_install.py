"""What a user who runs `pip install .` gets: the packages, the shipped recipes and the command, without this checkout."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("gan", "encoders", "decoders", "discriminators", "evaluation", "configs")
SUFFIXES = (".py", ".yaml", ".html", ".css", ".js", ".svg")
# setuptools itself, which pip calls: no network, no wheel package, and nothing of this interpreter's is touched.
BUILD = "import setuptools; setuptools.setup()"
COMMAND = (
    "import sys; from importlib.metadata import entry_points; sys.exit(entry_points(group='console_scripts')['voxface'].load()())"
)
SMALL = [
    "data.corpus=toy:tiny",
    "data.clip_seconds=[0.256, 0.256]",
    "encoder={num_samples: 4096, channels: [4], hidden: [8]}",
    "decoder.width=4",
    "discriminators.conditional.width=4",
    "train.steps=1",
    "train.batch_size=2",
    "train.device=cpu",
    "logging.num_images=1",
    "logging.embeddings=0",
]

pytestmark = [pytest.mark.slow, pytest.mark.floor]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as site-packages would be after `pip install --no-deps .`"""
    pytest.importorskip("setuptools", reason="setuptools builds the package")
    source, target = tmp_path_factory.mktemp("source") / "voxface", tmp_path_factory.mktemp("site")
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=False
    )
    if tracked.returncode == 0 and tracked.stdout:
        for name in filter(None, tracked.stdout.decode().split("\0")):
            if (ROOT / name).is_file():
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, source / name)
    else:  # not a git checkout: what a source archive holds
        shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "runs"))
    built = subprocess.run(
        [
            sys.executable,
            "-c",
            BUILD,
            "-q",
            "egg_info",
            "--egg-base",
            str(target),
            "build",
            "--build-base",
            str(source / "build"),
            "--build-lib",
            str(target),
        ],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
    )
    assert built.returncode == 0, built.stderr
    shutil.rmtree(source)
    return target


def _environment(*path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return kept | {"PYTHONPATH": os.pathsep.join(map(str, path))} if path else kept


def voxface(here: Path, *words: str, path: tuple[Path, ...], how: tuple[str, ...] = ("-c", COMMAND)):
    return subprocess.run(
        [sys.executable, *how, *words], cwd=here, env=_environment(*path), capture_output=True, text=True, check=False
    )


def test_the_package_holds_what_runs_and_nothing_else(installed: Path) -> None:
    assert {path.name for path in installed.iterdir() if not path.name.endswith(".egg-info")} == set(PACKAGES)
    for package in PACKAGES:
        ours = {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*") if path.suffix in SUFFIXES}
        assert {path.relative_to(installed).as_posix() for path in (installed / package).rglob("*") if path.is_file()} == ours


def test_training_from_an_empty_folder(installed: Path, tiny: object, tmp_path: Path) -> None:
    where = "import gan, configs; print(gan.__file__, configs.__file__)"
    found = voxface(tmp_path, path=(installed,), how=("-c", where))
    assert found.stdout.split() == [str(installed / "gan" / "__init__.py"), str(installed / "configs" / "__init__.py")]
    trained = voxface(tmp_path, "train", "wav2pix-64", *SMALL, path=(installed,))
    assert trained.returncode == 0, trained.stderr
    (run,) = (tmp_path / "runs").iterdir()
    assert trained.stdout.splitlines()[-1] == f"Trained: runs/{run.name}"
    assert (run / "checkpoints" / "step-00000001" / "checkpoint.json").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}
    helped = voxface(tmp_path, "train", "--help", path=(installed,), how=("-m", "gan"))
    assert "wav2pix-128" in helped.stdout


def test_another_package_of_that_name_is_named(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "other" / "encoders").mkdir(parents=True)
    (tmp_path / "other" / "encoders" / "__init__.py").write_text("raise SystemExit('somebody else')")
    here = tmp_path / "other"
    for ended in (
        voxface(here, "inspect", "sf2f-64", path=(installed,), how=("-m", "gan")),
        voxface(tmp_path, "inspect", "sf2f-64", path=(here, installed)),
    ):
        assert ended.returncode == 2
        assert ended.stderr.startswith(f"voxface: encoders: imported from {here / 'encoders'}, not from {installed}.")
        assert ended.stderr.count("\n") == 1
