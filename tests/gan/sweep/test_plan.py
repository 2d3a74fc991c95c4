import re
import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan import config as configuration
from gan.config import BESIDE_RESULTS, digest
from gan.recipes import load as load_recipe
from gan.sweep import plan as planning
from gan.sweep.plan import Plan, load
from tests.properties import examples

Quick = Callable[..., Plan]
SIZES = {"train.batch_size": [4, 6]}


def titles(plan: Plan) -> list[str]:
    return [cell.title for cell in plan.cells]


# -- which cells, in which order ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_value_of_a_grid_comes_with_every_other(quick: Quick) -> None:
    plan = quick(grid={**SIZES, "train.steps": [5, 7]}, seeds=[1, 0])
    assert titles(plan) == [
        f"batch_size {size}, steps {steps}, seed {seed}" for size in (4, 6) for steps in (5, 7) for seed in (1, 0)
    ]
    assert [(cell.config.train.batch_size, cell.config.train.steps, cell.config.train.seed) for cell in plan.cells] == [
        (size, steps, seed) for size in (4, 6) for steps in (5, 7) for seed in (1, 0)
    ]
    assert plan.cells[-1].axes == {"batch_size": "6", "steps": "7"}


def test_zip_goes_through_its_lists_together(quick: Quick) -> None:
    plan = quick(zip={**SIZES, "train.steps": [5, 7]})
    assert titles(plan) == ["batch_size 4, steps 5, seed 0", "batch_size 6, steps 7, seed 0"]


@pytest.mark.slow
def test_variants_stand_first_then_zip_then_grid(quick: Quick) -> None:
    plan = quick(grid={"train.steps": [5, 7]}, zip=SIZES, variants={"full": {}, "no L1": {"losses.pixel": None}})
    assert [cell.label for cell in plan.cells] == [
        f"{variant}, batch_size {size}, steps {steps}" for variant in ("full", "no L1") for size in (4, 6) for steps in (5, 7)
    ]
    assert list(plan.cells[0].axes) == ["variant", "batch_size", "steps"]
    assert ["pixel" in cell.config.losses for cell in plan.cells] == [True] * 4 + [False] * 4


def test_without_axes_a_sweep_is_its_recipe(quick: Quick) -> None:
    assert titles(quick(seeds=[0, 3])) == ["sf2f-64-tiny, seed 0", "sf2f-64-tiny, seed 3"]


def test_excluded_cells_are_not_there(quick: Quick) -> None:
    plan = quick(grid={**SIZES, "train.steps": [5, 7, 9]}, exclude=[{"batch_size": 4, "steps": [5, 9]}, {"steps": 7}])
    assert titles(plan) == ["batch_size 6, steps 5, seed 0", "batch_size 6, steps 9, seed 0"]


def test_null_and_yes_are_values_with_labels(quick: Quick) -> None:
    plan = quick(
        grid={"optimizer.clip_gradient": [None, 1.0], "train.channels_last": [True, False]},
        exclude=[{"clip_gradient": None, "channels_last": True}],
    )
    assert [cell.label for cell in plan.cells] == [
        "no clip_gradient, channels_last no",
        "clip_gradient 1.0, channels_last yes",
        "clip_gradient 1.0, channels_last no",
    ]


def test_axes_of_the_same_last_part_go_by_all_of_it(quick: Quick) -> None:
    generator, discriminator = (f"optimizer.{half}.learning_rate" for half in ("generator", "discriminator"))
    plan = quick(grid={generator: [1e-3], discriminator: [1e-3, 1e-4]})
    assert [cell.axes for cell in plan.cells] == [
        {generator: "0.001", discriminator: "0.001"},
        {generator: "0.001", discriminator: "0.0001"},
    ]


