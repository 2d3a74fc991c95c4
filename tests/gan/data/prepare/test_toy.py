import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gan.data.corpus import Corpus
from gan.data.prepare import toy
from gan.data.prepare.toy import SIZES, Size, prepare_toy
from gan.data.toy.speakers import Speaker, draw_speaker


@pytest.fixture(autouse=True)
def minute(monkeypatch):
    monkeypatch.setitem(SIZES, "minute", Size(train=2, val_speaker=1, unseen_speaker=1, clip_seconds=0.5))


@pytest.mark.slow
def test_a_corpus_holds_the_world(tmp_path):
    prepare_toy(tmp_path / "toy", "minute", seed=4, coupling=0.5)
    corpus = Corpus(tmp_path / "toy")
    corpus.verify()
    assert [row["split"] for row in corpus.speakers] == ["train", "train", "val_speaker", "unseen_speaker"]
    assert [Speaker.from_row(row) for row in corpus.speakers] == [draw_speaker(4, index, 0.5) for index in range(4)]
    counts = {
        split: len(corpus.in_split(corpus.clips, split))
        for split in ("train", "val_speech", "unseen_speech", "val_speaker", "unseen_speaker")
    }
    assert counts == {"train": 12, "val_speech": 4, "unseen_speech": 4, "val_speaker": 10, "unseen_speaker": 10}
    assert (corpus.clips["length"] == 8000).all()
    assert np.array_equal(corpus.clips["face"], np.arange(40))
    assert np.array_equal(corpus.faces["recording"], corpus.clips["recording"])
    assert corpus.face_sizes == (64, 128)
    assert corpus.info["extra"]["toy"]["coupling"] == 0.5


@pytest.mark.slow
def test_the_corpus_does_not_depend_on_the_number_of_processes(tmp_path):
    for processes in (1, 2):
        prepare_toy(tmp_path / str(processes), "minute", processes=processes)
    assert Corpus(tmp_path / "1").checksum == Corpus(tmp_path / "2").checksum


@pytest.mark.slow
def test_the_bytes_of_a_world_are_those_of_its_version(tiny, tmp_path):
    """A cache goes by the version alone: worlds that were rendered before would be taken for the new ones."""
    prepare_toy(tmp_path / "toy", "minute", background="textured")
    assert (toy.WORLD_VERSION, tiny.checksum, Corpus(tmp_path / "toy").checksum) == (
        "f9469eea",
        "0210998bfa162d942ea6c90638e6684a9a6b7fe777823357725a60428b257216",
        "092ac5227381a75da452f2a62b2f2344578e8a8424462ef32aff646698fe1127",
    ), "raise WORLD_VERSION when this changes"


@pytest.mark.slow
def test_seed_coupling_and_background_change_the_corpus(tmp_path):
    settings = [{}, {"seed": 1}, {"coupling": 0.0}, {"background": "textured"}]
    for number, setting in enumerate(settings):
        prepare_toy(tmp_path / str(number), "minute", **setting)
    assert len({Corpus(tmp_path / str(number)).checksum for number in range(4)}) == 4


def test_the_sizes_are_those_of_the_protocol():
    speakers = {name: (size.train, size.val_speaker, size.unseen_speaker) for name, size in SIZES.items()}
    assert speakers == {"minute": (2, 1, 1), "tiny": (12, 4, 4), "demo": (60, 10, 20), "bench": (400, 40, 300)}
    assert all((size.recordings, size.clips) == (5, 2) for size in SIZES.values())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"size": "huge"}, "size: huge is unknown"),
        ({"background": "beach"}, "background: beach is unknown"),
        ({"coupling": 2.0}, "is outside"),
    ],
)
def test_wrong_settings_are_refused(tmp_path, setting, message):
    with pytest.raises(ValueError, match=message):
        prepare_toy(tmp_path / "toy", **({"size": "minute"} | setting))
    assert not list(tmp_path.iterdir())


def test_a_failed_rendering_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(toy, "synthesise", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        prepare_toy(tmp_path / "toy", "minute")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_script_without_a_main_of_its_own_is_told_so(tmp_path):
    """Its processes import it, and would render, and start processes, before they have begun."""
    script = tmp_path / "mine.py"
    script.write_text(
        f"from gan.data.prepare.toy import prepare_toy\nprepare_toy({str(tmp_path / 'toy')!r}, 'tiny', processes=2)\n"
    )
    ended = subprocess.run(
        [sys.executable, str(script)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[4])},
    )
    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("ValueError: toy world: the processes that render it ended at once.")
    assert 'below `if __name__ == "__main__":`' in last
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]
