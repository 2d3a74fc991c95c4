import argparse
import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gan.training.loop
import gan.training.start
from gan.__main__ import DESCRIPTION, VERBS, main
from gan.commands.base import Verb
from gan.data.corpus import Corpus
from gan.experiments.base import experiments
from gan.recipes import protocol_names, recipe_names
from gan.scoring.systems import CONTROLS
from tests.recipes import ONLY_L1, QUICK, TRAINED
from tests.sound import write_wav

ROOT = Path(__file__).parents[2]
# What a verb's help lists of what is there, besides its own options.
LISTED = {"train": recipe_names(), "evaluate": [*CONTROLS, *protocol_names()], "experiment": experiments()}


def parsers(name: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """A verb's parser, and those of the verbs below it, by all that one types."""
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below, inner in action.choices.items():
                yield from parsers(f"{name} {below}", inner)


def verbs() -> dict[str, argparse.ArgumentParser]:
    found = {}
    for name, command in VERBS.items():
        parser = Verb()
        command.add_arguments(parser)
        found |= parsers(name, parser)
    return found


PARSERS = verbs()


class Said:
    """What a command answered: its exit code and what it printed."""

    def __init__(self, code: int, out: str, err: str):
        self.code, self.out, self.err = code, out, err

    def one_line_on_stderr(self) -> str:
        assert self.out == ""
        assert self.err.startswith("voxface: ")
        assert self.err.count("\n") == 1
        assert self.err.endswith("\n")
        return self.err


@pytest.fixture
def voxface(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Said:
        capsys.readouterr()
        try:
            code = main(list(words))
        except SystemExit as stopped:  # argparse's own way out
            code = stopped.code if isinstance(stopped.code, int) else 1
        return Said(code, *capsys.readouterr())

    return run


# -- help -------------------------------------------------------------------------------------------------------------


def test_help_names_every_verb(voxface) -> None:
    said = voxface("--help")
    assert said.code == 0
    assert "face" in said.out
    for verb in VERBS:
        assert re.search(rf"^ +{verb}\s+\w", said.out, re.MULTILINE), verb


def test_the_first_run_of_the_help_is_of_a_recipe_there_is() -> None:
    (recipe,) = re.findall(r"voxface train (\S+)", DESCRIPTION)
    assert recipe in recipe_names()
    assert set(re.findall(r"voxface (\w+)", DESCRIPTION)) <= {*VERBS, "trains"}


def test_verbs_of_verbs_are_there() -> None:
    assert {name for name in PARSERS if " " in name} == {
        *(f"prepare {source}" for source in ("toy", "youtubers", "folder", "mels", "remove", "status", "review", "task")),
        *(f"prepare {source}" for source in ("voxceleb", "avspeech", "youtubers-raw", "videos")),
        *(f"sweep {action}" for action in ("run", "status", "log", "task")),
        *(f"assets {action}" for action in ("list", "add", "verify")),
    }


@pytest.mark.parametrize("verb", PARSERS)
def test_help_of_a_verb(verb: str, voxface) -> None:
    """It names all that the verb takes, and says of each what it is for."""
    said = voxface(*verb.split(), "--help")
    assert said.code == 0
    assert said.err == ""
    words = " ".join(said.out.split())
    assert f"usage: voxface {verb}" in words
    for action in PARSERS[verb]._actions:
        if action.help != argparse.SUPPRESS:
            name = action.option_strings[-1] if action.option_strings else str(action.metavar or action.dest)
            assert re.search(rf"{re.escape(name)}\b", words), name
            assert action.help or isinstance(action, argparse._SubParsersAction), name
    for word in LISTED.get(verb, []):
        assert word in words.replace(" ", "")  # a line may end at a hyphen


def test_help_goes_without_torch() -> None:
    """It is what one types first, and most often."""
    script = (
        "import sys\nfrom gan.__main__ import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, capture_output=True)


# -- mistakes ---------------------------------------------------------------------------------------------------------

SMALL = [*TRAINED["wav2pix-64"], *QUICK, "train.steps=1"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "wav2pix-46"], ["wav2pix-46", "no shipped recipe", "Did you mean wav2pix-64?"]),
        (["train", "wav2pix-64", "train.stepz=1"], ["train.stepz: no such key", "Did you mean steps?"]),
        (["train", "wav2pix-64", "trane.steps=1"], ["trane: no such key", "Did you mean train?"]),
        (["train", "wav2pix-64", "train.steps=many"], ["train.steps", "many"]),
        (["train", "wav2pix-64", "train.steps=0"], ["train.steps: 0 came"]),
        (["train", "wav2pix-64", "train.steps"], ["train.steps: an override reads key=value"]),
        (["train", "wav2pix-64", "train.steps=[1"], ["train.steps", "not valid YAML"]),
        (["train", "wav2pix-64", "train=3"], ["train: a mapping"]),
        (["train", "wav2pix-64", "train.precision=float16"], ["train.precision: 'float16' came", "bfloat16"]),
        (["train", "wav2pix-64", "encoder.name=segam"], ["encoder.name: no file encoders/segam.py", "Did you mean segan?"]),
        (["train", "wav2pix-64", "encoder.name=no.such.Thing"], ["encoder.name: no.such.Thing cannot be imported"]),
        (["train", "wav2pix-64", "encoder.embeding_dim=8"], ["encoder.embeding_dim", "Did you mean embedding_dim?"]),
        (["train", "wav2pix-64", "decoder.width=wide"], ["decoder.width: 'wide' came", "int"]),
        (["train", "wav2pix-64", "losses.pixel.kind=l2"], ["losses.pixel.kind: l1 takes no such argument"]),
        (["train", "wav2pix-64", "losses.new={weight: 1}"], ["losses.new: a section reads {name: ..., ...}"]),
        (["train", "wav2pix-64", "data.corpus=nowhere"], ["data.corpus: nowhere has no corpus.json"]),
        (["train", "wav2pix-64", "data.corpus=toy:huge"], ["no toy world huge", "bench"]),
        (["train", "wav2pix-64", "train.device=gpu"], ["train.device: gpu came"]),
        (["train", "wav2pix-64", "train.validate_every=5", "train.validate_metrics=[l2]"], ["train.validate_metrics", "no l2"]),
        (["train", "broken.yaml"], ["broken.yaml: not valid YAML"]),
        (["train", "list.yaml"], ["list.yaml: a recipe is a mapping"]),
        (["generate", "nowhere", "a.wav"], ["nowhere: not a run"]),
        (["generate", ".", "a.wav", "--device", "gpu"], ["not a run"]),
        (["evaluate", "nowhere"], ["nowhere: no such run or control system", "prior"]),
        (["evaluate", "oracle-voices"], ["Did you mean oracle-voice?"]),
        (["evaluate", "shuffled", "--corpus", "toy:tiny"], ["shuffled: name a run too"]),
        (["evaluate", "prior", "--corpus", "toy:tiny", "--split", "test"], ["no split named test", "unseen_speech"]),
        (
            ["evaluate", "prior", "--corpus", "toy:tiny", "evaluation.run=1"],
            ["evaluation.run: no such key", "Did you mean runs?"],
        ),
        (["evaluate", "prior", "--corpus", "toy:tiny", "evaluation.metrics.l1.name=l1"], ["no file evaluation/metrics/l1.py"]),
        (["evaluate", "prior", "--corpus", "nowhere"], ["nowhere has no corpus.json"]),
        (["evaluate", "prior", "--corpus", "toy:tiny", "--sheet", "faces.jpg"], ["--sheet: faces.jpg came", "a .png file"]),
        (
            ["evaluate", "prior", "--corpus", "toy:tiny", "--protocol", "defualt"],
            ["no shipped protocol", "Did you mean default?"],
        ),
        (["evaluate", "noize", "--corpus", "toy:tiny"], ["no such run or control system", "Did you mean noise?"]),
        (["table"], ["results.jsonl: no such results file"]),
        (["table", "broken.jsonl"], ["broken.jsonl: line 1 is not a results row"]),
        (["table", "rows.jsonl"], ["value missing"]),
        (["table", "rows.jsonl", "--compare", "a", "prior"], ["no row is of a system prior", "Have: a"]),
        (["table", "rows.jsonl", "--layout", "layout.yaml"], ["layout.yaml: table.colums: no such key", "Did you mean columns?"]),
        (["inspect", "sf2f-65"], ["Did you mean sf2f-64?"]),
        (["inspect", "sf2f-64", "--identities", "0"], ["--identities: 0 came"]),
        (["inspect", "sf2f-64", "decoder.image_sizes=[48]"], ["decoder: image_sizes [48] came"]),
        (["assets", "add", "vgg-fase", "x"], ["vgg-fase", "Did you mean vgg-face?"]),
        (["assets", "add", "vgg-face", "nothing.pth"], ["nothing.pth: no such file"]),
        (["prepare", "folder", "nowhere"], ["nowhere"]),
        (["prepare", "youtubers", "nowhere"], ["nowhere"]),
        (["prepare", "toy", "tiny", "--out", "there"], ["there: exists already"]),
        (["prepare", "toy", "tiny", "--coupling", "2"], ["coupling: 2.0 is outside [0, 1]"]),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(words: list[str], said: list[str], voxface, tiny: Corpus, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("train: {steps: 3\nencoder: [")
    (tmp_path / "list.yaml").write_text("- train\n- encoder\n")
    (tmp_path / "broken.jsonl").write_text("{\n")
    (tmp_path / "layout.yaml").write_text("table: {colums: [l1]}\n")
    (tmp_path / "rows.jsonl").write_text(json.dumps(dict(system="a", corpus="c", split="s", protocol={}, metric="m")) + "\n")
    (tmp_path / "there").mkdir()
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    answer = voxface(*words)
    assert answer.code == 2
    line = answer.one_line_on_stderr()
    for words_of_it in said:
        assert words_of_it in line
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before  # nothing half made is left


@pytest.mark.slow
def test_a_mistake_in_a_recipe_is_said_before_a_corpus_is_made(voxface, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path / "cache"))
    for override in ("encoder.name=segam", "losses.pixel.kind=l2", "discriminators.conditional.image_size=128"):
        assert voxface("train", "wav2pix-64", override).code == 2
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["trian", "wav2pix-64"],
        ["train"],
        ["generate", "run"],
        ["prepare"],
        ["prepare", "tapes"],
        ["table", "--compare", "a"],
        ["inspect", "sf2f-64", "--identities", "few"],
        ["train", "wav2pix-64", "--run", "x", "--steps", "3"],
    ],
)
def test_words_that_cannot_be_read(words: list[str], voxface) -> None:
    said = voxface(*words)
    assert said.code == 2
    assert said.err.startswith("usage: voxface")
    assert "error: " in said.err.splitlines()[-1]
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    "words", [["--debug", "train", "nowhere"], ["train", "nowhere", "--debug"], ["prepare", "folder", "nowhere", "--debug"]]
)
def test_debug_shows_where(words: list[str], voxface) -> None:
    said = voxface(*words)
    assert said.code == 2
    assert said.err.startswith("Traceback (most recent call last):")
    assert said.err.splitlines()[-1].startswith("voxface: nowhere")


