import pytest

from evaluation.tables.layout import Layout, layout_of, read_layout
from tests.evaluation.tables.results import row

FULL = {
    "title": "T",
    "rows": ["a", {"system": "b", "name": "B"}],
    "columns": [
        "l1",
        {"metric": "recall@1", "split": "train", "seconds": 5, "extractor": "net", "name": "r", "percent": True},
        {"name": "hours"},
    ],
    "controls": ["prior"],
    "corpora": "together",
    "printed": {"source": "S", "corpus": "C", "values": {"B": {"hours": 18, "r": 21.30}, "chance": {"r": 1}}},
}


def test_everything_there_is():
    layout = layout_of(FULL)
    assert [(one.system, one.name) for one in layout.rows] == [("a", "a"), ("b", "B")]
    assert [(one.metric, one.name) for one in layout.columns] == [("l1", "l1"), ("recall@1", "r"), (None, "hours")]
    assert (layout.columns[1].seconds, layout.columns[1].percent) == (5, True)
    assert layout.joins_splits
    assert layout.joins_lengths
    assert layout.printed[0].values == {"B": {"hours": "18", "r": "21.3"}, "chance": {"r": "1"}}
    assert layout_of({}) == Layout()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"row": []}, "table.row: no such key. Allowed: title, rows, columns, controls, corpora, printed. Did you mean rows?"),
        ({"rows": "a"}, "table.rows: 'a' came. Allowed: a list."),
        ({"rows": [{"sistem": "a"}]}, "table.rows[0].sistem: no such key. Allowed: system, name. Did you mean system?"),
        ({"rows": [{"name": "a"}]}, "table.rows[0].system: missing. A row is a system, or {system: ..., name: ...}."),
        ({"rows": [True]}, "table.rows[0]: True came. Allowed: text or a number."),
        ({"rows": ["a", "a"]}, "table.rows: a comes twice. Give each a name of its own: {..., name: ...}."),
        (
            {"columns": ["l1", {"metric": "l1", "seconds": 5}]},
            "table.columns: l1 comes twice. Give each a name of its own: {..., name: ...}.",
        ),
        (
            {"columns": [{"metrik": "l1"}]},
            "table.columns[0].metrik: no such key. Allowed: metric, name, split, seconds, extractor, "
            "percent. Did you mean metric?",
        ),
        (
            {"columns": [{"seconds": 5}]},
            "table.columns[0].metric: missing. A column is {metric: recall@10}, with name, split, "
            "seconds, extractor, percent as needed.",
        ),
        (
            {"columns": [{"metric": "l1", "seconds": "5"}]},
            "table.columns[0].seconds: '5' came. Allowed: a number of seconds above 0.",
        ),
        (
            {"columns": [{"metric": "l1", "seconds": True}]},
            "table.columns[0].seconds: True came. Allowed: a number of seconds above 0.",
        ),
        ({"columns": [{"metric": "l1", "percent": 1}]}, "table.columns[0].percent: 1 came. Allowed: true or false."),
        (
            {"columns": [{"name": "hours"}], "printed": None},
            "table.columns[0]: hours has neither a metric nor printed values. Add a metric.",
        ),
        ({"controls": "prior"}, "table.controls: 'prior' came. Allowed: a list."),
        ({"corpora": "joined"}, "table.corpora: 'joined' came. Allowed: together; without it each corpus has a table."),
        (
            {"printed": {"source": "S", "values": {}}},
            "table.printed.corpus: missing. What was printed has source, corpus and values, {row: {column: number}}.",
        ),
        (
            {"printed": [{"source": "S", "corpus": "C", "values": {"b": {}}}]},
            "table.printed[0].values.b: no such key. Allowed: a, B, chance, real faces. Did you mean B?",
        ),
        (
            {"printed": {"source": "S", "corpus": "C", "values": {"a": {"hour": 1}}}},
            "table.printed.values.a.hour: no such key. Allowed: l1, r, hours. Did you mean hours?",
        ),
        (
            {"printed": {"source": "S", "corpus": "C", "values": {"a": 1}}},
            "table.printed.values.a: 1 came. Allowed: a mapping with l1, r, hours.",
        ),
        (
            {"printed": {"source": "S", "corpus": "C", "values": {"a": {"r": []}}}},
            "table.printed.values.a.r: [] came. Allowed: text or a number.",
        ),
    ],
)
def test_a_mistake_is_named(change, said):
    with pytest.raises(ValueError) as error:
        layout_of(FULL | change)
    if "Did you mean B" in said:  # too short a word to be near any
        said = said.partition(" Did")[0]
    assert str(error.value) == said


@pytest.mark.parametrize("values", [None, [], "rows"])
def test_a_layout_is_a_mapping(values):
    with pytest.raises(ValueError, match=r"^table: .*title, rows"):
        layout_of(values)


def test_a_file_is_a_layout_or_holds_one(tmp_path):
    path = tmp_path / "layout.yaml"
    for text in ("rows: [a]", "base: sf2f-64\ntable: {rows: [a]}"):
        path.write_text(text)
        assert read_layout(path).rows[0].system == "a"
    path.write_text("rows: a")
    with pytest.raises(ValueError, match=r"layout.yaml: table.rows: 'a' .*list"):
        read_layout(path)
    path.write_text("# nothing yet\n")
    with pytest.raises(ValueError, match=r"layout.yaml: the file is empty"):
        read_layout(path)
    path.write_text("rows: [")
    with pytest.raises(ValueError, match=r"^[^\n]*layout.yaml: not valid YAML [^\n]*$"):
        read_layout(path)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ({"metric": "recal@1"}, "table.columns[0].metric: no row has recal@1. Have: recall@1. Did you mean recall@1?"),
        (
            {"metric": "recall@1", "split": "unseen_spech"},
            "table.columns[0].split: no row of recall@1 has unseen_spech. Have: unseen_speech. Did you mean unseen_speech?",
        ),
        ({"metric": "recall@1", "seconds": 5}, "table.columns[0].seconds: no row of recall@1 has 5. Have: 1.25."),
        (
            {"metric": "recall@1", "extractor": "FaceNet"},
            "table.columns[0].extractor: no row of recall@1 has FaceNet. Have: net 1.",
        ),
    ],
)
def test_a_column_no_row_can_fill(column, said):
    layout = layout_of({"columns": [column]})
    with pytest.raises(ValueError) as error:
        layout.check_rows([row()])
    assert str(error.value) == said
    layout.check_rows([])  # nothing is known yet


def test_a_metric_that_was_skipped_is_known():
    """Without its weight file a metric has one row, under its section's name."""
    layout_of({"columns": ["fid/inception"]}).check_rows([row(), row(metric="fid", value=None)])


def test_a_row_no_cell_will_have():
    layout = layout_of({"rows": ["withot L1"]})
    with pytest.raises(ValueError) as error:
        layout.check_systems(["full", "without L1"])
    assert str(error.value) == "table.rows[0]: no system withot L1. Have: full, without L1. Did you mean without L1?"
    layout.check_systems(["withot L1"])
