"""Whom a classifier takes each speaker's drawn faces for: the stored scores of identity_accuracy as a matrix and a picture."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CELL, GAP, LINE = 22, 8, 16
SIDE = 900  # px that a large matrix is kept to, by smaller cells
INK, PAPER, FULL = np.array([20, 20, 20]), np.array([255, 255, 255]), np.array([30, 70, 150])


def confusion(scores: Path) -> tuple[np.ndarray, np.ndarray]:
    """(speakers, matrix) of a scores file of identity_accuracy: who spoke, and the share of faces taken for whom.

    speakers: int (P,), sorted, all that spoke or were named. matrix: (P, P), row the one who spoke, column the one named;
    a row sums to 1, and is NaN for a speaker who did not speak. Faces of people whom the classifier does not know are left out.
    Raises ValueError if the file holds no such scores.
    """
    try:
        with scores.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            spoke, named, value = (arrays[name] for name in ("speaker", "predicted", "value"))
    except PermissionError:
        raise ValueError(f"{scores}: may not be read (permission denied). Let its owner run chmod a+r on it.") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        needed = ".npz with speaker, predicted, value"
        raise ValueError(f"{scores}: not readable as scores of identity_accuracy ({needed}).") from None
    kept = np.isfinite(value)
    speakers, places = np.unique(np.concatenate([spoke[kept], named[kept]]), return_inverse=True)
    row, column = np.split(places, 2)
    counts = np.bincount(row * len(speakers) + column, minlength=len(speakers) ** 2).reshape(len(speakers), -1)
    with np.errstate(invalid="ignore"):
        return speakers, counts / counts.sum(1, keepdims=True)


def draw_confusion(speakers: np.ndarray, matrix: np.ndarray, title: str = "") -> Image.Image:
    """A picture of speakers (P,) and matrix (P, P) of `confusion`: white is never, dark always; grey rows did not speak."""
    count = len(speakers)
    cell = min(CELL, max(2, SIDE // max(count, 1)))
    every = math.ceil(2 * LINE / cell) if cell < LINE else 1  # numbers stand beside some rows where there is no room for all
    font = ImageFont.load_default(size=11)
    widest = math.ceil(max((font.getlength(str(speaker)) for speaker in speakers), default=0))
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
        name = str(speakers[at])
        middle = at * cell + cell // 2
        pen.text((left - GAP // 2, top + middle), name, tuple(INK), font, anchor="rm")
        upright = Image.new("L", (widest + 2, LINE))
        ImageDraw.Draw(upright).text((0, LINE // 2), name, 255, font, anchor="lm")
        turned = upright.rotate(90, expand=True)
        picture.paste(tuple(INK), (left + middle - LINE // 2, top - GAP // 2 - turned.height), turned)
    return picture