def test_no_disk(voxface, runs: dict[str, Path], tmp_path: Path) -> None:
    """An error of the system names the file too."""
    write_wav(tmp_path / "a.wav", np.full(8_000, 0.1, np.float32))
    (tmp_path / "taken").write_text("a file, not a folder")
    said = voxface("generate", str(runs["sf2f-64"]), "a.wav", "--out", "taken")
    assert said.code == 2
    assert "taken" in said.one_line_on_stderr()


def test_our_own_mistakes_are_not_hidden(voxface, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(gan.training.start, "train", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        voxface("train", "wav2pix-64")


# -- other exit codes -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_training_that_diverges_exits_with_1(voxface, tiny: Corpus) -> None:
    said = voxface("train", "wav2pix-64", *SMALL, "train.steps=5", "losses.pixel.weight=1e39")
    assert said.code == 1
    assert said.err.startswith("voxface: A loss was not finite at step ")
    assert said.err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_training_saves_and_tells_its_signal(
    number: int, code: int, voxface, tiny: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = gan.training.loop.Trainer.one_step

    def one_step(self: gan.training.loop.Trainer, batch, measure: bool):
        if self.step == 2:
            signal.raise_signal(number)
        return original(self, batch, measure)

    monkeypatch.setattr(gan.training.loop.Trainer, "one_step", one_step)
    said = voxface("train", "wav2pix-64", *SMALL, "train.steps=9")
    assert said.code == code
    assert "Stopped at step 3; saved" in said.err.splitlines()[-1]
    assert "Traceback" not in said.err
    assert list(tmp_path.glob("runs/*/checkpoints/step-00000003/checkpoint.json"))


def test_interrupted_elsewhere(voxface, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gan.inspect.inspect", interrupted)
    said = voxface("inspect", "sf2f-64")
    assert (said.code, said.err) == (130, "Stopped.\n")


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    """voxface assets list | head -0: no complaint, exit code 0."""
    read, write = os.pipe()
    os.close(read)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "gan", "assets", "list"], cwd=ROOT, stdout=write, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(write)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.slow
@pytest.mark.parametrize("family", ["encoders", "evaluation", "configs"])
def test_a_package_that_stands_in_the_way_is_named(family: str, tmp_path: Path) -> None:
    (tmp_path / family).mkdir()
    (tmp_path / family / "__init__.py").write_text("raise SystemExit('somebody else')")
    for path in ("", str(tmp_path)):  # in the current folder; and early on PYTHONPATH
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [path, str(ROOT)]))}
        ended = subprocess.run(
            [sys.executable, "-m", "gan", "inspect", "sf2f-64"],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path if not path else ROOT.parent,
            env=environment,
        )
        assert ended.returncode == 2
        assert ended.stderr.startswith(f"voxface: {family}: imported from {tmp_path / family}")
        assert ended.stderr.count("\n") == 1


