import io
import math
from csv import reader

from evaluation.tables.rows import absent, csv, latest
from tests.evaluation.tables.results import row


def test_later_row_replaces_the_earlier():
    assert [one["value"] for one in latest([row(value=0.1), row("b"), row(value=0.2)])] == [0.2, 0.5]
    assert len(latest([row(), row(step=100), row(training_seed=1), row(run="r"), row(extractor="other")])) == 5


def test_csv_has_a_line_a_row_and_a_column_a_key():
    rows = [row("a", trained_against=["x", "y"]), row("b", value=math.nan, interval=None, note='said "no", and\nleft')]
    rows.append(row("b", protocol={"runs": 3, "gallery": 8}))
    found = list(reader(io.StringIO(csv(rows))))
    assert found[0][:7] == ["system", "run", "step", "training_seed", "corpus", "split", "protocol.runs"]
    first, second, third = (dict(zip(found[0], line, strict=True)) for line in found[1:])
    assert (first["value"], first["interval_low"], first["interval_high"]) == ("0.5", "0.25", "0.75")
    assert first["trained_against"] == '["x", "y"]'
    assert (second["value"], second["interval_low"], second["note"]) == ("", "", 'said "no", and\nleft')
    assert (third["protocol.runs"], third["protocol.gallery"], third["protocol.seconds"]) == ("3", "8", "")
    assert csv([]) == "\n"


def test_what_was_scored_is_not_absent():
    gone = {"system": "a", "training_seed": 0, "missing": "killed"}
    assert absent([gone, row("b", training_seed=0), row("a", training_seed=1)]) == [gone]
    assert absent([gone, row("a", training_seed=0)]) == []
    assert latest([gone]) == []
    assert csv([gone]) == "system,training_seed,missing\na,0,killed\n"
