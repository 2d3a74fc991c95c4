"""docs/data.md is true: its commands run as written, section by section, on small made-up trees; its YAML and names exist."""

import inspect
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks.channel import Truth, tiny_channel
from gan.__main__ import main
from gan.data.corpus import Corpus
from gan.data.pictures import write_face
from gan.data.toy.faces import draw_picture, render_face
from gan.data.toy.speakers import draw_speaker
from gan.launchers.slurm import Slurm
from gan.raw.profile import READING, Profile, profile_names
from gan.raw.published import PUBLISHED
from tests.conftest import Once
from tests.gan.raw.cases import voice, write_voxceleb
from tests.gan.raw.media import touch, write
from tests.gan.raw.test_mels import published
from tests.gan.raw.test_youtubers import add_pair
from tests.sound import write_wav
from tests.test_readme import BRIEF, typed

PAGE = (Path(__file__).parent.parent / "docs" / "data.md").read_text(encoding="utf-8")
# Added to the preparations of films: few looks, and limits for faces as small as films this small can show.
LOOSE = ["--set", "looks.per_second=2", "faces.least_pupil_distance_px=20", "faces.most_asymmetry=0.3"]
SPEAKERS = ("ana", "bruno", "caro")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def sections() -> dict[str, list[str]]:
    """Heading -> commands below it."""
    found = {}
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE):
        lines = "\n".join(blocks(section, "bash")).replace("\\\n", " ").splitlines()
        found[section.splitlines()[0].lstrip("# ")] = [line for line in lines if line.strip()]
    return {heading: commands for heading, commands in found.items() if commands}


def voxceleb(home: Path) -> None:
    write_voxceleb(home / "voxceleb1", films=2, utterances=1)
    (home / "hq-voxceleb" / "vox1").mkdir(parents=True)
    (home / "voxceleb1" / "faces").rename(home / "hq-voxceleb" / "vox1" / "masked_faces")


def films(home: Path, channel: Path) -> None:
    for number, speaker in enumerate(SPEAKERS):
        (home / "films" / speaker).mkdir(parents=True)
        for film in range(2):
            shutil.copyfile(channel / f"p{number:03}/f{film:02}.mp4", home / "films" / speaker / f"talk{film + 1}.mp4")
    write(home / "removed.txt", "bruno  # asked in May\nana/talk2\n")


def avspeech(home: Path, channel: Path) -> None:
    """One film each of three people: two as cut segments, one whole; and a row of a film that is missing."""
    rows = ["-AAAAaaaa_9,1.000000,5.000000,0.5,0.5"]
    (home / "clips").mkdir()
    for number, form in enumerate(("{}_10.000000-13.000000.mp4", "{}_10.0_13.0.mp4", "{}.mp4")):
        path, film = channel / f"p{number:03}/f00.mp4", f"BBBBbbbb-_{number}"
        first = Truth.read(path).faces(0.0)[0]
        width, height = Truth.read(path).size
        x, y = (first.box[0] + first.box[2]) / 2 / width, (first.box[1] + first.box[3]) / 2 / height
        start = 0 if number == 2 else 10
        rows.append(f"{film},{start:.6f},{start + 3:.6f},{x:.6f},{y:.6f}")
        shutil.copyfile(path, home / "clips" / form.format(film))
    write(home / "avspeech_test.csv", "\n".join(rows) + "\n")


def youtubers(home: Path) -> None:
    for number, name in enumerate(SPEAKERS[:2]):
        for picture in range(6):
            rng = np.random.default_rng([number, picture])
            face = home / f"{picture}.png"
            write_face(face, render_face(draw_speaker(5, number), draw_picture(rng), 128))
            for cut in range(2):
                sound = voice(number, 10 * picture + cut, 1.0)
                split = "test" if picture == 5 else "train"
                add_pair(home / "youtubers_sample", split, name, 1000 * number + 5 * picture + cut, sound, face.read_bytes())
            face.unlink()


def mine(home: Path) -> None:
    for number, name in enumerate(SPEAKERS[:2]):
        (home / "mine" / name).mkdir(parents=True)
        for talk in range(2):
            write_wav(home / "mine" / name / f"talk{talk}.wav", voice(number, talk, 1.0))
            face = render_face(draw_speaker(5, number), draw_picture(np.random.default_rng([number, talk])), 128)
            write_face(home / "mine" / name / f"talk{talk}.jpg", face)