# -- the verbs at work ------------------------------------------------------------------------------------------------


@pytest.mark.floor
@pytest.mark.slow
def test_train_evaluate_table_generate(voxface, tiny: Corpus, tmp_path: Path) -> None:
    trained = voxface("train", "sf2f-64", *TRAINED["sf2f-64"], *QUICK, "train.steps=3")
    assert trained.code == 0
    (run,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"sf2f-64-[0-9a-f]{8}", run.name)
    assert trained.out.splitlines()[-1] == f"Trained: runs/{run.name}"
    assert trained.err == ""  # no progress bar where nobody watches

    # Options may stand anywhere between the words.
    again = voxface("train", "sf2f-64", *TRAINED["sf2f-64"], "--runs", "runs", *QUICK, "train.steps=3")
    assert again.code == 0
    assert "Already at step 3" in again.out

    evaluated = voxface("evaluate", f"runs/{run.name}", *ONLY_L1, "--split", "unseen_speech", "--split", "unseen_speaker")
    assert evaluated.code == 0
    assert evaluated.out.count("\n") == 14
    only = voxface(
        "evaluate",
        f"runs/{run.name}",
        "prior",
        *ONLY_L1,
        "--split",
        "train",
        "--no-controls",
        "--out",
        "seen",
        "--sheet",
        "pictures/seen.png",
    )
    assert only.code == 0
    assert only.out.splitlines()[2:] == ["pictures/seen.png"]
    with Image.open(tmp_path / "pictures" / "seen.png") as picture:
        assert "voxface" in picture.info["Description"]

    table = voxface("table")
    assert table.code == 0
    for system in (run.name, f"shuffled {run.name}", "noise", "prior", "attribute-oracle", "oracle-voice", "oracle-identity"):
        assert f"| {system} |" in table.out
    assert f"| {run.name} − noise |" in table.out
    assert f"| {run.name} − prior |" in table.out
    assert f"| {run.name} − shuffled {run.name} |" in table.out
    tex = voxface("table", "--format", "latex")
    assert tex.code == 0
    assert tex.out.count(r"\toprule") == 4  # results and differences of two splits
    sheet = list(csv.DictReader(io.StringIO(voxface("table", "--format", "csv").out)))
    assert [line["system"] for line in sheet][:3] == [run.name, f"shuffled {run.name}", "noise"]
    assert {(line["protocol.name"], line["protocol.runs"], line["metric"]) for line in sheet} == {("default", "2", "l1")}
    both = voxface("table", "results.jsonl", "seen/results.jsonl", "--compare", "prior", "oracle-voice")
    assert "split `seen_speech`" in both.out
    assert "| prior − oracle-voice |" in both.out
    assert f"| {run.name} − prior |" not in both.out
    (tmp_path / "layout.yaml").write_text(f"rows: [{{system: {run.name}, name: ours}}]\ncontrols: [prior]\ncolumns: [l1]\n")
    chosen = voxface("table", "--layout", "layout.yaml", "--plots", "plots")
    assert (chosen.code, chosen.err) == (0, "4 plots in plots\n")
    assert [line.split(" | ")[0] for line in chosen.out.splitlines() if line[:1] == "|"][:5] == [
        "| system",
        "| ---",
        "| ours",
        "| prior",
        "| *chance*",
    ]
    assert len(list((tmp_path / "plots").glob("values-l1-*.pdf"))) == 2

    (tmp_path / "sounds").mkdir()
    write_wav(tmp_path / "sounds" / "a.wav", tiny.waveform(0))
    good = voxface("generate", f"runs/{run.name}", "sounds")
    assert (good.code, good.out, good.err) == (0, "1 face in faces\n", "")
    assert (tmp_path / "faces" / "a.png").is_file()
    (tmp_path / "sounds" / "b.wav").write_text("text")
    bad = voxface("generate", f"runs/{run.name}", "sounds", "missing.mp3", "--out", "more")
    assert (bad.code, bad.out) == (1, "1 face in more\n")
    assert [line.split(":")[1].strip() for line in bad.err.splitlines()] == ["sounds/b.wav", "missing.mp3"]
    assert all(line.startswith("not drawn: ") for line in bad.err.splitlines())


