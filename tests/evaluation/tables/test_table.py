import json
import math
import re

import numpy as np
import pytest

from evaluation.tables.layout import layout_of
from evaluation.tables.table import markdown
from tests.evaluation.tables.results import cells, lines, row, stored


def test_a_table():
    found = lines(markdown([row("a"), row("b", value=0.25), row("a", "l1", 12.34, higher_is_better=False, upper=None)]))
    assert found == [
        ["system", "recall@1 ↑ (a)", "l1 ↓ (a)"],
        ["---", "---:", "---:"],
        ["a", "0.500 [0.250, 0.750]", "12.3 [0.250, 0.750]"],
        ["b", "0.250 [0.250, 0.750]", "–"],
        ["*chance*", "0.100", "0.100"],
        ["*real faces*", "0.900", "–"],
    ]


def test_what_stands_beside_it():
    text = markdown([row(corpus_checksum="0123456789abcdef", results_version=3)])
    assert text.startswith("### toy, split `unseen_speech`\n")
    assert "runs 10, seconds 1.25, corpus checksum 0123456789ab, results version 3." in text
    assert "clustered by speaker" in text
    assert "- (a) net 1; gallery of 10 speakers" in text


def test_nothing():
    assert markdown([]) == "No results yet.\n"


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": {"runs": 1}},
        {"split": "unseen_speaker"},
        {"corpus": "other"},
        {"corpus_checksum": "x"},
        {"results_version": 2},
    ],
)
def test_what_is_not_comparable_gets_its_own_table(change):
    text = markdown([row("a"), row("b", **change)])
    assert text.count("### ") == 2
    assert text.count("| system |") == 2


def test_another_extractor_gets_its_own_column():
    found = lines(markdown([row("a"), row("b", extractor="net 2")]))
    assert found[0] == ["system", "recall@1 ↑ (a)", "recall@1 ↑ (b)"]
    assert found[2][1:] == ["0.500 [0.250, 0.750]", "–"]
    assert found[3][1:] == ["–", "0.500 [0.250, 0.750]"]


def test_protocol_is_the_same_in_any_order():
    text = markdown([row("a"), row("b", protocol={"seconds": 1.25, "runs": 10})])
    assert text.count("### ") == 1


def test_namesakes_are_told_apart_by_what_differs():
    found = lines(markdown([row(step=100, training_seed=0), row(step=200, training_seed=0), row("b", step=5)]))
    assert [line[0] for line in found[2:5]] == ["a, step 100", "a, step 200", "b"]


@pytest.mark.parametrize("nothing", [None, math.nan])
def test_skipped_scores_are_listed_with_their_reason(nothing):
    interval = [nothing, nothing]
    skipped = dict(value=nothing, interval=interval, chance=nothing, upper=nothing, note="skipped: too few")
    text = markdown([row("a"), row("b"), row("a", "recall@10", **skipped), row("b", "recall@10", **skipped)])
    assert "- skipped: recall@10: too few" in text
    assert "recall@10" not in lines(text)[0]
    text = markdown([row("a"), row("b"), row("b", "recall@10", **skipped)])
    assert "- skipped: recall@10 (b): too few" in text


def test_a_split_with_nothing_but_skipped_scores():
    text = markdown([row(value=None, interval=None, note="skipped: split is empty")])
    assert not lines(text)
    assert "- skipped: recall@1: split is empty" in text


def test_chance_that_differs_is_shown_as_a_range():
    assert lines(markdown([row("a"), row("b", chance=0.2)]))[4][1] == "0.100 to 0.200"


def test_few_keys_are_enough():
    few = {key: row()[key] for key in ("system", "corpus", "split", "protocol", "metric", "value")}
    assert lines(markdown([few]))[2] == ["a", "0.500"]
    with pytest.raises(ValueError, match="results row 2: metric missing"):
        markdown([few, {key: few[key] for key in few if key != "metric"}])


def test_rows_survive_json_and_names_cannot_break_the_table():
    rows = json.loads(json.dumps([row("a|b\nc", value=math.nan), row("a|b\nc", "l1")]))
    assert lines(markdown(rows))[2][0] == "a\\|b c"


