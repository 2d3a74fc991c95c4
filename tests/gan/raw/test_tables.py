"""Tables of others, whatever their separator, quotes and blanks."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.raw.tables import LONGEST_LINE, MOST_COLUMNS, Table, read_lines, read_table
from tests.properties import examples


def table(folder: Path, text: str | bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "VoxCeleb2 ID,Name\nid00001,Ada_Byrd\n",
        "VoxCeleb2 ID \tName \nid00001 \tAda_Byrd \n",
        "\ufeffVoxCeleb2 ID;Name\r\nid00001;Ada_Byrd\r\n",
        'VoxCeleb2ID, "Name"\nid00001, "Ada_Byrd" \n\n',
    ],
)
def test_separators_blanks_quotes_and_marks(tmp_path: Path, text: str) -> None:
    found = read_table(table(tmp_path, text))
    assert (found.column("VoxCeleb2 ID"), found.column("name")) == (0, 1)
    assert [row.cells for row in found.rows] == [("id00001", "Ada_Byrd")]
    assert not found.bad


def test_bad_rows_are_listed_by_line_and_cost_no_other(tmp_path: Path) -> None:
    lines = [
        b"ID,Name",
        b"1,Ada",
        b'2,"never closed',
        b"3,\xff",
        b"4,a\0b",
        b"5",
        b"6," + b"x" * 5000,
        b"7," + b"," * 10**6,
        b"8,Bo",
    ]
    found = read_table(table(tmp_path, b"\n".join(lines)))
    assert [row.cells[0] for row in found.rows] == ["1", "8"]
    assert [line for line, _ in found.bad] == [3, 4, 5, 6, 7, 8]
    assert "never closed" in found.bad[0][1]
    assert "UTF-8" in found.bad[1][1]
    assert "columns" in found.bad[5][1]


def test_a_line_without_end_is_passed_over(tmp_path: Path) -> None:
    found = read_table(table(tmp_path, "ID,Name\n" + "x" * (3 * LONGEST_LINE) + "\n1,Ada\n"))
    assert [row.line for row in found.rows] == [3]
    assert [line for line, _ in found.bad] == [2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("ID,Name\n", "no good row"),
        ("ID,Name\n1\n", "no good row.*line 2.*Columns: ID, Name"),
        ("a," * (MOST_COLUMNS + 1), "columns; at most"),
        ("ID,Name\n1,Ada\n".encode("utf-16"), "UTF-8|UTF-16"),
    ],
)
def test_whole_files_that_are_refused(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        read_table(table(tmp_path, text))
    assert "\n" not in str(error.value)


def test_a_column_that_lacks_names_those_found(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no column VGGFace2 ID. Found: ID, Name"):
        read_table(table(tmp_path, "ID,Name\n1,Ada\n")).column("VGGFace2 ID")
    with pytest.raises(ValueError, match="no such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(ValueError, match="a folder"):
        read_table(tmp_path)


@examples(40)
@given(
    content=st.one_of(st.text(), st.text('a",;\t \n\r\0é'), st.lists(st.text("ab,\t")).map("\n".join)).map(str.encode)
    | st.binary()
)
def test_any_content_is_rows_or_one_line(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = table(tmp_path_factory.getbasetemp(), content)
    for row in read_lines(path):
        assert row.fault or row.cells
        assert "\n" not in row.fault
    found = table_or_reason(path)
    if isinstance(found, str):
        assert "\n" not in found
    else:
        assert all(len(row.cells) == len(found.columns) for row in found.rows)
        assert all(cell == cell.strip() for row in found.rows for cell in row.cells)


def table_or_reason(path: Path) -> Table | str:
    try:
        return read_table(path)
    except ValueError as error:
        return str(error)
