import inspect
import json
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluation.metrics.base import Metric
from evaluation.metrics.recall import Recall
from gan import assets
from gan.__main__ import main
from gan.build import find
from gan.config import Config, Evaluation, from_dict, to_dict
from gan.data.corpus import Corpus
from gan.recipes import load_protocol, protocol_names, with_overrides
from gan.scoring.evaluate import build_metrics
from gan.scoring.rows import read_rows

OWN = {
    "evaluation": {
        "protocol": "mine",
        "splits": ["unseen_speaker"],
        "runs": 2,
        "seconds": [0.5],
        "metrics": {"l1": {"name": "pixels"}},
    }
}


@pytest.fixture(autouse=True)
def no_assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody added a weight file."""
    monkeypatch.setenv("VOXFACE_ASSETS", str(tmp_path / "assets"))
    return tmp_path / "assets"


def written(folder: Path, content: Mapping[str, Any]) -> str:
    (folder / "mine.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return str(folder / "mine.yaml")


# -- the shipped ones -------------------------------------------------------------------------------------------------


def test_those_of_the_papers_and_a_default_are_shipped() -> None:
    assert set(protocol_names()) == {"default", "sf2f-paper", "wav2pix-paper", "speech2face-paper", "voice2face-paper"}


@pytest.mark.parametrize("name", protocol_names())
def test_a_protocol_says_its_name_and_survives_a_round_trip(name: str) -> None:
    settings = load_protocol(name)
    assert settings.protocol == name
    assert settings.runs == 10
    config = Config(evaluation=settings)
    assert from_dict(to_dict(config)) == config


def sections(base: type, section: Mapping[str, Any], key: str) -> Iterator[tuple[str, set[str], set[str]]]:
    """The keys of a section and of those in it: key, keys that came and are not taken, keys that are needed and did not come."""
    component = find(base, section["name"], key)
    parameters = inspect.signature(component).parameters
    hints = typing.get_type_hints(component.__init__)
    needed = {name for name, parameter in parameters.items() if parameter.default is inspect.Parameter.empty}
    yield key, set(section) - {"name"} - set(parameters), needed - set(section)
    for name, value in section.items():
        if isinstance(value, Mapping):
            yield from sections(hints[name], value, f"{key}.{name}")


@pytest.mark.parametrize("name", protocol_names())
def test_every_key_is_its_components(name: str) -> None:
    """Also of metrics whose weight file is not there, which nothing else would try."""
    for metric, section in load_protocol(name).metrics.items():
        for key, unknown, missing in sections(Metric, section, metric):
            assert (unknown, missing) == (set(), set()), key


@pytest.mark.slow
@pytest.mark.parametrize("name", protocol_names())
def test_metrics_build_or_tell_which_weight_file_they_need(name: str) -> None:
    settings = load_protocol(name)
    built = build_metrics(settings)
    assert list(built) == list(settings.metrics)
    for metric, made in built.items():
        asked = [word for word in json.dumps(settings.metrics[metric]).split('"') if word.startswith("asset:")]
        if asked:
            (wanted,) = (assets.asset(word.removeprefix("asset:")) for word in asked)
            assert isinstance(made, str)
            assert wanted.name in made
            assert "voxface assets list" in made
            assert "\n" not in made
        else:
            assert isinstance(made, Metric)


def test_a_weight_file_that_was_added_is_used(no_assets: Path) -> None:
    """It is no net, and the net's own reader says so."""
    path = no_assets / assets.asset("vggface2-resnet50").file
    no_assets.mkdir()
    path.write_bytes(b"another file")
    with pytest.raises(ValueError, match=r"^evaluation\.metrics\.vggface_score\.network: .*resnet50_ft_weight\.pkl") as error:
        build_metrics(load_protocol("sf2f-paper"))
    assert "\n" not in str(error.value)


