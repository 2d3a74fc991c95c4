"""An experiment's numbers, as CSV and as Markdown."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from gan.experiments._judge import Measured


def csv_of(rows: Sequence[dict[str, Any]]) -> bytes:
    """Measured becomes three columns: name, name_low, name_high. What is not known is left empty."""
    flat = []
    for row in rows:
        line: dict[str, Any] = {}
        for key, value in row.items():
            parts = (
                {key: value.value, f"{key}_low": value.low, f"{key}_high": value.high}
                if isinstance(value, Measured)
                else {key: value}
            )
            line |= {
                k: "" if isinstance(v, float) and math.isnan(v) else f"{v:.6g}" if isinstance(v, float) else v
                for k, v in parts.items()
            }
        flat.append(line)
    text = io.StringIO()
    table = csv.DictWriter(text, list(flat[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(flat)
    return text.getvalue().encode()


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """A Markdown table; columns in which nothing is known are left out."""

    def cell(value: Any) -> str:
        if isinstance(value, float):
            return "" if math.isnan(value) else f"{round(value, 3):g}"
        return " ".join(str(value).split()).replace("|", "\\|")

    cells = [{key: cell(value) for key, value in row.items()} for row in rows]
    keys = [key for key in cells[0] if any(line[key] for line in cells)]
    lines = [keys, ["---", *["---:"] * (len(keys) - 1)], *([line[key] for key in keys] for line in cells)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
