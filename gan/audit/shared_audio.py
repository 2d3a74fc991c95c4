"""Do two splits hold the same sound? Exact runs of samples, and sound whose level, noise or coding differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from gan.audit.base import Finding, Item, Names
from gan.audit.fingerprints import matches
from gan.data.corpus import SAMPLE_RATE_HZ, SPLITS, Corpus
from gan.data.prepare.shared_audio import Meeting, SharedAudio


class _Clips(Sequence):
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
        """(clip, clip of another split, samples shared); a pair comes again for another offset."""
        seen: set[Meeting] = set()
        for entries in self._buckets():
            if len(np.unique(split[self._clip[entries]])) == 1:
                continue
            found = sorted({(int(self._clip[entry]), int(self._start[entry])) for entry in entries})
            for (a, start), (b, other_start) in combinations(found, 2):
                meeting = Meeting(a, b, start - other_start)
                if split[a] != split[b] and meeting not in seen:
                    seen.add(meeting)
                    if runs := self._runs(meeting):
                        yield a, b, sum(length for _, length in runs)


def check(corpus: Corpus) -> Finding:
    """Every clip that shares sound with a clip of another split, and with which it shares most."""
    clips, split, names = _Clips(corpus), corpus.clips["split"].astype(np.int64), Names(corpus)
    shared: dict[tuple[int, int], tuple[float, str]] = {}
    found = list(matches(clips, split)) if len(np.unique(split)) > 1 else []
    for match in found:
        shared[match.a, match.b] = match.seconds, f"by fingerprint, spike {match.spike:.2f}"
    if len(np.unique(split)) > 1:
        for a, b, samples in _Between(clips).pairs(split):
            before, how = shared.get((a, b), (0.0, ""))
            seconds = samples / SAMPLE_RATE_HZ
            shared[a, b] = (seconds, "sample for sample") if how != "sample for sample" else (max(before, seconds), how)
    items, between = [], dict[tuple[int, int], set[int]]()
    # The held-out clip is the offender, and the training clip what it collides with.
    for (a, b), (seconds, how) in sorted(shared.items(), key=lambda entry: -entry[1][0]):
        known, held_out = sorted((a, b), key=lambda clip: (split[clip], clip))
        other: Item = names.clip(known, 0)
        items.append(names.clip(held_out, seconds, f"{names.told(other)}, {how}"))
        between.setdefault((int(split[known]), int(split[held_out])), set()).add(held_out)
    notes = [f"{SPLITS[held_out]}: {len(which)} of {(split == held_out).sum()} clips hold sound of {SPLITS[known]}."
             for (known, held_out), which in sorted(between.items())]
    return Finding("shared_audio", "Do two splits hold the same sound?", leak=True, things="clips", unit="s shared",
                   checked=len(corpus.clips), items=items, notes=notes)