@pytest.fixture
def scored(tmp_path):
    """Two systems on 20 speakers, 3 runs each: b is better by 1 for every speaker, and d is b's equal."""
    rng = np.random.default_rng(0)
    speaker, base = np.tile(np.arange(20), 3), np.tile(rng.normal(0, 10, 20), 3)
    rows = []
    for system, shift in (("a", 0), ("b", 1), ("d", 1)):
        path = tmp_path / "scores" / f"{system}.npz"
        path.parent.mkdir(exist_ok=True)
        value = base + shift + rng.normal(0, 0.1, 60)
        np.savez(path, speaker=speaker, clip=speaker, run=np.repeat(np.arange(3), 20), value=value)
        rows.append(row(system, value=float(value.mean()), scores=f"scores/{system}.npz"))
    return tmp_path, rows


def test_paired_differences(scored):
    folder, rows = scored
    found = {line[0]: line[1] for line in lines(markdown(rows, folder))[9:]}
    assert list(found) == ["a − b", "a − d", "b − d"]
    assert found["a − b"].startswith("**-")
    assert float(found["a − b"].split()[0].strip("*")) == pytest.approx(-1, abs=0.1)
    assert found["b − d"].startswith(("+0.0", "-0.0"))
    assert found["a − b"].endswith(", p 0.001**")
    assert 0.01 < float(found["b − d"].split("p ")[1]) <= 1


def test_asked_for_pairs_only(scored):
    folder, rows = scored
    found = [line[0] for line in lines(markdown(rows, folder, pairs=[("d", "a")]))[9:]]
    assert found == ["d − a"]


def test_no_differences_without_scores(scored):
    folder, rows = scored
    assert "Paired" not in markdown(rows)
    assert "Paired" not in markdown([row("a"), row("b")], folder)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 not a zip"])
def test_unreadable_scores_name_the_file(scored, content):
    folder, rows = scored
    path = folder / "scores" / "b.npz"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"b\.npz: not readable as scores"):
        markdown(rows, folder)


def test_the_best_is_marked_where_it_is_surely_better(tmp_path):
    rows = [stored(tmp_path, "a", 1), stored(tmp_path, "b", 3), stored(tmp_path, "c", 2)]
    rows += [stored(tmp_path, one, shift, "l1", better=False) for one, shift in (("a", 1), ("b", 3), ("c", 2))]
    text = markdown(rows, tmp_path)
    best, second, third = (f"{rows[at]['value']:.3f}" for at in (1, 2, 0))
    assert cells(text)["b"] == f"**{best}** [0.250, 0.750]"
    assert cells(text)["c"] == f"<ins>{second}</ins> [0.250, 0.750]"
    assert cells(text)["a"] == f"{third} [0.250, 0.750]"
    assert cells(text, 2)["a"].startswith("**")
    assert cells(text, 2)["c"].startswith("<ins>")
    assert "each only if a paired test by speaker finds it better than the next (p < 0.05)" in text
    assert "control systems apart" not in text


def test_what_is_not_surely_better_is_not_marked(tmp_path):
    rows = [stored(tmp_path, "a", 1), stored(tmp_path, "b", 2), stored(tmp_path, "c", 2)]
    first = {one: cell[:1] for one, cell in cells(markdown(rows, tmp_path)).items() if one in "abc"}
    assert sorted(first.values())[-1] == "<"  # the second is better than the third, the first no better than the second
    assert "*" not in first.values()
    for unmarked in (markdown(rows), markdown([one | {"higher_is_better": None} for one in rows], tmp_path)):
        assert not re.search(r"\*\*|<ins>|Bold", unmarked.partition("Paired")[0])


