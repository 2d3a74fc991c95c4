import json
import math

import numpy as np
import pytest

from evaluation.table import latest, markdown


def row(system="a", metric="recall@1", value=0.5, **changes):
    content = dict(
        system=system,
        run=None,
        step=None,
        training_seed=None,
        corpus="toy",
        split="unseen_speech",
        protocol={"runs": 10, "seconds": 1.25},
        metric=metric,
        value=value,
        interval=[0.25, 0.75],
        chance=0.1,
        upper=0.9,
        extractor="net 1",
        note="gallery of 10 speakers",
        higher_is_better=True,
    )
    return content | changes


def lines(text):
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:1] == "|"]


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
    [{"protocol": {"runs": 1}}, {"split": "unseen_speaker"}, {"corpus": "other"}, {"corpus_checksum": "x"},
     {"results_version": 2}],
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


def test_later_row_replaces_the_earlier():
    assert [one["value"] for one in latest([row(value=0.1), row("b"), row(value=0.2)])] == [0.2, 0.5]
    assert len(latest([row(), row(step=100), row(training_seed=1), row(run="r"), row(extractor="other")])) == 5


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
