import numpy as np
import pytest
from PIL import Image

from evaluation.tables.layout import layout_of
from evaluation.tables.plots import draw
from tests.evaluation.tables.results import row


def names(files):
    return [file.name for file in files if file.suffix == ".png"]


def several():
    return [
        row(system, protocol={"seconds": seconds}, value=value, run=run, train_seconds=time, control=run is None)
        for seconds in (1.25, 5.0)
        for system, value, run, time in (("a $1_2$", 0.4, "a", 3000), ("b", 0.6, "b", 9000), ("prior", 9.0, None, None))
    ]


@pytest.mark.slow
@pytest.mark.floor
def test_every_plot_its_rows_are_enough_for(tmp_path):
    files = draw(several(), tmp_path / "plots")
    assert names(files) == [
        f"{kind}-recall@1-toy-unseen_speech-{length}.png" for length in ("1.25s", "5s") for kind in ("values", "training-time")
    ] + ["clip-length-recall@1-toy-unseen_speech.png"]
    assert [file.with_suffix(".pdf") for file in files[::2]] == files[1::2]
    for file in files:
        content = file.read_bytes()
        assert content.startswith(b"%PDF" if file.suffix == ".pdf" else b"\x89PNG")
        assert b"CreationDate" not in content


@pytest.mark.slow
@pytest.mark.floor
def test_the_same_rows_give_the_same_bytes(tmp_path):
    first, second = draw(several(), tmp_path / "1"), draw(several(), tmp_path / "2")
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_what_is_not_known_is_not_drawn(tmp_path):
    rows = [row("a"), row("b", value=None), row("c", "l1", value=None)]
    assert names(draw(rows, tmp_path)) == ["values-recall@1-toy-unseen_speech-1.25s.png"]
    assert draw([], tmp_path) == []
    assert draw([{"system": "a", "missing": "killed"}], tmp_path) == []


@pytest.mark.slow
@pytest.mark.floor
def test_a_layout_chooses_and_names(tmp_path):
    layout = layout_of(
        {
            "rows": ["b", "never"],
            "controls": [],
            "columns": [{"metric": "recall@1", "seconds": 5, "name": "R/1", "percent": True}, {"name": "hours"}],
            "printed": {"source": "S", "corpus": "C", "values": {"b": {"hours": 1}}},
        }
    )
    assert names(draw(several(), tmp_path, layout)) == [
        "values-R-1-toy-unseen_speech-5s.png",
        "clip-length-recall@1-toy-unseen_speech.png",
    ]


@pytest.mark.slow
@pytest.mark.floor
def test_namesakes_get_files_of_their_own(tmp_path):
    assert names(draw([row("a"), row("a", extractor="net 2")], tmp_path)) == [
        "values-recall@1-toy-unseen_speech-1.25s.png",
        "values-recall@1-toy-unseen_speech-1.25s-2.png",
    ]


@pytest.mark.slow
@pytest.mark.floor
@pytest.mark.parametrize("interval", [None, [None, None], [0.45, 0.55]])
def test_a_column_wide_and_inked(tmp_path, interval):
    picture = np.asarray(Image.open(draw([row("a" * 90, value=0.5, interval=interval)], tmp_path)[0]).convert("L"))
    assert picture.shape[1] == 1020  # 3.4 inches at 300 dots
    assert (picture[:, [0, -1]] > 250).all()  # nothing is cut off
    assert (picture < 100).any()
