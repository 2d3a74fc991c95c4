import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.tables.latex import tex
from evaluation.tables.layout import layout_of
from evaluation.tables.table import latex
from tests.evaluation.tables.results import row, stored


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
    rows = [
        stored(tmp_path, "a_1", 1),
        stored(tmp_path, "b & 50 %", 2),
        stored(tmp_path, "[c]\\{", 3),
        row("a_1", "l1", None, note="skipped: no #"),
    ]
    text = latex(rows, tmp_path)
    assert balanced(text)
    assert text.startswith("% \\usepackage{booktabs,graphicx}\n")
    assert text.count("\\toprule") == text.count("\\bottomrule") == text.count("\\begin{table}") == 2
    table = text.partition("\\toprule\n")[2].partition("\\bottomrule")[0].splitlines()
    assert r"\begin{tabular}{lr}" in text
    assert table[0] == "system & recall@1 $\\uparrow$ (a) \\\\"
    assert re.fullmatch(r"a\\_1 & \\begin\{tabular\}.*0\.\d+\\\\\[-3pt\]\{\\tiny \{\[\}0\.250, 0\.750\]\}.*\\\\", table[2])
    assert table[3].startswith(r"b \& 50 \% & ")
    assert r"\underline{" in table[3]
    assert table[4].startswith(r"{[}c]\textbackslash{}\{ & ")
    assert r"\textbf{" in table[4]
    assert table[5] == r"\midrule"
    assert table[6].startswith("chance & 0.100 ")
    assert all(line.count(" & ") == 1 for line in table if line.endswith("\\\\"))
    assert r"(a) net 1; gallery of 10 speakers" in text
    assert r"skipped: l1 (a\_1): no \#" in text
    assert r"split \texttt{unseen\_speech}" in text
    assert re.search(r"a\\_1 \$-\$ b .*\\textbf\{\$-\$\d", text)


def test_latex_of_nothing_but_skipped_scores():
    text = latex([row(value=None, note="skipped: 50 % empty")])
    assert all(not line or line.startswith("%") for line in text.splitlines())
    assert "50 % empty" in text


def compile_tables(folder, text):
    (folder / "rows.tex").write_text(text, encoding="utf-8")
    (folder / "main.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs,graphicx}\\begin{document}\\input{rows}\\end{document}"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex"], cwd=folder, check=False, capture_output=True
    )
    said = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, said[-2000:]
    return said


with_latex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")


@with_latex
def test_it_compiles(tmp_path):
    """All a table can hold: marks, seeds, printed values, failures, controls, more columns and lines than one table takes."""
    rows = [stored(tmp_path, f"[{at}] 50 % ~^<|>_&#$", at, metric) for at in range(3) for metric in ("recall@1", "l1, 5 s")]
    rows += [row("prior", control=True), {"system": "c", "missing": "{out} of \\memory\n"}]
    rows += [row(f"system {at}", f"metric {at % 9}") for at in range(40)]
    layout = layout_of({"title": "1 & 2", "printed": {"source": "#1", "corpus": "a_b", "values": {"c": {"recall@1": "1 ± 2"}}}})
    said = compile_tables(tmp_path, latex(rows, tmp_path, layout=layout))
    assert "too large" not in said


@with_latex
def test_any_letter_compiles(tmp_path):
    """Of the alphabets a name may be in, and of the signs our own notes use."""
    letters = [
        chr(code)
        for start, end in ((32, 0x250), (0x370, 0x460), (0x2010, 0x2300), (0x4E00, 0x4E08))
        for code in range(start, end)
    ]
    compile_tables(tmp_path, "\n\n".join(f"x {tex(letter)} y" for letter in [*letters, "🙂", "a\u0301"]))


@given(st.text())
def test_no_letter_of_a_name_is_a_command(name):
    text = latex([row(name, note=name)])
    assert balanced(text)
    assert text.isascii()
    known = r"\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar|textasciigrave|char34|char39)\{\}"
    bare = re.sub(known + r"|\\[&%$#_{}]|\{[\[*]\}", "", tex(name))
    bare = re.sub(r"\$\\\w+\$|\$\^\\circ\$|\$-\$|\\[`'^~\"rvc]\{\w\}|\\(ss|ae|AE|o|O|l|L|i)\{\}", "", bare)
    assert not re.search(r"[\\{}$&#^_%~]", bare)