def test_a_misspelt_weight_file_is_a_mistake() -> None:
    extractor = {"name": "inception", "weights": "asset:fid-incepton"}
    settings = Evaluation(metrics={"fid": {"name": "frechet", "extractor": extractor}})
    with pytest.raises(ValueError, match=r"fid-incepton.*fid-inception"):
        build_metrics(settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.floor] if name == "default" else []) for name in protocol_names()]
)
def test_a_protocol_runs(name: str, tiny: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = load_protocol(name)
    brief = [
        f"evaluation.metrics.{metric}.steps=5"
        for metric, section in settings.metrics.items()
        if section == {"name": "identity_accuracy"}
    ]
    assert (
        main(
            [
                "evaluate",
                "prior",
                "oracle-identity",
                "--no-controls",
                "--corpus",
                "toy:tiny",
                "--protocol",
                name,
                "evaluation.runs=1",
                *brief,
                "--out",
                str(tmp_path),
            ]
        )
        == 0
    )
    assert capsys.readouterr().err == ""
    found = read_rows(tmp_path / "results.jsonl")
    named = ["seen_speech" if split == "train" else split for split in settings.splits]
    assert list(dict.fromkeys((row["split"], row["protocol"]["seconds"], row["system"]) for row in found)) == [
        (split, seconds, system) for split in named for seconds in settings.seconds for system in ("prior", "oracle-identity")
    ]
    assert all((row["protocol"]["name"], row["protocol"]["runs"]) == (name, 1) for row in found)
    assert all(row["value"] is not None or row["note"].startswith("skipped: ") for row in found)
    scored = {(row["split"], row["protocol"]["seconds"], row["system"]) for row in found if row["value"] is not None}
    assert scored == {(row["split"], row["protocol"]["seconds"], row["system"]) for row in found}
    assert main(["table", str(tmp_path / "results.jsonl")]) == 0
    assert f"name {name}, num faces" in capsys.readouterr().out


# -- chosen by name, by file, and changed -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sf2f-papr", "--protocol: no file and no shipped protocol sf2f-papr. Have: default, "),
        ("nowhere.yaml", "--protocol: no file and no shipped protocol nowhere.yaml."),
    ],
)
def test_a_wrong_name_is_one_line(name: str, said: str, tiny: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "prior", "--corpus", "toy:tiny", "--protocol", name, "--out", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"voxface: {said}")
    assert err.count("\n") == 1
    assert ("Did you mean sf2f-paper?" in err) is (name == "sf2f-papr")
    assert not list(tmp_path.iterdir())


def test_a_file_of_ones_own_with_overrides_on_top(tiny: Corpus, tmp_path: Path) -> None:
    assert (
        main(
            [
                "evaluate",
                "prior",
                "--no-controls",
                "--corpus",
                "toy:tiny",
                "--protocol",
                written(tmp_path, OWN),
                "evaluation.runs=3",
                "evaluation.metrics.psnr.name=psnr",
                "--out",
                str(tmp_path),
            ]
        )
        == 0
    )
    found = read_rows(tmp_path / "results.jsonl")
    assert [(row["split"], row["metric"]) for row in found] == [("unseen_speaker", "l1"), ("unseen_speaker", "psnr")]
    assert all({"name": "mine", "runs": 3, "seconds": 0.5, "num_faces": 12}.items() <= row["protocol"].items() for row in found)


def test_what_a_protocol_leaves_out_is_the_default_but_its_name_is_the_file_s(tmp_path: Path) -> None:
    path = written(tmp_path, {"evaluation": {"metrics": {"l1": {"name": "pixels"}}}})
    assert load_protocol(path) == Evaluation(protocol=Path(path).stem, metrics={"l1": {"name": "pixels"}})


def test_overrides_on_a_shipped_one() -> None:
    config = Config(evaluation=load_protocol("sf2f-paper"))
    changed = with_overrides(
        config, ["evaluation.metrics.cosine=null", "evaluation.metrics.recall_dlib.gallery_size=2", "evaluation.seconds=[5]"]
    ).evaluation
    assert "cosine" not in changed.metrics
    assert changed.seconds == [5.0]
    recall = build_metrics(changed)["recall_dlib"]
    assert isinstance(recall, Recall)
    assert recall.gallery_size == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (OWN | {"train": {"steps": 3}}, "a protocol holds one section, evaluation"),
        ({"train": {"steps": 3}}, "a protocol holds one section, evaluation"),
        ({}, "a protocol holds one section, evaluation"),
        ({"evaluation": {"run": 3}}, "evaluation.run: no such key"),
        ({"evaluation": {"splits": ["unseen_speech"], "metrics": ["l1"]}}, "evaluation.metrics: "),
        ({"evaluation": 3}, "evaluation: a mapping"),
    ],
)
def test_what_is_no_protocol_is_refused(content: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as error:
        load_protocol(written(tmp_path, content))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_list_or_broken_yaml_is_no_protocol(tmp_path: Path) -> None:
    for text, said in (
        ("", "the file is empty"),
        ("- evaluation\n", "one section, evaluation"),
        ("evaluation: {runs: 3\n", "not valid YAML"),
    ):
        (tmp_path / "mine.yaml").write_text(text)
        with pytest.raises(ValueError, match=said):
            load_protocol(str(tmp_path / "mine.yaml"))
