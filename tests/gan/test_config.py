from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gan import config as configuration
from gan.config import from_dict, load, run_hash


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


@pytest.mark.parametrize(("overrides", "said"), [
    (["train.stpes=5"], ["train.stpes", "Allowed: steps", "Did you mean steps?"]),
    (["trian.steps=5"], ["trian", "Did you mean train?"]),
    (["train.steps=many"], ["train.steps", "many"]),
    (["train.steps=0"], ["train.steps", "1 or more"]),
    (["train.precision=float16"], ["train.precision", "float16", "bfloat16"]),
    (["data.pairing=alligned"], ["data.pairing", "Did you mean aligned?"]),
    (["data.clip_seconds=[2,1]"], ["data.clip_seconds", "[2.0, 1.0]"]),
    (["train.update_order=[generator]"], ["train.update_order", "[discriminator, generator]"]),
    (["train=5"], ["train", "mapping"]),
    (["nonsense"], ["nonsense", "key=value"]),
    (["[=1"], ["[=1", "key=value"]),
    (["train.steps=[1"], ["train.steps"]),
    (["losses=[]"], ["losses", "[]", "mapping is expected"]),
    (["evaluation.metrics=5"], ["evaluation.metrics", "5", "mapping is expected"]),
    (["evaluation.faces_per_speaker=0"], ["evaluation.faces_per_speaker: 0 came", "1 or more, or null"]),
    (["data.clip_seconds={a: 1}"], ["data.clip_seconds", "mapping is not allowed"]),
    (["train.frozen.0=encoder"], ["train.frozen", "mapping is not allowed"]),
    (["optimizer.step_decay.0=0.1"], ["optimizer.step_decay", "mapping is not allowed"]),
])
def test_mistakes_are_one_line_that_names_the_key(overrides: list[str], said: list[str]) -> None:
    with pytest.raises(ValueError) as error:
        load("wav2pix-64", overrides)
    message = str(error.value)
    assert "\n" not in message
    for words in said:
        assert words in message


def paths(section: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in section.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from paths(value, f"{prefix}{key}.")


TINY = load("sf2f-64-tiny")
KEYS = st.builds(str.__add__, st.sampled_from([*paths(configuration.to_dict(TINY)), "x", "train..steps", ""]),
                 st.sampled_from(["", "", "", ".", ".x", ".0", "[0]", "[", "]", "..y", " "]))
VALUES = st.one_of(
    st.integers().map(str), st.floats().map(str), st.text(max_size=8),
    st.text("[]{}:,&*!|>%@`'\"#?-${}~ \t\nab1.", max_size=12), st.lists(st.integers(-1, 2), max_size=3).map(str),
    st.sampled_from(["", "null", "true", "{}", "[]", "[null]", "[[1]]", "{a: 1}", "{1: 2}", "{null: 1}", "{name: null}",
                     "{name: x}", "{name: {a: 1}}", "{[1]: 2}", "${train.steps}", "${nope}", "${", "???", "&a [*a]", "2020-13-45",
                     "1e400", "!!python/object:os.system x", "!!binary x", "9" * 5000]))


@settings(max_examples=40, deadline=None)
@given(key=KEYS, value=VALUES)
@example(key="data.clip_seconds", value="&a [*a]")
@example(key="losses.x", value="&a {b: *a}")
def test_whatever_comes_is_taken_or_refused_in_one_line(key: str, value: str) -> None:
    try:
        config = configuration.with_overrides(TINY, [f"{key}={value}"])
    except ValueError as error:
        refused = error
    else:
        assert repr(from_dict(configuration.to_dict(config))) == repr(config)       # not ==: nan is not itself
        return
    assert type(refused) is ValueError
    assert len(str(refused).splitlines()) == 1


def test_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"wav2pix64: no such file.*Did you mean wav2pix-64\?"):
        load("wav2pix64")


@pytest.mark.parametrize("text", ["", " \n", "# nothing yet\n"])
def test_an_empty_recipe_is_called_empty(text: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"mine.yaml: the file is empty"):
        load(tmp_path / "mine.yaml")


@pytest.mark.parametrize("text", ["train: {steps: [1\n", "losses: &a {x: *a}\n"])
def test_broken_yaml_names_the_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"broken.yaml: not valid YAML") as caught:
        load(tmp_path / "broken.yaml")
    assert len(str(caught.value).splitlines()) == 1


def test_run_hash_stands_for_what_decides_the_numbers() -> None:
    def digest(*overrides: str, corpus: str = "c") -> str:
        return run_hash(load("wav2pix-64", overrides), corpus)

    same = digest()
    for harmless in ("train.device=cpu", "train.threads=1", "logging.images_every=7", "train.keep_last=9", "train.steps=3",
                     "data.workers=4", "evaluation.runs=2", "data.corpus=elsewhere"):
        assert digest(harmless) == same, harmless
    for deciding in ("train.seed=1", "train.batch_size=3", "losses.pixel.weight=1", "optimizer.generator.learning_rate=1"):
        assert digest(deciding) != same, deciding
    assert digest(corpus="d") != same
    assert run_hash(load("sf2f-64", ["train.steps=130000"]), "c") != run_hash(load("sf2f-64"), "c")


def test_every_allowed_key_exists() -> None:
    plain = configuration.to_dict(configuration.Config())
    for key in (*configuration.ALLOWED, *configuration.NOT_IN_HASH):
        section = plain
        for part in key.split("."):
            section = section[part]