@pytest.mark.parametrize("told", [True, False])
def test_controls_are_kept_and_never_the_best(tmp_path, told):
    rows = [
        stored(tmp_path, "a-1f", 1, run="a-1f"),
        stored(tmp_path, "b-2e", 2, run="b-2e"),
        stored(tmp_path, "shuffled b-2e", 4, run="b-2e"),
        stored(tmp_path, "oracle", 5),
    ]
    if told:
        rows = [one | {"control": at > 1} for at, one in enumerate(rows)]
    found = cells(markdown(rows, tmp_path))
    assert found["b-2e"].startswith("**")
    assert [name for name, cell in found.items() if cell.startswith(("**", "<ins>")) and "−" not in name] == ["b-2e"]
    assert {"oracle", "shuffled b-2e"} <= set(found)
    assert "Bold: the best, control systems apart, and underlined" in markdown(rows, tmp_path)


def test_what_was_trained_on_the_scored_voices_says_so_and_is_never_the_best(tmp_path):
    leaks = {"trained_on": [{"corpus": "other", "checksum": "f00", "leak": "3 of 9 speakers of unseen_speaker were trained on"}]}
    clean = {"trained_on": [{"corpus": "other", "checksum": "f00", "strangers": "1 of 9 speakers of unseen_speech were not"}]}
    rows = [stored(tmp_path, "a", 1), stored(tmp_path, "b", 3, **leaks), stored(tmp_path, "c", 2, **clean)]
    text = markdown(rows, tmp_path)
    found = cells(text)
    assert [name for name, cell in found.items() if cell.startswith("**") and "−" not in name] == ["c (c)"]
    assert "- (b) trained on other; LEAKS, going by names: 3 of 9 speakers of unseen_speaker were trained on\n" in text
    assert "- (c) trained on other; 1 of 9 speakers of unseen_speech were not\n" in text


def seeds(folder, shift=0.0, **changes):
    return [
        stored(
            folder,
            f"small-{seed}",
            shift + seed / 10,
            run=f"small-{seed}",
            recipe="small",
            training_seed=seed,
            noise=0,
            **({"step": 9} | changes),
        )
        for seed in range(3)
    ]


def test_training_seeds_of_a_recipe_share_a_line(tmp_path):
    rows = [*seeds(tmp_path, 1), stored(tmp_path, "other-5", 3, run="other-5", recipe="other", training_seed=0, step=9)]
    text = markdown(rows, tmp_path, pairs=[("other-5", "small-0"), ("small-0", "small-1")])
    mean = np.mean([one["value"] for one in rows[:3]])
    found = cells(text)
    assert list(found)[:2] == ["small, 3 seeds", "other-5"]
    assert found["small, 3 seeds"] == f"{mean:.3f} ± 0.100 (n = 3)"
    assert found["other-5"].startswith("**")
    assert float(found["other-5 − small, 3 seeds"].split()[0].strip("*")) == pytest.approx(rows[3]["value"] - mean, abs=1e-3)
    assert len([name for name in found if "−" in name]) == 1
    assert "mean ± standard deviation over seeds" in text


def test_a_seed_without_a_score_lowers_n(tmp_path):
    rows = seeds(tmp_path)
    rows += [
        one | {"metric": "l1", "value": None if at else 5.0, "note": "skipped: no faces" if at else "", "scores": None}
        for at, one in enumerate(rows)
    ]
    text = markdown(rows, tmp_path)
    assert cells(text, 2)["small, 3 seeds"] == "5.000 (n = 1)"
    assert "- skipped: l1: no faces" in text


def test_best_checkpoints_of_several_steps_share_a_line_and_all_checkpoints_do_not(tmp_path):
    best = [one | {"step": 100 + one["training_seed"]} for one in seeds(tmp_path)]
    assert next(iter(cells(markdown(best)))) == "small, 3 seeds, step 100, 101, 102"
    each = seeds(tmp_path) + seeds(tmp_path, step=20)
    assert list(cells(markdown(each)))[:2] == ["small, 3 seeds, step 9", "small, 3 seeds, step 20"]


def test_a_seed_that_comes_twice_is_no_repetition(tmp_path):
    """Two runs of one recipe and seed differ in something else, so no mean is taken over them."""
    rows = [one | {"training_seed": 0} for one in seeds(tmp_path)]
    assert list(cells(markdown(rows)))[:3] == ["small-0", "small-1", "small-2"]


