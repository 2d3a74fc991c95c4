"""Names are one name in every spelling that was met, and never lose what stands behind a dot."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.raw.names import fold, keep, like_name, same_name, stripped
from tests.properties import examples


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Zoë_Ambrún", unicodedata.normalize("NFD", "Zoë_Ambrún")),
        ("Zoë_Ambrún", "zoe ambrun"),
        ("Otto_Quill,_Jr.", "Otto_Quill_Jr"),
        ("Nell_O'Farrow", "Nell O\N{RIGHT SINGLE QUOTATION MARK}Farrow"),
        ("Anna-Liv_Tor", "Anna_Liv_Tor"),
    ],
)
def test_spellings_of_one_name(a: str, b: str) -> None:
    assert fold(a) == fold(b)


def test_an_ending_is_part_of_the_name() -> None:
    assert fold("Otto_Quill_Jr.") != fold("Otto_Quill")
    assert fold("T.J._Marl") == "tjmarl"
    assert fold("B!rd") == "b!rd"
    assert stripped("B!rd (Ada) & Co") == "brdadaco"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Catie_Marl", "Caty_Marl"),
        ("Song_Hy-mo", "Hy-mo_Song"),
        ("William_Orr_Tarn", "Seann_William_Orr_Tarn"),
        ("Rick_Vale", "Ricky_Vale"),
    ],
)
def test_one_name_spelt_in_two_ways(a: str, b: str) -> None:
    assert same_name(a, b)


def test_twins_and_sons_are_only_like() -> None:
    assert not same_name("Otto_Quill_Jr.", "Otto_Quill")
    assert like_name("Otto_Quill_Jr.", "Otto_Quill")
    assert not same_name("Anders_Quill_Jr.", "Tyrell_Quill_Jr.")
    assert not same_name("Anders_Holtvoss", "Tyrell_Holtvoss")
    assert like_name("Anders_Holtvoss", "Tyrell_Holtvoss")
    assert not like_name("Anders_Holtvoss", "Mira_Tarn")
    assert not same_name("", "")


@examples(200)
@given(st.text())
def test_folding_is_settled(name: str) -> None:
    assert fold(unicodedata.normalize("NFD", name)) == fold(unicodedata.normalize("NFC", name))
    assert bool(fold(name)) == bool(keep(name))
