import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gan.data import corpora
from gan.data.corpora import content_of, open_corpus
from gan.data.corpus import Corpus

OPEN = """
import sys
from gan.data.corpora import open_corpus
from gan.data.prepare import toy

rendered = toy.prepare_toy

def prepare_toy(*arguments, **named):
    print("rendering", flush=True)
    sys.stdin.readline()                # until both are about to render: neither finds the world the other has made
    rendered(*arguments, **named)

toy.prepare_toy = prepare_toy
print(open_corpus("toy:tiny").checksum, flush=True)
"""


@pytest.mark.slow
def test_two_processes_may_render_one_world_at_once(tiny: Corpus, tmp_path: Path) -> None:
    environment = os.environ | {"VOXFACE_CACHE": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    racing = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN],
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    said = ["", ""]
    for number, process in enumerate(racing):
        while not said[number].endswith("rendering\n"):
            line = process.stdout.readline()
            assert line, process.stderr.read()
            said[number] += line
    for process in racing:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in racing:
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        assert output.split()[-1] == tiny.checksum
    assert len(list((tmp_path / "corpora").iterdir())) == 1  # and nothing half-made beside it


def test_the_second_takes_the_world_the_first_has_made(tiny: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(path: Path, size: str, background: str) -> None:
        path.symlink_to(tiny.path)
        raise ValueError(f"{path} exists already")

    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path))
    monkeypatch.setattr(corpora.toy, "prepare_toy", taken)
    assert open_corpus("toy:tiny").checksum == tiny.checksum


def test_what_else_goes_wrong_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, size: str, background: str) -> None:
        raise ValueError("nothing could be rendered")

    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path))
    monkeypatch.setattr(corpora.toy, "prepare_toy", refused)
    with pytest.raises(ValueError, match="nothing could be rendered"):
        open_corpus("toy:tiny")


@pytest.mark.slow
def test_a_textured_world_is_the_same_but_for_what_is_behind_the_heads(tiny: Corpus) -> None:
    textured = open_corpus("toy:tiny-textured")
    assert textured.speakers == tiny.speakers
    np.testing.assert_array_equal(textured.clips, tiny.clips)
    np.testing.assert_array_equal(textured.waveform(0), tiny.waveform(0))
    with pytest.raises(ValueError, match=r"no toy world tiny-striped.*tiny-textured"):
        open_corpus("toy:tiny-striped")


def test_a_content_is_known_without_rendering(tiny: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path))
    assert content_of("toy:tiny") != content_of("toy:tiny-textured")
    assert content_of(str(tiny.path)) == tiny.checksum
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="no toy world huge"):
        content_of("toy:huge")
