"""Parts that know people by their number are not taken over for other people."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gan import checkpoint
from gan.model import names_people
from gan.recipes import load
from gan.training.start import train

MADE = Path(__file__).parents[2] / "fixtures" / "33ff0c6"
OLD = "trained/recipe-abcbf983"  # made before checkpoints knew their people


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Copies of a corpus of three speakers with names of their own; and a working folder with runs and a recipe."""
    shutil.copytree(MADE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)

    def copied(name: str, *speakers: str) -> str:
        shutil.copytree("people", name)
        lines = Path("people/speakers.csv").read_text().splitlines()
        for number, speaker in enumerate(speakers, start=1):
            lines[number] = lines[number].replace(f"speaker-{number - 1}", speaker)
        Path(name, "speakers.csv").write_text("\n".join(lines) + "\n")
        info = json.loads(Path(name, "corpus.json").read_text())
        Path(name, "corpus.json").write_text(json.dumps(info | {"name": name, "checksum": name}))
        return name

    return copied


def start_from(run: str | Path, corpus: str, *modules: str) -> Path:
    return train(
        load("recipe.yaml", [f"data.corpus={corpus}", f"train.init_from={run}", f"train.init_modules=[{','.join(modules)}]"]),
        "next",
        Path("runs"),
    )


@pytest.mark.slow
def test_other_people_of_the_same_number_are_refused(corpus) -> None:
    before = train(load("recipe.yaml"), "first", Path("runs"))
    for others in (corpus("others", "anna", "bert"), corpus("reordered", "speaker-1", "speaker-0")):
        for modules in (["discriminators"], ["encoder", "discriminators.identity"]):
            with pytest.raises(ValueError) as error:
                start_from(before, others, *modules)
            said = str(error.value)
            assert said.startswith(f"train.init_modules: {modules[-1]} of ")
            assert f"the people of corpus people; those of data.corpus, {others}, are others. Leave {modules[-1]} out" in said
            assert "\n" not in said
        assert not list(Path("runs").glob("next-*"))
        assert checkpoint.of_run(start_from(before, others, "encoder", "decoder")).step == 2
        shutil.rmtree(next(Path("runs").glob("next-*")))


@pytest.mark.slow
def test_the_same_people_in_another_corpus_are_taken(corpus) -> None:
    before = train(load("recipe.yaml"), "first", Path("runs"))
    assert checkpoint.of_run(start_from(before, corpus("more"), "encoder", "discriminators")).step == 2


@pytest.mark.slow
def test_an_older_checkpoint_goes_by_its_corpus(corpus) -> None:
    with pytest.raises(ValueError, match=r"corpus people; .*data\.corpus"):
        start_from(OLD, corpus("more"), "discriminators")
    assert start_from(OLD, "people", "discriminators").is_dir()
    about = next(Path(OLD).rglob("checkpoint.json"))
    info = json.loads(about.read_text())
    del info["corpus"]["checksum"]
    about.write_text(json.dumps(info))
    assert start_from(OLD, "more", "discriminators").is_dir()


def test_which_parts_name_people() -> None:
    config = load("sf2f-64-tiny")
    assert [
        part
        for part in ("encoder", "decoder", "discriminators", "discriminators.image", "discriminators.identity")
        if names_people(config, part)
    ] == ["discriminators", "discriminators.identity"]
