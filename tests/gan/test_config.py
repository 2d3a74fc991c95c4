from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gan import config as configuration
from gan.config import from_dict, run_hash
from gan.recipes import load, with_overrides
from tests.properties import examples


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
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
    ],
)
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
KEYS = st.builds(
    str.__add__,
    st.sampled_from([*paths(configuration.to_dict(TINY)), "x", "train..steps", ""]),
    st.sampled_from(["", "", "", ".", ".x", ".0", "[0]", "[", "]", "..y", " "]),
)
VALUES = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.text(max_size=8),
    st.text("[]{}:,&*!|>%@`'\"#?-${}~ \t\nab1.", max_size=12),
    st.lists(st.integers(-1, 2), max_size=3).map(str),
    st.sampled_from(
        [
            "",
            "null",
            "true",
            "{}",
            "[]",
            "[null]",
            "[[1]]",
            "{a: 1}",
            "{1: 2}",
            "{null: 1}",
            "{name: null}",
            "{name: x}",
            "{name: {a: 1}}",
            "{[1]: 2}",
            "${train.steps}",
            "${nope}",
            "${",
            "???",
            "&a [*a]",
            "2020-13-45",
            "1e400",
            "!!python/object:os.system x",
            "!!binary x",
            "9" * 5000,
        ]
    ),
)


@pytest.mark.slow
@examples(40)
@given(key=KEYS, value=VALUES)
@example(key="data.clip_seconds", value="&a [*a]")
@example(key="losses.x", value="&a {b: *a}")
def test_whatever_comes_is_taken_or_refused_in_one_line(key: str, value: str) -> None:
    try:
        config = with_overrides(TINY, [f"{key}={value}"])
    except ValueError as error:
        refused = error
    else:
        assert repr(from_dict(configuration.to_dict(config))) == repr(config)  # not ==: nan is not itself
        return
    assert type(refused) is ValueError
    assert len(str(refused).splitlines()) == 1


@pytest.mark.slow
def test_run_hash_stands_for_what_decides_the_numbers() -> None:
    def digest(*overrides: str, corpus: str = "c") -> str:
        return run_hash(load("wav2pix-64", overrides), corpus)

    same = digest()
    for harmless in (
        "train.device=cpu",
        "train.threads=1",
        "logging.images_every=7",
        "train.keep_last=9",
        "train.steps=3",
        "data.workers=4",
        "evaluation.runs=2",
        "data.corpus=elsewhere",
    ):
        assert digest(harmless) == same, harmless
    for deciding in ("train.seed=1", "train.batch_size=3", "losses.pixel.weight=1", "optimizer.generator.learning_rate=1"):
        assert digest(deciding) != same, deciding
    assert digest(corpus="d") != same
    assert run_hash(load("sf2f-64", ["train.steps=130000"]), "c") != run_hash(load("sf2f-64"), "c")


def test_every_key_left_out_of_the_hash_exists() -> None:
    plain = configuration.to_dict(configuration.Config())
    for key in (*configuration.BESIDE_RESULTS, *configuration.SCORING):
        section = plain
        for part in key.split("."):
            section = section[part]