def test_another_encoder_has_no_argument_of_the_old_one(quick: Quick) -> None:
    new = {"name": "cnn1d", "channels": [4, 4, 8, 8], "embedding_dim": 8}
    plan = quick(variants={"old": {}, "new": {"encoder": new}})
    assert plan.cells[0].config.encoder["name"] != "cnn1d"
    assert plan.cells[1].config.encoder == new
    by_grid = quick(grid={"encoder": [new]})
    assert by_grid.cells[0].label == "cnn1d"
    assert by_grid.cells[0].id == plan.cells[1].id


def test_a_section_is_set_before_what_is_in_it(quick: Quick) -> None:
    """A variant's part of the encoder is not lost where a grid, which comes later, replaces the encoder."""
    plan = quick(
        variants={"small": {"encoder.embedding_dim": 4}},
        grid={"encoder": [{"name": "cnn1d", "channels": [4, 4, 8, 8], "embedding_dim": 8}]},
    )
    assert plan.cells[0].config.encoder["embedding_dim"] == 4
    common = quick(
        set={"encoder.embedding_dim": 4}, grid={"encoder": [{"name": "cnn1d", "channels": [4, 4, 8, 8], "embedding_dim": 8}]}
    )
    assert common.cells[0].config.encoder["embedding_dim"] == 8  # a cell's own changes are on top of those of all


def test_another_recipe_is_a_value_of_an_axis(quick: Quick) -> None:
    plan = quick(grid={"base": ["sf2f-64-tiny", "sf2f-v2f-baseline-tiny"]})
    assert [cell.label for cell in plan.cells] == ["sf2f-64-tiny", "sf2f-v2f-baseline-tiny"]
    assert plan.cells[0].config.encoder["name"] != plan.cells[1].config.encoder["name"]
    assert all(cell.config.train.steps == 6 and list(cell.config.evaluation.metrics) == ["l1"] for cell in plan.cells)


