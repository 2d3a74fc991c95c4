"""Whom a classifier takes each speaker's drawn faces for, as a matrix and as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CELL, GAP, LINE = 22, 8, 16
SIDE = 900  # px that a large matrix is kept to, by smaller cells
INK, PAPER, FULL = np.array([20, 20, 20]), np.array([255, 255, 255]), np.array([30, 70, 150])


def confusion(speaker: np.ndarray, predicted: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Who spoke, the share of faces taken for whom: of a trial's speaker, and of a score with `predicted` among its details.

    speaker, predicted, items: (N,). Returns speakers, int (P,), sorted, all that spoke or were named; and (P, P), row the one who
    spoke, column the one named. A row sums to 1, and is NaN for a speaker who did not speak. Faces without an item are left out:
    of people the classifier does not know.
    """
    kept = np.isfinite(items)
    speakers, places = np.unique(np.concatenate([speaker[kept], predicted[kept]]), return_inverse=True)
    row, column = np.split(places, 2)
    counts = np.bincount(row * len(speakers) + column, minlength=len(speakers) ** 2).reshape(len(speakers), -1)
    with np.errstate(invalid="ignore"):
        return speakers, counts / counts.sum(1, keepdims=True)


def draw_confusion(names: Sequence[str], matrix: np.ndarray, title: str = "") -> Image.Image:
    """A picture of a matrix (P, P) of `confusion` and P names: white is never, dark always; grey rows did not speak."""
    count = len(names)
    cell = min(CELL, max(2, SIDE // max(count, 1)))
    every = math.ceil(2 * LINE / cell) if cell < LINE else 1  # names stand beside some rows where there is no room for all
    font = ImageFont.load_default(size=11)
    widest = math.ceil(max(map(font.getlength, names), default=0))
    left, top = 2 * GAP + LINE + widest, 2 * GAP + 2 * LINE + widest
    head = [title, "row: who spoke; column: taken for"]
    width = max(left + count * cell + GAP, GAP + math.ceil(max(map(font.getlength, head))) + GAP)
    picture = Image.new("RGB", (width, top + count * cell + GAP), tuple(PAPER))
    pen = ImageDraw.Draw(picture)
    for number, line in enumerate(head):
        pen.text((GAP, GAP + number * LINE), line, tuple(INK), font)
    if count:
        shade = PAPER + np.nan_to_num(matrix)[..., None] * (FULL - PAPER)
        shade[np.isnan(matrix)] = 225
        cells = Image.fromarray(np.rint(shade).astype(np.uint8)).resize((count * cell, count * cell), Image.Resampling.NEAREST)
        picture.paste(cells, (left, top))
        pen.rectangle((left - 1, top - 1, left + count * cell, top + count * cell), outline=tuple(INK))
    for at in range(0, count, every):
        name = names[at]
        middle = at * cell + cell // 2
        pen.text((left - GAP // 2, top + middle), name, tuple(INK), font, anchor="rm")
        upright = Image.new("L", (widest + 2, LINE))
        ImageDraw.Draw(upright).text((0, LINE // 2), name, 255, font, anchor="lm")
        turned = upright.rotate(90, expand=True)
        picture.paste(tuple(INK), (left + middle - LINE // 2, top - GAP // 2 - turned.height), turned)
    return picture
