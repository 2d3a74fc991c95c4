"""Does a person, a film, or a recording of a person, lie in several splits by name?"""

from __future__ import annotations

import numpy as np

from gan.audit.base import Finding, Item, Names
from gan.data.corpus import SPLITS, Corpus


def check(corpus: Corpus) -> Finding:
    """Equal films, equal recording names of one speaker, and equal speaker names, in different splits; clips whose face is
    of another split.

    A recording whose film is known is that film, whoever speaks in it: its room, and often both voices, are in every piece
    of it. Names of other recordings count within a speaker only: everyone may have a `talk1.wav`.
    """
    names = Names(corpus)
    items = _films(corpus)
    seen: dict[tuple[str, str], dict[str, None]] = {}
    for row in corpus.recordings:
        if row["source"] and not row.get("media"):
            seen.setdefault((_plain(row["speaker"]), row["source"]), {}).setdefault(row["split"])
    for (speaker, source), splits in seen.items():
        first, *others = splits
        items += [Item(split, speaker, 1, source, other=f"the same recording in {first}") for split in others]
    people: dict[str, list[str]] = {}
    for person in corpus.speakers:
        people.setdefault(_plain(person["speaker"]), []).append(person["split"])
    items += [
        Item(split, speaker, 1, other=f"a speaker of that name in {splits[0]}")
        for speaker, splits in people.items()
        for split in splits[1:]
        if split != splits[0]
    ]
    faces = corpus.clips["face"]
    paired = np.flatnonzero(faces >= 0)
    apart = paired[corpus.faces["split"][faces[paired]] != corpus.clips["split"][paired]]
    items += [names.clip(int(clip), 1, f"its face is in {SPLITS[corpus.faces['split'][faces[clip]]]}") for clip in apart]
    return Finding(
        "shared_recording",
        "Is a recording, a film, or a person, in several splits by name?",
        leak=True,
        things="recordings",
        unit="times",
        checked=len(corpus.recordings),
        items=items,
    )


def _films(corpus: Corpus) -> list[Item]:
    """Every recording of a film that is in an earlier split too."""
    first: dict[str, tuple[int, str]] = {}
    filmed = [row for row in corpus.recordings if row.get("media")]
    for row in filmed:
        here = SPLITS.index(row["split"]), row["speaker"]
        first[row["media"]] = min(first.get(row["media"], here), here)
    items = []
    for row in filmed:
        split, speaker = first[row["media"]]
        if row["split"] != SPLITS[split]:
            whose = "" if speaker == row["speaker"] else f", of {speaker}"
            other = f"the same film {row['media']} in {SPLITS[split]}{whose}"
            items.append(Item(row["split"], row["speaker"], 1, row["source"], other=other))
    return items


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