def write_recipe(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_recipe_beside_the_sweep_may_have_a_base_of_its_own(quick: Quick, tmp_path: Path) -> None:
    write_recipe(tmp_path / "mine.yaml", "base: mine/common.yaml\ntrain: {batch_size: 3}\n")
    write_recipe(tmp_path / "mine" / "common.yaml", "base: sf2f-64-tiny\ndata: {clip_seconds: [0.4, 0.4]}\n")
    (cell,) = quick(tmp_path, base="mine.yaml").cells
    assert cell.label == "mine"
    assert (cell.config.train.batch_size, cell.config.data.clip_seconds) == (3, [0.4, 0.4])
    assert cell.config.encoder == quick().cells[0].config.encoder


def test_a_protocol_beside_the_sweep_replaces_the_recipe_s(quick: Quick, tmp_path: Path) -> None:
    write_recipe(
        tmp_path / "mine.yaml", "evaluation: {protocol: mine, runs: 2, splits: [val_speech], metrics: {p: {name: psnr}}}\n"
    )
    (cell,) = quick(tmp_path, evaluate={"protocol": "mine.yaml", "seconds": [0.6]}).cells
    assert cell.config.evaluation == configuration.Evaluation(
        protocol="mine", runs=1, splits=["val_speech"], seconds=[0.6], metrics={"p": {"name": "psnr"}}
    )


# -- what is shared -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_one_stage_a_seed_serves_all_cells_that_start_from_it(quick: Quick) -> None:
    plan = quick(base="sf2f-64-fuser-tiny", grid=SIZES, seeds=[0, 1])
    assert [task.kind for task in plan.tasks] == ["controls", "stage", "stage", "cell", "cell", "cell", "cell"]
    stages = {task.seed: task for task in plan.tasks if task.kind == "stage"}
    assert [cell.needs for cell in plan.cells] == [(stages[cell.seed].id,) for cell in plan.cells]
    assert (stages[1].config.data.corpus, stages[1].config.train.seed) == ("toy:tiny", 1)
    assert stages[0].title == "sf2f-64-tiny, seed 0"


@pytest.mark.slow
def test_stages_may_have_stages(quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where a recipe's own init_from is looked for
    write_recipe(tmp_path / "second.yaml", "base: sf2f-64-tiny\ntrain: {init_from: first.yaml, init_modules: [encoder]}\n")
    write_recipe(tmp_path / "first.yaml", "base: sf2f-64-tiny\ntrain: {steps: 5}\n")
    third = {"train.init_from": "second.yaml", "train.init_modules": ["decoder"]}
    plan = quick(set=third)
    (first, second), cell = [task for task in plan.tasks if task.kind == "stage"], plan.cells[0]
    assert (first.label, second.label) == ("first", "second")
    assert (first.needs, second.needs, cell.needs) == ((), (first.id,), (second.id,))
    before = {task.label: task.id for task in plan.tasks}
    write_recipe(tmp_path / "first.yaml", "base: sf2f-64-tiny\ntrain: {steps: 4}\n")
    after = {task.label: task.id for task in quick(set=third).tasks}
    assert {label for label in before if before[label] != after[label]} == {"first", "second", "sf2f-64-tiny"}


def test_a_cell_that_others_start_from_is_trained_once(quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_recipe(tmp_path / "first.yaml", "base: sf2f-64-tiny\nlosses: {perceptual: null}\ntrain: {steps: 6}\n")
    write_recipe(tmp_path / "second.yaml", "base: sf2f-64-tiny\ntrain: {init_from: first.yaml, init_modules: [encoder]}\n")
    first, second = quick(grid={"base": ["first.yaml", "second.yaml"]}).tasks[1:]
    assert (first.kind, second.kind) == ("cell", "cell")
    assert (first.needs, second.needs) == ((), (first.id,))


@pytest.mark.slow
def test_controls_stand_once_beside_cells_scored_alike(quick: Quick) -> None:
    assert [task.kind for task in quick(grid=SIZES, seeds=[0, 1]).tasks].count("controls") == 1
    two = quick(grid={"data.corpus": ["toy:tiny", "toy:tiny-textured"]}, set={"losses.perceptual": None})
    assert [task.corpus for task in two.tasks if task.kind == "controls"] == ["toy:tiny", "toy:tiny-textured"]
    one = quick(grid={"data.corpus": ["toy:tiny", "toy:tiny-textured"]}, evaluate={"corpus": "toy:tiny"})
    assert [task.corpus for task in one.tasks] == ["toy:tiny"] * 3


# -- ids ----------------------------------------------------------------------------------------------------------------


def test_an_id_is_the_same_in_every_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "RESULTS_VERSION", 1)
    for content in ({"b": 0.1, "a": [1, None, "é"]}, {"a": [1, None, "é"], "b": 0.1}):
        assert digest("toy", content) == "a8498f44"


@pytest.mark.slow
def test_an_id_knows_no_label_no_order_and_no_machine(quick: Quick) -> None:
    plan = quick(variants={"full": {}, "no L1": {"losses.pixel": None}}, seeds=[0, 1])
    same = quick(
        variants={"ohne": {"losses.pixel": None}, "alles": {"train.steps": 6}},
        seeds=[1, 0],
        set={
            "train.device": "auto",
            "train.threads": 3,
            "data.workers": 2,
            "logging.scalars_every": 7,
            "train.save_every": 2,
            "train.keep_last": 5,
        },
    )
    assert [cell.id for cell in plan.cells] == [same.cells[at].id for at in (3, 2, 1, 0)]
    assert plan.tasks[0].id == same.tasks[0].id


@pytest.mark.slow
@pytest.mark.parametrize("change", [{"runs": 2}, {"corpus": "toy:tiny-textured"}, {"face_size": 128}])
def test_another_protocol_another_scoring_but_the_same_training(quick: Quick, change: dict[str, Any]) -> None:
    one, other = (quick(base="sf2f-64-fuser-tiny", evaluate=evaluate) for evaluate in ({}, change))
    assert [task.kind for task in one.tasks] == ["controls", "stage", "cell"]
    assert [a.id == b.id for a, b in zip(one.tasks, other.tasks, strict=True)] == [False, True, True]
    assert [a.scoring == b.scoring for a, b in zip(one.tasks, other.tasks, strict=True)] == [False, True, False]


def test_a_weight_file_that_is_added_is_another_scoring(quick: Quick, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = {"metrics.fid": {"name": "frechet", "extractor": {"name": "inception", "weights": "asset:fid-inception"}}}
    (before,) = quick(evaluate=metrics).cells
    planning._without_weights.cache_clear()
    monkeypatch.setattr(planning, "build_metrics", lambda settings: {})
    (after,) = quick(evaluate=metrics).cells
    planning._without_weights.cache_clear()
    assert (before.id == after.id, before.scoring == after.scoring) == (True, False)


def leaves(values: dict[str, Any], under: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values, of lists the whole."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{under}{name}.")
        else:
            yield f"{under}{name}", value


RECIPE = load_recipe("sf2f-64-tiny", ["data.corpus=toy:tiny"])
TINY = asdict(RECIPE)
HASHED = [(key, value) for key, value in leaves(TINY) if not any(f"{key}.".startswith(f"{other}.") for other in BESIDE_RESULTS)]
OTHERS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=4),
    st.lists(st.integers() | st.text(max_size=2), max_size=3),
)


def _set(key: str, value: Any) -> configuration.Config:
    """The recipe with one key set, whatever that means for it: ids are of what stands there."""
    config = deepcopy(RECIPE)
    *parents, last = key.split(".")
    section: Any = config
    for parent in parents:
        section = section[parent] if isinstance(section, dict) else getattr(section, parent)
    if isinstance(section, dict):
        section[last] = value
    else:
        setattr(section, last, value)
    return config


@pytest.mark.parametrize("key", configuration.ADDED_LATER)
def test_a_key_added_later_counts_where_it_is_used(key: str) -> None:
    unused = configuration.ADDED_LATER[key]
    ids = [planning._id(_set(key, value), (), True) for value in (unused, 0.25, 0.5)]
    assert len(set(ids)) == 3
    # As if there were no such key.
    absent = _set(key, unused)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "asdict", lambda config: _without(asdict(config), key))
        assert planning._id(absent, (), True) == ids[0]


