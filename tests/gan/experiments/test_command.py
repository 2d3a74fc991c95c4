from pathlib import Path

import pytest

from gan.__main__ import main
from gan.run import Run


@pytest.mark.slow
def test_the_command(loaded: dict[str, Run], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    run = str(loaded["free"].path)
    options = ["--speakers", "2", "--seed", "3", "--out", str(tmp_path), "--device", "cpu"]
    assert main(["experiment", "interpolation", run, *options]) == 0
    assert "| a | pairs |" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"interpolation.png", "interpolation.csv"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["interpolations"], "experiment: no experiment interpolations. Have: audio-length"),
        (["interpolation", "--split", "nowhere"], "no split named nowhere"),
        (["interpolation", "--audio", "nowhere.wav"], "nowhere.wav: no such file"),
        (["interpolation", "--corpus", "nowhere"], "nowhere has no corpus.json"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], said: str, loaded: dict[str, Run], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    name, *options = arguments
    assert main(["experiment", name, str(loaded["free"].path), "--out", str(tmp_path), *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_help_explains_each(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        main(["experiment", "--help"])
    said = capsys.readouterr().out
    assert "audio-length        faces of 0.3" in said
    assert "growing-segments" in said
