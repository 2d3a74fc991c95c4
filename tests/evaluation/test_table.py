import io
import json
import math
import re
import shutil
import subprocess
from csv import reader
from zlib import crc32

import numpy as np
import pytest

from evaluation.rows import csv, latest
from evaluation.table import latex, markdown


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


def cells(text, column=1):
    return {line[0]: line[column] for line in lines(text)[2:]}


def stored(folder, system, shift, metric="recall@1", better=True, noise=0.1, **changes):
    """A row with scores of 20 speakers, all of them better by `shift`."""
    rng = np.random.default_rng(crc32(f"{system} {metric}".encode()))
    speaker = np.tile(np.arange(20), 3)
    value = np.tile(np.random.default_rng(0).normal(0, 0.1, 20), 3) + shift + rng.normal(0, noise, 60)
    (folder / "scores").mkdir(exist_ok=True)
    name = f"scores/{system}-{metric.replace('@', '')}-{changes.get('training_seed')}.npz"
    np.savez(folder / name, speaker=speaker, clip=speaker, run=np.repeat(np.arange(3), 20), value=value)
    return row(system, metric, float(value.mean()), scores=name, higher_is_better=better, **changes)


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
    rows = [stored(tmp_path, "a-1f", 1, run="a-1f"), stored(tmp_path, "b-2e", 2, run="b-2e"),
            stored(tmp_path, "shuffled b-2e", 4, run="b-2e"), stored(tmp_path, "oracle", 5)]
    if told:
        rows = [one | {"control": at > 1} for at, one in enumerate(rows)]
    found = cells(markdown(rows, tmp_path))
    assert found["b-2e"].startswith("**")
    assert [name for name, cell in found.items() if cell.startswith(("**", "<ins>")) and "−" not in name] == ["b-2e"]
    assert {"oracle", "shuffled b-2e"} <= set(found)
    assert "Bold: the best, control systems apart, and underlined" in markdown(rows, tmp_path)


def seeds(folder, shift=0.0, **changes):
    return [stored(folder, f"small-{seed}", shift + seed / 10, run=f"small-{seed}", recipe="small", training_seed=seed,
                   noise=0, **({"step": 9} | changes)) for seed in range(3)]


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
    rows += [one | {"metric": "l1", "value": None if at else 5.0, "note": "skipped: no faces" if at else "", "scores": None}
             for at, one in enumerate(rows)]
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


def balanced(text):
    """Braces and environments of LaTeX close in the order in which they were opened."""
    bare = re.sub(r"\\[\\{}%&#_$]", "", text)
    depth = 0
    for letter in bare:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
    opened = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        opened.append(name) if kind == "begin" else opened.remove(opened[-1] if opened[-1] == name else "")
    return depth == 0 and not opened


def test_latex(tmp_path):
    rows = [stored(tmp_path, "a_1", 1), stored(tmp_path, "b & 50 %", 2), stored(tmp_path, "[c]\\{", 3),
            row("a_1", "l1", None, note="skipped: no #")]
    text = latex(rows, tmp_path)
    assert balanced(text)
    assert text.startswith("% \\usepackage{booktabs,graphicx}\n")
    assert text.count("\\toprule") == text.count("\\bottomrule") == text.count("\\begin{table}") == 2
    table = text.partition("\\begin{tabular}")[2].partition("\\end{tabular}")[0].splitlines()
    assert table[0] == "{lr}"
    assert table[2] == "system & recall@1 $\\uparrow$ (a) \\\\"
    assert re.fullmatch(r"a\\_1 & .*\\\\", table[4])
    assert table[5].startswith(r"b \& 50 \% & \underline{")
    assert table[6].startswith(r"{[}c]\textbackslash{}\{ & \textbf{")
    assert table[7] == r"\midrule"
    assert table[8].startswith("chance & 0.100 ")
    assert all(line.count(" & ") == 1 for line in table if line.endswith("\\\\"))
    assert r"(a) net 1; gallery of 10 speakers" in text
    assert r"skipped: l1 (a\_1): no \#" in text
    assert r"split \texttt{unseen\_speech}" in text
    assert re.search(r"a\\_1 \$-\$ b .*\\textbf\{\$-\$\d", text)


def test_latex_of_nothing_but_skipped_scores():
    text = latex([row(value=None, note="skipped: 50 % empty")])
    assert all(not line or line.startswith("%") for line in text.splitlines())
    assert "50 % empty" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_compiles(tmp_path):
    rows = [stored(tmp_path, "a_1", 1), stored(tmp_path, "[b] 50 % ~^<|>", 2)]
    (tmp_path / "rows.tex").write_text(latex(rows, tmp_path), encoding="utf-8")
    (tmp_path / "main.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs,graphicx}\\begin{document}\\input{rows}\\end{document}")
    subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex"], cwd=tmp_path, check=True,
                   capture_output=True)
