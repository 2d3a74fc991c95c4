"""A kill of every sort, and the same corpus. benchmarks/preparation_kills.py spends a hundred of them."""

import random
from pathlib import Path

import pytest

from benchmarks.preparation_kills import Preparation, differences, family, killed, undisturbed
from tests.gan.raw.cases import write_voxceleb

pytestmark = pytest.mark.slow
KILLS = (
    ("reader, SIGKILL", "any"),
    ("job, SIGKILL", "any"),
    ("command, SIGKILL", "reading"),
    ("all, SIGTERM", "any"),
    ("all, SIGKILL", "any"),
)


def test_killed_in_every_way_it_is_the_corpus_of_who_was_left_alone(tmp_path: Path) -> None:
    words = list(map(str, write_voxceleb(tmp_path / "vox", films=2, utterances=1)))
    bad = tmp_path / "vox" / "wav" / "id10001" / "film00-abcde" / "00007.wav"
    bad.write_bytes(b"RIFF, but no more")
    alone, seconds = undisturbed(Preparation(words, tmp_path / "alone", workers=1, shards=1))
    assert sum(str(bad) in row for row in alone["left_out"]) == 1
    disturbed = Preparation(words, tmp_path / "killed", workers=2)
    kills = killed(disturbed, KILLS, seconds, random.Random(3))
    assert kills
    assert differences(alone, disturbed.result()) == []
    assert not list(disturbed.work.rglob("*.tmp"))


def test_a_command_and_what_it_started_are_told_apart(tmp_path: Path) -> None:
    import os

    assert family(os.getpid())[os.getpid()] == "command"


def test_what_differs_is_said() -> None:
    one = {"checksum": "a", "left_out": ["x,kind,", "y,kind,", "y,kind,"]}
    assert differences(one, one) == []
    other = {"checksum": "b", "left_out": ["x,kind,", "y,kind,", "z,kind,"]}
    assert differences(one, other) == ["checksum a against b", "left_out.csv lacks: y,kind,", "left_out.csv has: z,kind,"]
