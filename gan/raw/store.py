"""What the stages have found out of items, shard by shard: a journal of rows, and a file of arrays. Both only grow.

    00012.jsonl   a line a part of an item: what is known of it, and where its arrays lie; a line more when the item ends
    00012.bin     the arrays' bytes, end to end

A process may be killed anywhere. A line counts once it is whole, and the bytes that it names are there and have its checksum;
what lies behind the last such line is cut away by whoever writes next.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from gan.files import write_atomically

Row = dict[str, Any]


class Shard:
    """Reads one shard. path: without ending."""

    def __init__(self, path: Path):
        self.path = path
        self.journal, self.arrays = path.with_suffix(".jsonl"), path.with_suffix(".bin")

    def rows(self) -> Iterator[Row]:
        """Every row that counts, in the order of writing."""
        for row, _ in self._counted():
            yield row

    def array(self, row: Row, name: str) -> np.ndarray:
        """An array of a row, a view of the mapped file."""
        offset, descr, shape = row["arrays"][name]
        dtype = npy.descr_to_dtype(_tuples(descr))
        if not np.prod(shape, dtype=np.int64):
            return np.zeros(shape, dtype)
        return np.memmap(self.arrays, dtype, "r", offset, tuple(shape))

    def _counted(self) -> Iterator[tuple[Row, int]]:
        """Rows that count, and the length of the journal up to each one's end."""
        if not self.journal.exists():
            return
        end = 0
        with open(self.journal, "rb") as journal, open(self.arrays, "rb") as arrays:
            for line in journal:
                end += len(line)
                try:
                    row = json.loads(line)
                    first, length, checksum = row["bytes"]
                except (ValueError, TypeError, KeyError):
                    return
                if not line.endswith(b"\n") or not _is_whole(arrays, first, length, checksum):
                    return
                yield row, end


class Writer(Shard):
    """Appends to a shard, within `with`. Who writes holds its lease (gan/lease.py)."""

    def __enter__(self) -> Writer:
        self.journal.touch()
        self.arrays.touch()
        journal_end = arrays_end = 0
        for row, end in self._counted():
            journal_end, arrays_end = end, row["bytes"][0] + row["bytes"][1]
        os.truncate(self.journal, journal_end)
        os.truncate(self.arrays, arrays_end)
        self._journal, self._arrays = open(self.journal, "ab"), open(self.arrays, "ab")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            for file in (self._arrays, self._journal):
                file.flush()
                os.fsync(file.fileno())
        for file in (self._arrays, self._journal):
            with suppress(OSError):  # of a full disk: what came before it is told
                file.close()

    def append(self, row: Mapping[str, Any], arrays: Mapping[str, np.ndarray] | None = None) -> None:
        """Write a row and its arrays. Raises OSError, naming the file, where the disk is full; what was written before stays."""
        try:
            self._append(row, arrays or {})
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.journal)) from error

    def _append(self, row: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        first = offset = self._arrays.tell()
        checksum, placed = 0, {}
        for name, array in arrays.items():
            content = np.ascontiguousarray(array).tobytes()
            placed[name] = [offset, npy.dtype_to_descr(array.dtype), list(array.shape)]
            self._arrays.write(content)
            checksum = zlib.crc32(content, checksum)
            offset += len(content)
        self._arrays.flush()  # before the line that says it is there
        self._journal.write(_line(dict(row) | {"arrays": placed, "bytes": [first, offset - first, checksum]}))
        self._journal.flush()


def forget(shard: Shard, items: Collection[str]) -> int:
    """Take the rows of some items out of a shard, and zero what no row that stays has of the arrays. Returns how many rows went.

    Who calls holds the shard's lease. A kill between the two is made good by the next call, which zeroes again.
    """
    rows = list(shard.rows())
    stay = [row for row in rows if row["item"] not in items]
    # In place: offsets hold, and journal and arrays need not change places at one moment.
    write_atomically(shard.journal, b"".join(_line(row) for row in stay))
    end = 0
    with open(shard.arrays, "r+b") as arrays:
        for row in stay:
            first, length, _ = row["bytes"]
            _zero(arrays, end, first)
            end = first + length
        arrays.truncate(end)
        arrays.flush()
        os.fsync(arrays.fileno())
    return len(rows) - len(stay)


def _line(row: Row) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _zero(file: BinaryIO, first: int, last: int) -> None:
    file.seek(first)
    while first < last:
        first += file.write(bytes(min(last - first, 1 << 22)))


def _is_whole(file: Any, first: int, length: int, checksum: int) -> bool:
    file.seek(first)
    found = 0
    while length:
        block = file.read(min(length, 1 << 22))
        if not block:
            return False
        found = zlib.crc32(block, found)
        length -= len(block)
    return bool(found == checksum)


def _tuples(descr: Any) -> Any:
    """A dtype's description as JSON gives it back (lists) -> as numpy wants it (tuples within a list)."""
    if isinstance(descr, str):
        return descr
    return [(name, _tuples(kind), *(tuple(shape) for shape in rest)) for name, kind, *rest in descr]