@pytest.fixture
def trees(once: Once, tiny: Corpus) -> dict[str, Callable[[Path], object]]:
    """By the name of a folder or file that a command names: what writes it."""
    channel = once("tiny-channel", lambda folder: tiny_channel(folder, seed=2))

    def mels(home: Path) -> None:
        published(home, tiny)
        (home / "mels").rename(home / "mel_spectrograms")
        (home / "faces").rename(home / "masked_faces")

    def presenters(home: Path) -> None:
        write(home / "presenters.csv", "Name,Gender\nAna,f\nBruno,m\n")
        touch(home / "presenters", "Ana/video/1.mp4", "Ana/audio/1.m4a", "Bruno/video/1.mp4", "Bruno/audio/1.m4a")

    def slurm(home: Path) -> None:
        write(home / "slurm.yaml", "{name: local, parallel: 2}")  # no cluster here

    return {
        "voxceleb1": voxceleb,
        "films": lambda home: films(home, channel),
        "avspeech_test.csv": lambda home: avspeech(home, channel),
        "presenters.csv": presenters,
        "slurm.yaml": slurm,
        "mel_spectrograms": mels,
        "youtubers_sample": youtubers,
        "mine": mine,
    }


# Sections whose commands go on with what those of another section left.
AFTER = {
    "What the command says, and going on after a stop": "From a disk to a run: a folder of films",
    "When somebody wants to be removed": "From a disk to a run: a folder of films",
    "Published splits": "From a disk to a run: VoxCeleb with faces by name",
}


@pytest.mark.slow
@pytest.mark.parametrize("heading", sorted(sections().keys() - AFTER.keys()))
def test_every_command_runs_in_order(
    heading: str,
    trees: dict[str, Callable[[Path], object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    opened: list[str] = []
    monkeypatch.setattr("gan.pages.review.serve", lambda app, port, announce: opened.append("as if Ctrl-C came at once"))
    commands = [each for key in sections() if key == heading or AFTER.get(key) == heading for each in sections()[key]]
    for name, make in trees.items():
        if any(re.search(rf"(?<![\w/-]){re.escape(name)}(?![\w-])", command) for command in commands):
            make(tmp_path)
    corpora: dict[str, str] = {}
    for command in commands:
        words = typed(command)
        again = False
        if words[0] == "train":
            words += [*BRIEF, *([] if "data.corpus=" in command else ["data.corpus=toy:tiny"])]
        elif words[1:2] and words[1] in ("voxceleb", "avspeech", "videos"):
            again = "--overwrite" not in words and (Path(words[words.index("--out") + 1])).exists()
            words += LOOSE + (["--overwrite"] if again else [])
        code = main(words)
        said = capsys.readouterr()
        # 1 says that something was left out, or that a tree so small is flawed.
        assert code in (0, 1) if words[0] in ("prepare", "audit") else code == 0, f"{command}\n{said}"
        corpora[command] = said.out
    assert len(opened) == sum(" review " in command for command in commands)
    told = "\n".join(corpora.values())
    if "splits.published" in " ".join(commands):
        assert "The published division shares 0 of 8 films (0.0%) across its parts" in told
        assert not (tmp_path / "corpora/vox1-v2f.work").exists()
    if "remove" in " ".join(commands):
        assert "bruno" not in {row["speaker"] for row in Corpus(tmp_path / "corpora" / "films").speakers}
    for path in sorted((tmp_path / "corpora").glob("*/corpus.json")):
        Corpus(path.parent).verify()


def test_the_launcher_on_the_page_is_one() -> None:
    (section,) = (yaml.safe_load(block) for block in blocks(PAGE, "yaml"))
    assert section.pop("name") == "slurm"
    assert section.keys() <= inspect.signature(Slurm).parameters.keys()


def table_names(heading: str) -> list[str]:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([\w-]+)`", section, re.MULTILINE)


def test_names_on_the_page_are_those_there_are() -> None:
    assert sorted(table_names("Profiles")) == profile_names()
    assert sorted(table_names("Published splits")) == sorted(PUBLISHED)
    for section in READING:
        assert f"`{section}`" in PAGE
    keys = {f"{section}.{key}" for section, values in Profile().to_dict().items() for key in values}
    for key in re.findall(r"`((?:faces|people|looks|crop|voices|splits|loudness|speaking)\.\w+)", PAGE):
        assert key in keys, key


def test_sources_on_the_page_are_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["prepare", "--help"])
    offered = set(re.findall(r"^    ([\w-]+)(?: |$)", capsys.readouterr().out, re.MULTILINE))
    listed = set(re.findall(r"^\| `([\w-]+)`", PAGE.split("\n## ")[0], re.MULTILINE))
    assert listed == offered - {"remove", "status", "review", "task"}


def test_the_words_of_a_command_are_a_shells() -> None:
    assert all(shlex.split(command)[0] == "voxface" for commands in sections().values() for command in commands)