def test_inspect(voxface) -> None:
    said = voxface("inspect", "wav2pix-64", *TRAINED["wav2pix-64"], "--json", "--identities", "7")
    assert said.code == 0
    entries = {entry["path"]: entry for entry in json.loads(said.out)}
    assert {"features", "encoder", "decoder", "discriminators.conditional", "losses.embedding_identity"} <= set(entries)
    assert set(entries["encoder"]) == {"path", "class", "parameters", "shapes", "buffers", "flops"}
    assert [7, 200] in entries["losses.embedding_identity"]["shapes"]
    table = voxface("inspect", "wav2pix-64", *TRAINED["wav2pix-64"])
    assert table.out.startswith("| module | class | parameters |")
    assert f"{entries['encoder']['parameters']:,}" in table.out


def test_assets(voxface, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXFACE_ASSETS", str(tmp_path / "assets"))
    listed = voxface("assets", "list")
    assert listed.code == 0
    assert re.search(r"^facenet-vggface2 +missing ", listed.out, re.MULTILINE)
    assert re.search(r"^dlib-face-resnet +packaged ", listed.out, re.MULTILINE)
    longer = voxface("assets", "list", "--long")
    assert "281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b" in longer.out
    verified = voxface("assets", "verify")
    assert verified.code == 0
    assert re.search(r"^dlib-face-resnet +ok ", verified.out, re.MULTILINE)
    small = tmp_path / "face_landmarker.task"
    small.write_bytes(b"another file")
    refused = voxface("assets", "add", "mediapipe-face-landmarker", str(small))
    assert refused.code == 2
    assert "12 bytes" in refused.one_line_on_stderr()


@pytest.mark.slow
def test_prepare_toy(voxface, tiny: Corpus, tmp_path: Path) -> None:
    said = voxface("prepare", "toy", "tiny")
    assert said.code == 0
    assert "data.corpus=corpora/toy-tiny" in said.out
    assert Corpus(tmp_path / "corpora" / "toy-tiny").checksum == tiny.checksum
    assert voxface("prepare", "toy", "tiny").code == 2


def test_prepare_folder(voxface, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name in ("ana", "bruno"):
        (tmp_path / "mine" / name).mkdir(parents=True)
        for number in range(5):
            write_wav(tmp_path / "mine" / name / f"{number}.wav", random.normal(0, 0.1, 4_000))
            picture = Image.fromarray(random.integers(0, 255, (40, 30, 3)).astype(np.uint8))
            picture.save(tmp_path / "mine" / name / f"{number}.png")
    said = voxface("prepare", "folder", "mine", "--consent", "asked")
    assert said.code == 0
    corpus = Corpus(tmp_path / "corpora" / "mine")
    assert corpus.info["consent"] == "asked"
    assert len(corpus.clips) == len(corpus.faces) == 10
    (tmp_path / "mine" / "ana" / "bad.wav").write_text("text")
    assert voxface("prepare", "folder", "mine").code == 2  # it is there already
    again = voxface("prepare", "folder", "mine", "--overwrite")
    assert again.code == 1
    assert "bad.wav: not sound" in again.out
