"""Do two splits hold the same sound? Exact runs of samples, and sound whose level, noise or coding differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gan.audit.base import Finding, Item, Names
from gan.audit.fingerprints import MOST_PARTNERS, matches
from gan.data.corpus import SAMPLE_RATE_HZ, SPLITS, Corpus
from gan.data.prepare.shared_audio import Meeting, SharedAudio

EXACT = "sample for sample"


class _Clips(Sequence[np.ndarray]):
    """The waveforms of a corpus, read when asked for."""

    def __init__(self, corpus: Corpus):
        self._corpus = corpus

    def __len__(self) -> int:
        return len(self._corpus.clips)

    def __getitem__(self, clip: Any) -> Any:
        return self._corpus.waveform(clip)


class _Between(SharedAudio):
    """The exact search, asked which clips of different splits share a run, and for how long."""

    def pairs(self, split: np.ndarray) -> Iterator[tuple[int, int, int]]:
        """(clip, clip of an earlier split, samples shared); a pair comes again for another offset.

        As of fingerprints, a clip is given up once it has MOST_PARTNERS.
        """
        seen: set[Meeting] = set()
        partners: dict[int, set[int]] = {}
        for entries in self._buckets():
            first = split[self._clip[entries]].min()
            found = [(int(self._clip[entry]), int(self._start[entry])) for entry in entries]
            for a, start in found:
                if split[a] == first or len(partners.get(a, ())) >= MOST_PARTNERS:
                    continue
                for b, other_start in found:
                    meeting = Meeting(a, b, start - other_start)
                    if split[b] < split[a] and meeting not in seen:
                        seen.add(meeting)
                        if runs := self._runs(meeting):
                            partners.setdefault(a, set()).add(b)
                            yield a, b, sum(length for _, length in runs)
                            if len(partners[a]) >= MOST_PARTNERS:
                                break


def check(corpus: Corpus) -> Finding:
    """Every clip that shares sound with clips of other splits, and with which."""
    clips, split, names = _Clips(corpus), corpus.clips["split"].astype(np.int64), Names(corpus)
    shared: dict[tuple[int, int], tuple[float, str]] = {}
    if len(np.unique(split)) > 1:
        for match in matches(clips, split):
            known, held_out = sorted((match.a, match.b), key=lambda clip: split[clip])
            shared[held_out, known] = match.seconds, f"by fingerprint, spike {match.spike:.2f}"
        for held_out, known, samples in _Between(clips).pairs(split):
            before, how = shared.get((held_out, known), (0.0, ""))
            seconds = samples / SAMPLE_RATE_HZ
            shared[held_out, known] = max(before, seconds) if how == EXACT else seconds, EXACT
    items, between = [], dict[tuple[int, int], set[int]]()
    # The held-out clip is the offender, and the training clip what it collides with.
    for (held_out, known), (seconds, how) in sorted(shared.items(), key=lambda entry: -entry[1][0]):
        other: Item = names.clip(known, 0)
        items.append(names.clip(held_out, seconds, f"{names.told(other)}, {how}"))
        between.setdefault((int(split[known]), int(split[held_out])), set()).add(held_out)
    notes = [
        f"{SPLITS[held_out]}: {len(which)} of {(split == held_out).sum()} clips hold sound of {SPLITS[known]}."
        for (known, held_out), which in sorted(between.items())
    ]
    return Finding(
        "shared_audio",
        "Do two splits hold the same sound?",
        leak=True,
        things="clips",
        unit="s shared",
        checked=len(corpus.clips),
        items=items,
        notes=notes,
    )