def _without(plain: dict[str, Any], key: str) -> dict[str, Any]:
    *parents, last = key.split(".")
    section = plain
    for parent in parents:
        section = section[parent]
    del section[last]
    return plain


@examples(60)
@given(
    entry=st.sampled_from([entry for entry in HASHED if entry[0] not in configuration.ADDED_LATER]),
    values=st.tuples(OTHERS, OTHERS),
)
def test_two_values_of_any_key_that_counts_have_two_ids(entry: tuple[str, Any], values: tuple[Any, Any]) -> None:
    ids = [planning._id(_set(entry[0], value), (), True) for value in (*values, entry[1])]
    texts = [repr(value) for value in (*values, entry[1])]
    for a in range(3):
        for b in range(a):
            assert (ids[a] == ids[b]) == (texts[a] == texts[b]), (entry[0], texts[a], texts[b])


def test_every_key_is_either_hashed_or_known_to_change_nothing() -> None:
    keys = dict(leaves(TINY))
    changed = {
        key
        for key in keys
        if key not in ("train.init_from", "data.corpus")  # places; what is there counts
        and planning._id(_set(key, "another"), (), True) != planning._id(_set(key, keys[key]), (), True)
    }
    assert {key for key in keys if key not in changed} == {
        "data.corpus",
        "data.workers",
        "data.published_identities",
        "train.device",
        "train.threads",
        "train.init_from",
        "train.save_every",
        "train.keep_last",
        "logging.scalars_every",
        "logging.images_every",
        "logging.num_images",
        "logging.embeddings",
    }


# -- what is wrong is said, before anything starts ----------------------------------------------------------------------


