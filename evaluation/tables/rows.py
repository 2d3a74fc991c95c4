"""Results rows: what they hold, which of them stand, and all of them as CSV.

A row is a dict, one metric of one system on one split:
    system, run, step, training_seed     what was scored: its name; of a trained one its run, checkpoint and seed
    recipe                               the same for runs that differ in their training seed only: they share a line
    control                              true where it is no system that competes: prior, shuffled, oracles
    axes, train_seconds                  of a sweep's cell: {axis: label}, and how long it trained
    trained_on                           corpora it was trained on, where those are others than the one it is scored on: a list
                                         of dicts with corpus, checksum, and words: leak, strangers, unchecked
    corpus, corpus_checksum, split       on which faces and voices
    protocol, results_version            how; protocol is a dict (runs, seconds, gallery, num_faces, ...)
    metric, value, interval, chance, upper, extractor, note, higher_is_better      the Score's fields
    scores                               path of the .npz with the single values: speaker, clip, run, value, each (N,)
Only system, corpus, split, protocol, metric and value must be there; None and NaN are the same.

Or it says of a system, or of one training seed of it, why there are no scores:
    system, missing, failed              its name; the reason, in words; true where it failed, else it is not done yet
    training_seed, recipe, axes          as above, where known
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Mapping
from csv import writer
from typing import Any

Row = Mapping[str, Any]

NEEDED = ("system", "corpus", "split", "protocol", "metric", "value")
ENTRY = ("system", "run", "step", "training_seed")  # what tells one scored system from another
CORPUS = ("corpus", "corpus_checksum", "results_version")  # rows that differ here never share a table
GROUP = (*CORPUS, "split", "protocol")  # nor here, unless a layout gives each its own columns


def latest(rows: Iterable[Row]) -> list[Row]:
    """The rows with scores that stand: of those that say the same thing of the same system, the last, at the first's place.

    Raises ValueError for a row without a needed key.
    """
    standing: dict[tuple[str, ...], Row] = {}
    for number, row in enumerate(rows, 1):
        if "missing" in row and "system" in row:
            continue
        if lacking := [key for key in NEEDED if key not in row]:
            raise ValueError(f"results row {number}: {', '.join(lacking)} missing. A row has {', '.join(NEEDED)}.")
        standing[identity(row, (*ENTRY, *GROUP, "metric", "extractor"))] = row
    return list(standing.values())


def absent(rows: Iterable[Row]) -> list[Row]:
    """The rows that say why there are no scores, but for those of a training seed that was scored all the same."""
    rows = list(rows)
    scored = {identity(row, ("system", "training_seed")) for row in rows if "missing" not in row}
    return [row for row in rows if "missing" in row and identity(row, ("system", "training_seed")) not in scored]


def csv(rows: Iterable[Row]) -> str:
    """One line a standing row, nothing averaged or left out: every key a column, `protocol.runs` and so on one each."""
    rows = list(rows)
    flat = [_flat(row) for row in [*latest(rows), *absent(rows)]]
    names = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    lines = writer(text, lineterminator="\n")
    lines.writerow(names)
    lines.writerows([row.get(name, "") for name in names] for row in flat)
    return text.getvalue()


def _flat(row: Row) -> dict[str, Any]:
    """A row's keys and plain values: an interval's ends and a protocol's keys apart, other lists as JSON."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if key == "interval":
            flat["interval_low"], flat["interval_high"] = value or ("", "")
        elif isinstance(value, Mapping):
            flat |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            flat[key] = value
    return {
        key: json.dumps(value) if isinstance(value, (list, tuple, dict)) else "" if value is None or value != value else value
        for key, value in flat.items()
    }


def identity(row: Row, keys: Iterable[str]) -> tuple[str, ...]:
    """The values of some keys, to be compared; absent and None are the same."""
    return tuple(canonical(row.get(key)) for key in keys)


def canonical(value: Any) -> str:
    """Any value as JSON, the same text for equal values."""
    return json.dumps(value, sort_keys=True, default=str)


def number(value: Any) -> float | None:
    """None for None and NaN."""
    return None if value is None or math.isnan(value) else float(value)
