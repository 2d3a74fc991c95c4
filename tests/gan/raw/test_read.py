"""What is read of a film, whole and after a break."""

from pathlib import Path

import numpy as np
import pytest

from gan.raw.item import Item
from gan.raw.profile import load_profile
from gan.raw.read import Failed, ItemReader
from tests.films import write_film

pytest.importorskip("av")
pytestmark = pytest.mark.slow


def reader() -> ItemReader:
    return ItemReader(load_profile("plain", ["parts.seconds=5", "speech={name: energy}", "looks.per_second=1"]))


def film(path: Path, seconds: int = 12) -> Item:
    rng = np.random.default_rng(0)
    pictures = (np.full((48, 64, 3), 10 * at % 256, np.uint8) for at in range(10 * seconds))
    write_film(path, pictures, rate=10, waveform=rng.uniform(-0.3, 0.3, 16_000 * seconds), sound_hz=16_000)
    return Item("film", path, "film", "id1")


def test_after_any_part_the_rest_comes_as_without_a_break(tmp_path: Path) -> None:
    item = film(tmp_path / "film.mp4")
    whole = list(reader().read(item))
    assert [row.get("part") for row, _ in whole] == [0, 1, 2, None]
    for done in range(3):
        rest = list(reader().read(item, whole[done][0]))
        assert [row for row, _ in rest] == [row for row, _ in whole[done + 1 :]]
        for (_, arrays), (_, before) in zip(rest, whole[done + 1 :], strict=True):
            assert arrays.keys() == before.keys()
            assert all(arrays[name].tobytes() == before[name].tobytes() for name in arrays)


def test_a_film_that_is_cut_is_told_after_a_break_too(tmp_path: Path) -> None:
    item = film(tmp_path / "film.mkv")
    content = item.media.read_bytes()
    item.media.write_bytes(content[: len(content) // 2])
    said = []
    first = next(reader().read(item))[0]
    for last in (None, first):
        with pytest.raises(Failed) as failed:
            list(reader().read(item, last))
        said.append((failed.value.kind, str(failed.value)))
    assert said[0] == said[1]
    assert said[0][0] == "cut short"