def said(quick: Quick, *args: Any, **sections: Any) -> str:
    """The message for a sweep that is refused, all of one line."""
    with pytest.raises(ValueError) as caught:
        quick(*args, **sections)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"gird": {"a": [1]}}, ["gird: no such key", "Did you mean grid?"]),
        ({"grid": [1]}, ["grid: [1] came"]),
        ({"grid": None}, ["grid: None came"]),
        ({"exclude": {"variant": "a"}}, ["exclude: "]),
        ({"base": ""}, ["base: none came"]),
        ({"base": None}, ["base: "]),
        ({"base": "sf2f-65"}, ["sf2f-65: no such file", "Did you mean sf2f-64?"]),
        ({"grid": {"train.batch_size": []}}, ["grid.train.batch_size: [] came", "not empty"]),
        ({"grid": {"train.batch_size": {}}}, ["grid.train.batch_size: {} came", "not empty"]),
        ({"grid": {"train.batch_size": 4}}, ["grid.train.batch_size: 4 came", "a list of values"]),
        ({"grid": {"trian.steps": [1]}}, ["grid.trian.steps: no key", "Did you mean train?"]),
        ({"zip": {"trian.steps": [1]}}, ["zip.trian.steps: no key", "Did you mean train?"]),
        ({"variants": {"a": {"trian.steps": 1}}}, ["variants.a.trian.steps: no key"]),
        ({"set": {"trian.steps": 1}}, ["set.trian.steps: no key"]),
        ({"grid": {"train.stesp": [5, 6]}}, ["cell 'stesp 5', seed 0: train.stesp: no such key", "Did you mean steps?"]),
        ({"grid": {"train.batch_size": [4, "many"]}}, ["cell 'batch_size many', seed 0: train.batch_size: ", "many"]),
        ({"grid": {"train.batch_size": [4, 4]}}, ["grid.train.batch_size: 4 comes twice"]),
        ({"grid": {"encoder": [{"embedding_dim": 8}]}}, ["grid.encoder: ", "no name to go by"]),
        ({"grid": {"encoder": {"small": 3}}}, ["grid.encoder.small: 3 came"]),
        ({"variants": {"a": None}}, ["variants.a: None came"]),
        ({"variants": {"a": {}, "b": {}}}, ["cell 'b', seed 0 is the same as cell 'a', seed 0", "Exclude one"]),
        ({"grid": {"train.device": ["cpu", "auto"]}}, ["cell 'device auto', seed 0 is the same as cell 'device cpu'"]),
        ({"zip": {"train.batch_size": [4], "train.steps": [5, 6]}}, ["zip: batch_size has 1, steps has 2 values"]),
        (
            {"variants": {"a": {"train.steps": 7}}, "grid": {"train.steps": [5, 6]}},
            ["axes variant and steps both set train.steps"],
        ),
        ({"variants": {"a": {}}, "grid": {"variant": {"b": {}}}}, ["the axis variant comes twice"]),
        ({"grid": {"seed": {"a": {}}}}, ["an axis named seed", "`seeds`"]),
        ({"set": {"train.seed": 1}}, ["set.train.seed: ", "`seeds`"]),
        ({"set": {"train": {"seed": 1}}}, ["set.train: ", "`seeds`"]),
        ({"grid": {"evaluation.runs": [1, 2]}}, ["grid.evaluation.runs: ", "`evaluate`"]),
        ({"seeds": []}, ["seeds: [] came"]),
        ({"seeds": 3}, ["seeds: 3 came", "a list of whole numbers"]),
        ({"seeds": [0, 1, 0]}, ["seeds: 0 comes twice"]),
        ({"seeds": [0.5]}, ["seeds: [0.5] came"]),
        ({"seeds": ["0"]}, ["seeds: ['0'] came"]),
        ({"seeds": [True]}, ["seeds: [True] came"]),
        ({"seeds": [-1]}, ["seeds: [-1] came"]),
        ({"seeds": [2**31]}, ["seeds: [2147483648] came"]),
        ({"exclude": [{"steps": 1}]}, ["exclude[0].steps: no such axis"]),
        ({"grid": SIZES, "exclude": [{"bacth_size": 4}]}, ["exclude[0].bacth_size: no such axis", "Did you mean batch_size?"]),
        ({"grid": SIZES, "exclude": [{"batch_size": 5}]}, ["exclude[0].batch_size: no '5' on that axis. Have: 4, 6."]),
        ({"grid": SIZES, "exclude": [{"batch_size": 4}, {"batch_size": 4}]}, ["exclude[1]: leaves out nothing"]),
        ({"grid": SIZES, "exclude": [{"batch_size": []}]}, ["exclude[0]: leaves out nothing"]),
        ({"grid": SIZES, "exclude": [{}]}, ["exclude[0]: {} came"]),
        ({"grid": SIZES, "exclude": ["batch_size 4"]}, ["exclude[0]: 'batch_size 4' came"]),
        ({"grid": SIZES, "exclude": [{"batch_size": [4, 6]}]}, ["exclude: leaves no cell"]),
        ({"evaluate": {"protocol": "sf2f-papre"}}, ["evaluate.protocol: ", "sf2f-papre", "Did you mean sf2f-paper?"]),
        ({"evaluate": {"rnus": 3}}, ["evaluate.rnus: no such key", "Did you mean runs?"]),
        ({"evaluate": {"runs": "many"}}, ["evaluation.runs: ", "many"]),
        ({"evaluate": {"corpus": "toy:tyni"}}, ["evaluate.corpus: no toy world tyni", "Did you mean tiny?"]),
        ({"evaluate": {"splits": ["unseen"]}}, ["evaluation.splits: ['unseen'] came", "unseen_speaker"]),
        ({"evaluate": {"splits": []}}, ["evaluation.splits: [] came"]),
        ({"evaluate": {"metrics.p": {"name": "psnrr"}}}, ["evaluation.metrics.p.name: no file", "Did you mean psnr?"]),
        ({"evaluate": {"metrics.p": {"name": "recall", "kk": 1}}}, ["evaluation.metrics.p.kk: recall takes no such argument"]),
        ({"evaluate": {"metrics.l1": None}}, ["evaluation.metrics: none came"]),
        ({"budget": {"hourz": 1}}, ["budget.hourz: no such key", "Did you mean hours?"]),
        ({"budget": {"hours": "many"}}, ["budget.hours: ", "many"]),
        ({"launcher": {"name": "lokal"}}, ["launcher.name: no file gan/launchers/lokal.py", "Did you mean local?"]),
        ({"launcher": {"paralel": 2}}, ["launcher.paralel: local takes no such argument", "Did you mean parallel?"]),
        ({"launcher": {"parallel": "two"}}, ["launcher.parallel: 'two' came"]),
        ({"table": {"colums": []}}, ["colums", "columns"]),
        ({"table": {"columns": [{"metrc": "l1"}]}}, ["metrc"]),
        ({"base": "voice2face-speaker-tiny"}, ["seed 0: ", "no decoder"]),
        (
            {"grid": {"data.corpus": ["toy:tiny", "nowhere"]}},
            ["cell 'corpus nowhere', seed 0: data.corpus: nowhere has no corpus"],
        ),
        (
            {"set": {"train.init_from": "sf2f-64-tyni", "train.init_modules": ["encoder"]}},
            ["seed 0: train.init_from: sf2f-64-tyni"],
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_mistake_is_named(quick: Quick, sections: dict[str, Any], words: list[str]) -> None:
    text = said(quick, **sections)
    assert all(word in text for word in words), text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"losses.pixel": {"name": "l3"}}, ["losses.pixel.name: no file gan/losses/l3.py", "Did you mean l1?"]),
        ({"encoder": {"name": "cnn1d", "embedding": 8}}, ["encoder.embedding: cnn1d takes no such argument", "embedding_dim"]),
        ({"encoder.embedding_dim": "x"}, ["encoder.embedding_dim: 'x' came"]),
        ({"encoder.embedding_dim": -1}, ["negative dimension"]),  # torch's own words, one line of them
        ({"decoder.width": 10**6}, ["out of memory"]),
        ({"fuser": {"name": "attention"}}, ["fuser: "]),
        (
            {"train.init_from": "sf2f-64-fuser-tiny", "train.init_modules": ["decoder"], "decoder.width": 16},
            ["decoder of sf2f-64-fuser-tiny does not fit", "decoder.width: 16 came, 32 there"],
        ),
    ],
)
def test_a_bad_cell_is_reported_with_its_axes(quick: Quick, changes: dict[str, Any], words: list[str]) -> None:
    text = said(quick, grid=SIZES, variants={"good": {}, "bad one": changes}, seeds=[3])
    assert text.startswith("cell 'bad one, batch_size 4', seed 3: ")
    assert all(word in text for word in words), text


