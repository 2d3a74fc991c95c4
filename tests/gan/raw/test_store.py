"""A shard's rows: whole or not at all, wherever its writer was killed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.raw.store import Shard, Writer
from tests.properties import examples

TABLE = np.zeros(2, [("seconds", "<f8"), ("box", "<f4", (4,)), ("track", "<i4")])


def write(path: Path, numbers: range) -> None:
    with Writer(path) as shard:
        for number in numbers:
            shard.append({"item": f"é{number}"}, {"sound": np.arange(number, dtype="<i2"), "faces": TABLE})


def read(path: Path) -> list[tuple[str, int]]:
    shard = Shard(path)
    return [(row["item"], len(shard.array(row, "sound"))) for row in shard.rows()]


def test_rows_come_back_with_their_arrays(tmp_path: Path) -> None:
    write(tmp_path / "00000", range(3))
    shard = Shard(tmp_path / "00000")
    row = list(shard.rows())[2]
    assert row["item"] == "é2"
    np.testing.assert_array_equal(shard.array(row, "sound"), [0, 1])
    assert shard.array(row, "faces").dtype == TABLE.dtype
    assert shard.array(row, "faces").shape == (2,)


def test_a_shard_never_written_is_empty(tmp_path: Path) -> None:
    assert list(Shard(tmp_path / "00000").rows()) == []


@examples(100)
@given(journal=st.floats(0, 1), arrays=st.floats(0, 1))
def test_cut_anywhere_it_goes_on_from_the_last_whole_row(
    tmp_path_factory: pytest.TempPathFactory, journal: float, arrays: float
) -> None:
    whole, cut = (tmp_path_factory.mktemp("shard") / "00000" for _ in range(2))
    write(whole, range(5))
    for ending, share in ((".jsonl", journal), (".bin", arrays)):
        content = whole.with_suffix(ending).read_bytes()
        cut.with_suffix(ending).write_bytes(content[: round(share * len(content))])
    left = read(cut)
    assert left == read(whole)[: len(left)]
    write(cut, range(len(left), 5))
    assert cut.with_suffix(".bin").read_bytes() == whole.with_suffix(".bin").read_bytes()
    assert cut.with_suffix(".jsonl").read_bytes() == whole.with_suffix(".jsonl").read_bytes()


def test_a_flipped_bit_ends_what_counts(tmp_path: Path) -> None:
    write(tmp_path / "00000", range(5))
    content = bytearray((tmp_path / "00000.bin").read_bytes())
    content[-1] ^= 1
    (tmp_path / "00000.bin").write_bytes(content)
    assert len(read(tmp_path / "00000")) == 4
