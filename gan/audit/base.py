"""What a check hands back: a Finding, with an Item for every clip, face or speaker that is not as it should be."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gan.data.corpus import SPLITS, Corpus

# Of what was looked at: more than so many flaws and the corpus is called flawed. Of leaks one is too many.
TOLERATED = 0.01


@dataclass(frozen=True)
class Item:
    """One offender.

    clip, face: its number in the corpus, where it is one. other: what it collides with. value: in the check's unit.
    """

    split: str
    speaker: str
    value: float
    recording: str = ""
    clip: int | None = None
    face: int | None = None
    other: str = ""
    other_face: int | None = None


@dataclass(frozen=True)
class Finding:
    """What one check found.

    check: its name, in items.csv. question: what it asks. leak: does an item make scores on held-out splits meaningless?
    checked: how many `things` were looked at. unit: of the items' value. items: worst first. notes: lines for the reader.
    skipped: why it was not done, if it was not.
    """

    check: str
    question: str
    leak: bool
    things: str
    unit: str
    checked: int = 0
    items: list[Item] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def num_offending(self) -> int:
        """How many different things are among the items."""
        return len({(item.split, item.speaker, item.recording, item.clip, item.face) for item in self.items})

    @property
    def failed(self) -> bool:
        """Is it more than a sound corpus may have?"""
        return bool(self.items) if self.leak else self.num_offending > TOLERATED * self.checked


class Names:
    """What the numbers of a corpus stand for."""

    def __init__(self, corpus: Corpus):
        self._corpus = corpus

    def clip(self, clip: int, value: float, other: str = "") -> Item:
        split, speaker, recording = self._of(self._corpus.clips[clip])
        return Item(split, speaker, value, recording, clip=clip, other=other)

    def face(self, face: int, value: float, other: str = "", other_face: int | None = None) -> Item:
        split, speaker, recording = self._of(self._corpus.faces[face])
        return Item(split, speaker, value, recording, face=face, other=other, other_face=other_face)

    def told(self, item: Item) -> str:
        """An item in words: train clip 12 (ana, talk1.wav)."""
        thing = f"clip {item.clip}" if item.clip is not None else f"face {item.face}" if item.face is not None else ""
        within = ", ".join(part for part in (item.speaker, item.recording) if part)
        return f"{item.split} {thing} ({within})" if thing else f"{item.split} {within}"

    def speaker(self, number: int) -> str:
        return self._corpus.speakers[number]["speaker"]

    def _of(self, row: np.void) -> tuple[str, str, str]:
        return SPLITS[row["split"]], self.speaker(int(row["speaker"])), self._corpus.recordings[int(row["recording"])]["source"]


def plain(text: str) -> str:
    """In one line, and without what Markdown would read as a table or a tag."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