@pytest.mark.slow
def test_a_stage_is_checked_whole(quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_recipe(tmp_path / "first.yaml", "base: sf2f-64-tiny\nlosses: {pixel: {name: l3}}\n")
    text = said(quick, set={"train.init_from": "first.yaml", "train.init_modules": ["encoder"]})
    assert text.startswith("seed 0: its stage first: losses.pixel.name: ")


@pytest.mark.parametrize(
    "sections",
    [
        {"grid": {"train.steps": list(range(1, 101)), "train.batch_size": list(range(1, 101))}},
        {"zip": {"train.steps": list(range(1, 10_001)), "train.batch_size": list(range(1, 10_001))}},
        {"variants": {f"v{number}": {"train.steps": number} for number in range(1, 10_001)}},
        {"seeds": list(range(10_000))},
    ],
)
def test_thousands_of_cells_are_refused_before_one_is_made(
    quick: Quick, sections: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning.Cells, "_config", None)
    monkeypatch.setattr("gan.sweep.axes.values_of", None)
    monkeypatch.setattr(configuration, "typed", None)
    text = said(quick, **sections)
    assert "10,000 cells came, 200 are allowed" in text


def test_as_many_cells_as_the_budget_allows(quick: Quick) -> None:
    assert len(quick(grid=SIZES, budget={"cells": 2}).cells) == 2
    assert "2 cells came, 1 are allowed" in said(quick, grid=SIZES, budget={"cells": 1})


@pytest.mark.slow
def test_a_run_to_start_from_counts_by_its_weights(quick: Quick, runs: dict[str, Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs["sf2f-64"], run)

    def cell() -> str:
        return quick(set={"train.init_from": str(run), "train.init_modules": ["encoder"]}).cells[0].id

    before = cell()
    assert before == cell() != quick().cells[0].id
    shutil.rmtree(run / "checkpoints" / "step-00000030")
    assert cell() != before
    shutil.rmtree(run / "checkpoints")
    assert "train.init_from: " in said(quick, set={"train.init_from": str(run), "train.init_modules": ["encoder"]})


# -- labels -------------------------------------------------------------------------------------------------------------


LABELS = ["../x", "/", "..", "~", "C:\\", "a/b", "x\u2028y", "Ünï", "語", "*?[", "-", ".", "CON", "%s", "${x}", "v" * 300]


@pytest.mark.slow
def test_labels_are_said_as_they_are_and_never_leave_the_folder(quick: Quick, tmp_path: Path) -> None:
    labels = [label for label in LABELS if label == " ".join(label.split())]
    plan = quick(variants={label: {"train.steps": 5 + number} for number, label in enumerate(labels)})
    assert [cell.label for cell in plan.cells] == labels
    paths = [(tmp_path / "cells" / cell.name) for cell in plan.cells]
    assert all(path.resolve().parent == tmp_path / "cells" for path in paths)
    assert all(path.name.isascii() and len(path.name) < 100 for path in paths)
    assert len({path.name for path in paths}) == len(labels)


def test_labels_that_read_alike_have_folders_of_their_own(quick: Quick) -> None:
    first, second = quick(variants={"no L1": {"losses.pixel": None}, "No-l1!": {"train.steps": 5}}).cells
    assert first.name.removesuffix(first.id) == second.name.removesuffix(second.id) == "no-l1-s0-"
    assert first.name != second.name


@pytest.mark.parametrize("label", ["", " a", "a\nb", "a  b", "\t"])
def test_a_label_is_one_line(quick: Quick, label: str) -> None:
    assert f"variants: the label {label!r} came" in said(quick, variants={label: {}})


@pytest.mark.parametrize("label", ["noise", "prior", "shuffled", "shuffled full", "oracle-voice"])
def test_a_cell_is_not_called_like_a_control(quick: Quick, label: str) -> None:
    assert f"cell '{label}', seed 0: " in said(quick, variants={label: {}})


def test_no_two_cells_share_a_label(quick: Quick) -> None:
    """Rows of one label are taken for seeds of one system."""
    grid = {
        "p": {"a, b": {"train.steps": 4}, "a": {"train.steps": 5}},
        "q": {"c": {"train.batch_size": 2}, "b, c": {"train.batch_size": 3}},
    }
    text = said(quick, grid=grid)
    assert "two cells would go by the label 'a, b, c'" in text
    assert len(quick(grid=grid, exclude=[{"p": "a", "q": "b, c"}]).cells) == 3


# -- files --------------------------------------------------------------------------------------------------------------


HEAD = "base: sf2f-64-tiny\nset: {data.corpus: 'toy:tiny'}\n"


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "sweep.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.slow
def test_labels_may_look_like_numbers_or_words_of_yaml(tiny: None, tmp_path: Path) -> None:
    path = written(
        tmp_path,
        HEAD + "variants: {0.3: {}, 7: {train.steps: 4}, yes: {train.steps: 5}, no: {train.steps: 6}}\n"
        "exclude: [{variant: 7}, {variant: no}]\n",
    )
    assert [cell.label for cell in load(path).cells] == ["0.3", "yes"]


def test_overrides_stand_above_the_file(tiny: None, tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + "seeds: [0, 1, 2]\n")
    plan = load(path, ["seeds=[4]", "launcher.parallel=2", "set.train.steps=7"])
    assert (plan.name, titles(plan), plan.file.launcher) == ("sweep", ["sf2f-64-tiny, seed 4"], {"parallel": 2})
    assert plan.cells[0].config.train.steps == 7


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("set: {}", "base: none came"),
        ("[]", "mapping of sections, a list"),
        ("just words", "just words: no such key"),
        ("base: [", "not valid YAML"),
        (b"\xff\xfe", "not a text file in UTF-8"),
        ("grid: {a: [1]}\ngrid: {b: [2]}", "duplicate key grid"),
        (HEAD + "variants: {null: {}}", "variants"),
        (HEAD + "grid: {train.batch_size: [4, many]}", "sweep.yaml: cell 'batch_size many', seed 0: train.batch_size"),
    ],
)
def test_a_file_that_is_no_sweep(tiny: None, tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        load(written(tmp_path, text))
    assert "sweep.yaml: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such sweep file"):
        load(tmp_path / "none.yaml")


def test_an_override_goes_before_what_the_file_says_in_either_spelling(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(
        "base: sf2f-64-tiny\nset: {data.corpus: 'toy:demo', train.steps: 5}\n"
        "variants: {a: {}, b: {data.corpus: 'toy:bench', losses.pixel.weight: 2.0}}\n"
    )
    plan = load(file, ["set.data.corpus=toy:tiny", "set.train.steps=7", "variants.b.data.corpus=toy:tiny-textured"])
    assert [cell.config.data.corpus for cell in plan.cells] == ["toy:tiny", "toy:tiny-textured"]
    assert {cell.config.train.steps for cell in plan.cells} == {7}
    assert plan.cells[1].config.losses["pixel"]["weight"] == 2.0
