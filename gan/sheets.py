"""Sheets of faces for a person to look at: drawn and captioned here, whoever shows them."""

from __future__ import annotations

import math
import textwrap
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torchvision.utils import make_grid

from gan.data.pictures import png, resize
from gan.files import write_atomically

MARK = "Faces drawn from speech by voxface, beside real faces of the speakers where the caption says so."
INK, PAPER = (20, 20, 20), (255, 255, 255)


# -- rows and columns -------------------------------------------------------------------------------------------------

SMALLEST_CELL = 96  # px; smaller faces are enlarged by a whole factor
GAP = 6


def write_sheet(
    path: Path,
    title: str,
    columns: Sequence[str],
    pictures: Sequence[tuple[str, Sequence[np.ndarray | None]]],
    notes: Sequence[str],
) -> None:
    """The sheet of draw_sheet as a PNG, marked as what it is."""
    write_atomically(path, png(draw_sheet(title, columns, pictures, notes), MARK))


def draw_sheet(
    title: str, columns: Sequence[str], pictures: Sequence[tuple[str, Sequence[np.ndarray | None]]], notes: Sequence[str]
) -> Image.Image:
    """Title, column captions, rows of faces with their captions before them, notes below. A column without a face is left out.

    pictures: rows, each a caption and, a column, a uint8 (H, W, 3) face or None.
    """
    face = next(face for _, row in pictures for face in row if face is not None)
    kept = [at for at in range(len(columns)) if any(row[at] is not None for _, row in pictures)]
    factor = math.ceil(SMALLEST_CELL / face.shape[0])
    cell = face.shape[0] * factor
    font, bold = ImageFont.load_default(size=13), ImageFont.load_default(size=16)
    heads = [_wrapped(columns[at], font, cell) for at in kept]
    sides = [_wrapped(caption, font, 150) for caption, _ in pictures]
    left = GAP + math.ceil(max(font.getlength(line) for side in sides for line in side)) + GAP
    width = max(left + len(heads) * (cell + GAP), 560)
    below = [line for note in notes for line in _wrapped(note, font, width - 2 * GAP)]
    name = _wrapped(title, bold, width - 2 * GAP)
    line_height = 17
    top = GAP + len(name) * 21 + GAP + max(map(len, heads)) * line_height + GAP
    height = top + len(sides) * (cell + GAP) + GAP + len(below) * line_height + GAP
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, line in enumerate(name):
        pen.text((GAP, GAP + number * 21), line, INK, bold)
    for column, head in enumerate(heads):
        for number, line in enumerate(head):
            x = left + column * (cell + GAP) + (cell - font.getlength(line)) / 2
            pen.text((x, top - GAP - (len(head) - number) * line_height), line, INK, font)
    for number, (side, (_, row)) in enumerate(zip(sides, pictures, strict=True)):
        y = top + number * (cell + GAP)
        for at, line in enumerate(side):
            pen.text((GAP, y + (cell - len(side) * line_height) / 2 + at * line_height), line, INK, font)
        for column, at in enumerate(kept):
            if (picture := row[at]) is not None:
                large = Image.fromarray(picture).resize((cell, cell), Image.Resampling.NEAREST)
                sheet.paste(large, (left + column * (cell + GAP), y))
    for number, line in enumerate(below):
        pen.text((GAP, height - GAP - (len(below) - number) * line_height), line, INK, font)
    return sheet


# -- an album ---------------------------------------------------------------------------------------------------------

CELL, SPACE, LINE, PAIRS_A_ROW = 96, 8, 14, 5


def draw_album(sections: Sequence[tuple[str, Sequence[tuple[np.ndarray, Sequence[str]]]]]) -> Image.Image:
    """Below each heading its items: faces, uint8 (1 or 2, H, W, 3), beside each other, and two captions below them."""
    width = SPACE + min(PAIRS_A_ROW, max(3, *(len(items) for _, items in sections))) * (2 * CELL + 2 * SPACE)
    row_height = CELL + 2 * LINE + SPACE
    heights = [2 * LINE + SPACE + -(-len(items) // PAIRS_A_ROW) * row_height for _, items in sections]
    album = Image.new("RGB", (width, SPACE + sum(heights)), PAPER)
    pen, small, large = ImageDraw.Draw(album), ImageFont.load_default(size=11), ImageFont.load_default(size=14)
    top = SPACE
    for (heading, items), height in zip(sections, heights, strict=True):
        pen.text((SPACE, top), heading, INK, large)
        for number, (faces, captions) in enumerate(items):
            left = SPACE + number % PAIRS_A_ROW * (2 * CELL + 2 * SPACE)
            above = top + 2 * LINE + number // PAIRS_A_ROW * row_height
            for at, face in enumerate(faces):
                album.paste(Image.fromarray(resize(face, CELL)), (left + at * CELL, above))
            for line, caption in enumerate(captions):
                pen.text((left, above + CELL + line * LINE), _cut(caption, small, 2 * CELL), INK, small)
        top += height
    return album


# -- pairs ------------------------------------------------------------------------------------------------------------

BORDER, LABEL_HEIGHT = 4, 18


def draw_pairs(true: np.ndarray, drawn: np.ndarray) -> Image.Image:
    """uint8 (N, H, W, 3) each, twice as large: two pairs a row, the true face and beside it the one drawn from the voice."""
    faces = torch.from_numpy(np.stack([true, drawn], axis=1).reshape(-1, *true.shape[1:])).movedim(-1, 1)
    grid = Image.fromarray(make_grid(faces, nrow=4, padding=BORDER, pad_value=255).movedim(0, -1).numpy())
    grid = grid.resize((grid.width * 2, grid.height * 2), Image.Resampling.BICUBIC)
    labelled = Image.new("RGB", (grid.width, grid.height + LABEL_HEIGHT), "white")
    labelled.paste(grid, (0, LABEL_HEIGHT))
    pen = ImageDraw.Draw(labelled)
    for column in range(4):
        pen.text((column * grid.width // 4 + 12, 4), ("true face", "from the voice")[column % 2], fill="black")
    return labelled


# -- text -------------------------------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    """Letters that Pillow's own font lacks lose their accents."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return plain.encode("ascii", "replace").decode()


def _cut(text: str, font: Any, width: float) -> str:
    """One line, cut where it is wider than that."""
    plain = " ".join(_plain(text).split())
    while plain and font.getlength(plain) > width:
        plain = plain[:-1]
    return plain


def _wrapped(text: str, font: Any, width: float) -> list[str]:
    """Lines no wider than that; a word that is wider alone is cut."""
    if "\n" in text:
        return [line for part in text.splitlines() for line in _wrapped(part, font, width)]
    text = _plain(text)
    narrowest = max(1, int(width / max(font.getlength("m"), 1)))
    for characters in range(max(len(text), narrowest), narrowest - 1, -1):
        lines = textwrap.wrap(text, characters) or [""]
        if all(font.getlength(line) <= width for line in lines):
            return lines
    return textwrap.wrap(text, narrowest)