def test_what_only_some_notes_say_is_said_with_their_names():
    text = markdown([row("a", note="N = 30; deviation 0.1"), row("b", note="N = 30; deviation 0.2")])
    assert "- (a) net 1; N = 30; deviation 0.1 (a); deviation 0.2 (b)" in text


def test_the_difference_of_recipes_with_seeds_says_what_each_seed_gives(tmp_path):
    rows = [
        stored(tmp_path, f"{name}-{seed}", shift + seed * up, noise=0, run=f"{name}-{seed}", recipe=name, training_seed=seed)
        for name, shift, up in (("a", 1, 0.1), ("b", 0, 0.3))
        for seed in (0, 1)
    ]
    found = cells(markdown(rows, tmp_path, pairs=[("a", "b")]))["a, 2 seeds − b, 2 seeds"]
    assert found == "**+0.900 [+0.900, +0.900], p 0.001; seeds +0.800 to +1.000**"


def failed(system, seed=0, **more):
    return {"system": system, "training_seed": seed, "missing": "out of memory", "failed": True} | more


def test_a_failed_system_has_a_line_that_says_why():
    text = markdown([row("a"), row("a", "l1"), failed("b")])
    assert lines(text)[3] == ["b (b)", "failed", "failed"]
    assert "- (b) training seed 0: out of memory" in text
    assert lines(markdown([row("a"), failed("b", failed=False)]))[3][1] == "missing"


def test_a_failed_seed_is_told_beside_the_others(tmp_path):
    text = markdown([*seeds(tmp_path), failed("small", 3), failed("small-1", 1)])
    assert lines(text)[2][0] == "small, 3 seeds (b)"
    assert text.count("out of memory") == 1  # the seed that was scored after all is no longer missing


def test_nothing_but_failures():
    assert markdown([failed("b")]) == "No results yet.\n- b: out of memory\n"


def test_what_was_printed_stands_beside_ours_and_is_never_the_best(tmp_path):
    rows = [stored(tmp_path, "a", 1, chance=0.1), stored(tmp_path, "b", 0)]
    layout = layout_of(
        {
            "rows": [{"system": "a", "name": "A"}, "b", "c"],
            "columns": [{"metric": "recall@1", "percent": True}, {"name": "hours"}],
            "printed": {
                "source": "P, table 1",
                "corpus": "Vox|Celeb",
                "values": {"A": {"recall@1": 99.9}, "b": {"hours": "18 h"}, "chance": {"recall@1": 1}},
            },
        }
    )
    text = markdown(rows, tmp_path, layout=layout)
    ours = f"**{100 * rows[0]['value']:.1f}** [25.0, 75.0]"
    assert lines(text)[0] == ["system", "recall@1, % ↑ (a)", "printed, Vox\\|Celeb (b)", "hours, printed, Vox\\|Celeb (b)"]
    assert lines(text)[2:7] == [
        ["A", ours, "*99.9*", "–"],
        ["b", f"{100 * rows[1]['value']:.1f} [25.0, 75.0]", "–", "*18 h*"],
        ["c (c)", "missing", "–", "–"],
        ["*chance*", "10.0", "*1*", "–"],
        ["*real faces*", "90.0", "–", "–"],
    ]
    assert "- (b) printed in P, table 1, on another corpus: not comparable" in text
    assert "- (c) not evaluated" in text
    assert lines(text)[7:] == [["systems", "recall@1, % ↑ (a)"], ["---", "---:"], ["A − b", lines(text)[9][1]]]
    assert lines(text)[9][1].startswith("**+10")


def test_corpora_together_are_not_compared(tmp_path):
    rows = [
        stored(tmp_path, "a", 1, corpus="x", protocol={"seconds": 1, "speakers": 3}),
        stored(tmp_path, "b", 0, corpus="y", protocol={"seconds": 1, "speakers": 5}),
    ]
    text = markdown(rows, tmp_path, layout=layout_of({"corpora": "together"}))
    assert text.startswith("### x, y, split `unseen_speech`")
    assert text.count("###") == 1
    assert not re.search(r"\*\*|Paired", text)
    assert "speakers 3, 5; net 1" in text
