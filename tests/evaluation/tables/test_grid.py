from evaluation.tables.grid import grids
from evaluation.tables.layout import layout_of
from tests.evaluation.tables.results import row


def shown(found, /, **layout):
    return [
        ([column.name for column in grid.columns], [line.label for line in grid.lines])
        for grid in grids(found, layout_of(layout))
    ]


def at(seconds, **changes):
    return row(protocol={"runs": 10, "seconds": seconds}, **changes)


def test_rows_in_the_order_and_under_the_names_asked_for():
    rows = [
        row(name, run=run, control=run is None or name.startswith("shuffled"))
        for name, run in (("prior", None), ("a", "1"), ("b", "2"), ("shuffled a", "1"), ("shuffled b", "2"), ("c", "3"))
    ]
    asked = ["b", {"system": "a", "name": "A"}]
    assert shown(rows, rows=asked)[0][1] == ["b", "A", "prior", "shuffled A", "shuffled b"]
    assert shown(rows, rows=["b"], controls=["shuffled"])[0][1] == ["b", "shuffled b"]
    assert shown(rows, rows=["b"], controls=[])[0][1] == ["b"]
    assert shown(rows, controls=["prior"])[0][1] == ["a", "b", "c", "prior"]
    assert shown(rows, rows=["prior", "c"], controls=[])[0][1] == ["prior", "c"]


def test_a_system_is_asked_for_by_recipe_too_and_its_lines_are_told_apart():
    rows = [row(f"a-{seed}", recipe="a", training_seed=seed) for seed in (0, 1)]
    assert shown(rows, rows=["a"])[0][1] == ["a"]
    rows = [row("a", step=step) for step in (1, 2)]
    assert shown(rows, rows=[{"system": "a", "name": "A"}])[0][1] == ["A (a, step 1)", "A (a, step 2)"]


def test_columns_of_several_clip_lengths_stand_in_one_table():
    rows = [at(5), at(1.25), at(1.25, metric="l1"), at(5, metric="l1")]
    assert [columns for columns, _ in shown(rows, columns=["recall@1"])] == [["recall@1"], ["recall@1"]]
    columns = [{"metric": "recall@1", "seconds": 5, "name": "r, long"}, {"metric": "l1"}]
    assert shown(rows, columns=columns)[0][0] == ["r, long", "l1, 1.25 s", "l1, 5 s"]


def test_splits_that_no_column_names_have_tables_of_their_own():
    rows = [at(seconds, split=split) for seconds in (5, 1.25) for split in "xy"]
    columns = [{"metric": "recall@1", "seconds": seconds, "name": f"{seconds} s"} for seconds in (1.25, 5)]
    assert [columns for columns, _ in shown(rows, columns=columns)] == [["1.25 s", "5 s"]] * 2


def test_splits_in_one_table_and_what_their_protocols_share():
    rows = [row(split="x", protocol={"runs": 1, "speakers": 3}), row(split="y", protocol={"runs": 1, "speakers": 4})]
    columns = [{"metric": "recall@1", "split": split, "name": split} for split in "yx"]
    (grid,) = grids(rows, layout_of({"columns": columns}))
    assert [column.each[0].split for column in grid.columns] == ["y", "x"]
    assert (grid.split, grid.common) == ("", {"runs": 1})


def test_a_system_with_rows_elsewhere_is_not_missing_here():
    rows = [row("a", corpus="x"), row("b", corpus="y")]
    assert [lines for _, lines in shown(rows, rows=["a", "b", "c"])] == [["a", "c"], ["b", "c"]]


def test_corpora_together_share_columns():
    rows = [row("a", corpus="x"), row("b", corpus="y", results_version=2), at(5, system="a", corpus="x")]
    ((columns, lines),) = shown(rows, corpora="together")
    assert columns == ["recall@1, 1.25 s", "recall@1, 5 s"]
    assert lines == ["a", "b"]


def test_a_printed_system_that_was_not_run_has_a_line():
    values = {name: {"recall@1": at} for at, name in enumerate(("z", "a", "real faces"))}
    assert shown([row("a")], printed={"source": "S", "corpus": "C", "values": values})[0][1] == ["a", "z"]
