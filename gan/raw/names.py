"""Names of people as tables, folders and lists write them: kept as they came, compared without what differs by habit.

A dot is part of a name ("Jr."), never the beginning of an ending that might be cut off.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

IGNORED = "_-.,'\N{RIGHT SINGLE QUOTATION MARK}"
_SEPARATORS = re.compile(r"[\s_\-,.]+")
LIKE = 0.7  # of two given names, difflib's ratio: Katie and Katy, Rick and Ricky


def keep(name: str) -> str:
    """A name as it is stored and printed: NFC, without blanks round it."""
    return unicodedata.normalize("NFC", name).strip()


@lru_cache(maxsize=1 << 17)
def fold(name: str) -> str:
    """What names are compared by: NFKD without marks, case, blanks and `_ - . , '`. Never empty, unless the name is."""
    plain = _without_marks(name)
    folded = "".join(letter for letter in plain if letter not in IGNORED and not letter.isspace())
    return folded or keep(name)


def stripped(name: str) -> str:
    """fold, letters and digits only: what is left of a name where a tool took out brackets, quotes and signs."""
    return "".join(letter for letter in fold(name) if letter.isalnum()) or fold(name)


def words(name: str) -> list[str]:
    """The words of a name, each folded."""
    return [fold(word) for word in _SEPARATORS.split(name) if fold(word)]


def same_name(a: str, b: str) -> bool:
    """Is this one name, spelt in two ways? Equal when folded; the same words in another order; more given names in one of them;
    the same family name and given names that are much alike."""
    if not a or not b:
        return False
    if fold(a) == fold(b):
        return True
    first, second = words(a), words(b)
    if sorted(first) == sorted(second) or "".join(sorted(first)) == "".join(sorted(second)):
        return True
    if min(len(first), len(second)) < 2:
        return False
    if set(first) <= set(second) or set(second) <= set(first):
        return True
    given = _join(first[:-1]), _join(second[:-1])
    return first[-1] == second[-1] and difflib.SequenceMatcher(None, *given).ratio() >= LIKE


def like_name(a: str, b: str) -> bool:
    """May this be one name, or do two of one family or band carry it? They share a word of three letters or more."""
    if same_name(a, b):
        return True
    return bool({word for word in words(a) if len(word) > 2} & set(words(b)))


def _join(parts: Sequence[str]) -> str:
    return "".join(parts)


def _without_marks(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
