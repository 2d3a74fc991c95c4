"""Does every speaker have a fair share of the training sound, and sound and faces where they are needed?"""

from __future__ import annotations

from collections import Counter

import numpy as np

from gan.audit.base import Finding, Item
from gan.data.corpus import SPLITS, Corpus

# A training speaker has no less than the median divided by this, and no more than the median times this.
LARGEST_RATIO = 5.0


def check(corpus: Corpus) -> Finding:
    """Seconds of training sound of each speaker against the median, and speakers with sound but no faces, or the reverse."""
    count, splits = len(corpus.speakers), len(SPLITS)
    clips, faces = corpus.clips, corpus.faces
    cell = clips["split"].astype(np.int64) * count + clips["speaker"]
    seconds = np.bincount(cell, clips["length"], splits * count).reshape(splits, count) / corpus.stored.rate_hz
    cell = faces["split"].astype(np.int64) * count + faces["speaker"]
    pictures = np.bincount(cell, minlength=splits * count).reshape(splits, count)
    items, notes = [], []
    for number, split in enumerate(SPLITS):
        present = np.flatnonzero((seconds[number] > 0) | (pictures[number] > 0))
        if not len(present):
            notes.append(f"{split}: empty.")
            continue
        median = float(np.median(seconds[number][present]))
        for speaker in present.tolist():
            name, heard, seen = corpus.speakers[speaker]["speaker"], seconds[number, speaker], pictures[number, speaker]
            if not heard or not seen:
                items.append(Item(split, name, heard, other="has no sound here" if not heard else "has no face here"))
            elif split == "train" and not median / LARGEST_RATIO <= heard <= median * LARGEST_RATIO:
                items.append(Item(split, name, heard, other=f"the median is {median:.1f} s"))
        heard = seconds[number][present]
        sexes = Counter(corpus.speakers[speaker]["sex"] for speaker in present.tolist() if corpus.speakers[speaker].get("sex"))
        notes.append(
            f"{split}: {len(present)} speakers{_told(sexes)}, {heard.sum():.0f} s of sound ({heard.min():.1f} to "
            f"{heard.max():.1f} each, median {median:.1f}), {pictures[number].sum()} faces."
        )
    items.sort(key=lambda item: item.value)
    return Finding(
        "imbalance",
        "Does every speaker have a fair share, and both sound and faces?",
        leak=False,
        things="speakers",
        unit="s of sound",
        checked=count,
        items=items,
        notes=notes,
    )


def _told(sexes: Counter[str]) -> str:
    return f" ({', '.join(f'{count} {sex}' for sex, count in sorted(sexes.items()))})" if sexes else ""
