"""What a split that is scored shares with another corpus that was trained on: inside one corpus splits keep apart what was heard
and what was not, between two nothing does.

Speakers and recordings go by their names, all that two corpora have in common: a person under two names is not found, and two
people called "1" are taken for one. A recording whose film both corpora know goes by that film, whoever speaks in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from gan.data.corpus import SPEAKER_SPLITS, Corpus


@dataclass(frozen=True)
class Overlap:
    """Of the split's speakers and recordings, how many there are and how many were trained on."""

    split: str
    speakers: int
    shared_speakers: int
    recordings: int
    shared_recordings: int

    @property
    def leak(self) -> str:
        """Why scores on a held-out split are no scores of what was not heard; "" if they are."""
        if self.split == "train":
            return ""
        if self.split in SPEAKER_SPLITS and self.shared_speakers:
            return _share(self.shared_speakers, self.speakers, "speakers", self.split, "were trained on")
        return _share(self.shared_recordings, self.recordings, "recordings", self.split, "were trained on")

    @property
    def strangers(self) -> str:
        """Why a split of people who were heard is not quite that; "" if it is."""
        if self.split != "train" and self.split in SPEAKER_SPLITS:
            return ""
        return _share(self.speakers - self.shared_speakers, self.speakers, "speakers", self.split, "were not trained on")


def _share(count: int, total: int, things: str, split: str, what: str) -> str:
    return f"{count} of {total} {things} of {split} {what}" if count else ""


@lru_cache(maxsize=64)  # asked again for every system of an evaluation
def overlap(trained: Corpus, scored: Corpus, split: str) -> Overlap:
    """What `split` of `scored` shares with the training split of `trained`."""
    heard, asked = _recordings(trained, "train"), _recordings(scored, split)
    heard_speakers, asked_speakers = ({each.speaker for each in found} for found in (heard, asked))
    films = {each.media for each in heard if each.media}
    names, filmless = {each[:2] for each in heard}, {each[:2] for each in heard if not each.media}
    # Of two recordings whose films are known the names say nothing: every film may have a "00001".
    shared = sum(each.media in films or each[:2] in (filmless if each.media else names) for each in asked)
    return Overlap(split, len(asked_speakers), len(asked_speakers & heard_speakers), len(asked), shared)


class _Recording(NamedTuple):
    speaker: str
    source: str
    media: str  # "" where no film is known


def _recordings(corpus: Corpus, split: str) -> set[_Recording]:
    """Every recording of which a split has a clip or a face."""
    used = [index["recording"][corpus.in_split(index, split)] for index in (corpus.clips, corpus.faces)]
    rows = [corpus.recordings[at] for at in np.unique(np.concatenate(used)).tolist()]
    return {_Recording(row["speaker"], row["source"], row.get("media", "")) for row in rows}
