from pathlib import Path

import pytest

from gan.recipes import load


def test_base_inheritance_and_overrides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.yaml").write_text("base: wav2pix-64\ntrain: {batch_size: 3}\n")
    monkeypatch.chdir(tmp_path)
    config = load("mine.yaml", ["train.steps=7", "losses.pixel.weight=2.5", "data.clip_seconds=[1,1]"])
    assert (config.train.batch_size, config.train.steps, config.losses["pixel"]["weight"]) == (3, 7, 2.5)
    assert config.encoder == {"name": "segan", "num_samples": 16000, "embedding_dim": 128}


def test_a_base_is_found_beside_the_file_first(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "base.yaml").write_text("train: {seed: 11}\n")
    (tmp_path / "sub" / "mine.yaml").write_text("base: base.yaml\n")
    assert load(tmp_path / "sub" / "mine.yaml").train.seed == 11


def test_changing_a_name_replaces_the_section() -> None:
    config = load("wav2pix-64", ["encoder.name=inception1d"])
    assert config.encoder == {"name": "inception1d"}


def test_null_takes_a_component_away() -> None:
    assert "feature_matching" not in load("wav2pix-64", ["losses.feature_matching=null"]).losses


def test_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"wav2pix64: .*wav2pix-64"):
        load("wav2pix64")


@pytest.mark.parametrize("text", ["", " \n", "# nothing yet\n"])
def test_an_empty_recipe_is_called_empty(text: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"mine.yaml: .*empty"):
        load(tmp_path / "mine.yaml")


@pytest.mark.parametrize("text", ["train: {steps: [1\n", "losses: &a {x: *a}\n"])
def test_broken_yaml_names_the_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"broken.yaml: not valid YAML") as caught:
        load(tmp_path / "broken.yaml")
    assert len(str(caught.value).splitlines()) == 1
