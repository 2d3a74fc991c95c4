"""Sheets of faces."""

import numpy as np
import pytest
from PIL import ImageFont

from gan.sheets import GAP, SMALLEST_CELL, _wrapped, draw_sheet


def plain(*colour: int) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.uint8), (8, 8, 3)).copy()


def test_the_sheet_holds_every_picture_enlarged() -> None:
    colours = [[(200, 0, 0), (0, 200, 0)], [None, (0, 0, 200)]]
    pictures = [
        (f"row {n} with a name too long to stand in one line", [None if c is None else plain(*c) for c in row])
        for n, row in enumerate(colours)
    ]
    sheet = np.asarray(draw_sheet("A title " * 20, ["one", "two"], pictures, ["A note. " * 40]))
    cell = 96
    for colour in ((200, 0, 0), (0, 200, 0), (0, 0, 200)):
        there = (sheet == colour).all(axis=2)
        assert there.sum() == cell * cell
        down, across = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
        assert (len(down), len(across)) == (cell, cell)
    assert (sheet[:, 0] == 255).all()
    assert (sheet[:, -1] == 255).all()  # no caption runs over the edge
    assert (sheet[-1] == 255).all()


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("A: one\nB: two", ["A: one", "B: two"]),
        ("Zoë", ["Zoe"]),
        ("王", ["?"]),
        ("", [""]),
        ("one two three", ["one two", "three"]),
    ],
)
def test_captions_are_broken_into_lines(text: str, lines: list[str]) -> None:
    assert _wrapped(text, ImageFont.load_default(size=13), 55) == lines


def test_a_word_too_wide_is_cut() -> None:
    font = ImageFont.load_default(size=13)
    found = _wrapped("m" * 50, font, 55)
    assert "".join(found) == "m" * 50
    assert all(font.getlength(line) <= 55 for line in found)


def test_a_column_without_a_face_is_left_out() -> None:
    face = plain(0, 0, 0)
    wide = draw_sheet("t", ["real", *"abcdef"], [("x", [face] * 7)], [])
    narrow = draw_sheet("t", ["real", *"abcdef"], [("x", [None, *[face] * 6])], [])
    assert wide.width - narrow.width == SMALLEST_CELL + GAP


def test_large_faces_are_not_enlarged_and_names_may_be_foreign() -> None:
    face = np.zeros((128, 128, 3), np.uint8)
    sheet = draw_sheet("t", ["real"], [("Zoë 王 " + "x" * 80, [face])], [])
    assert ((np.asarray(sheet) == 0).all(axis=2).sum(axis=1) >= 128).sum() == 128
