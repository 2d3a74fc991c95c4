"""Share out recordings and speakers among the splits: whole, by seed, near the fractions asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

# The order in which held-out splits are filled: the one that is reported first.
HELD_OUT_SPEECH = ("unseen_speech", "val_speech")
LARGEST_HELD_OUT_SHARE = 0.5


def split_recordings(
    recordings: Sequence[Mapping[str, int]], val_fraction: float, unseen_fraction: float, seed: int
) -> list[str]:
    """A split (train, val_speech or unseen_speech) for each recording; every speaker keeps something to train on.

    recordings: for each, how many clips of which speaker it holds (more than one speaker where sound is shared).
    Each speaker's largest recording trains. Of the others, in an order drawn from the seed, one is held out if that
    brings its speakers nearer to the fraction of clips asked for. A speaker whose split is still empty then gives its
    smallest recording. At least half of every speaker's clips are trained on. Depends on nothing but the arguments.
    """
    check_fractions(val_fraction=val_fraction, unseen_fraction=unseen_fraction)
    totals = Counter[str]()
    for recording in recordings:
        totals.update(recording)
    splits = ["train"] * len(recordings)
    kept = {
        max((r for r in range(len(recordings)) if speaker in recordings[r]), key=lambda r: recordings[r][speaker])
        for speaker in sorted(totals)
    }
    order = [int(r) for r in np.random.default_rng(seed).permutation(len(recordings)) if r not in kept]
    held = Counter[str]()

    def may_go(r: int) -> bool:
        return splits[r] == "train" and all(
            held[s] + size <= LARGEST_HELD_OUT_SHARE * totals[s] for s, size in recordings[r].items()
        )

    for split, fraction in zip(HELD_OUT_SPEECH, (unseen_fraction, val_fraction), strict=True):
        filled = Counter[str]()

        def hold_out(r: int, split: str = split, filled: Counter[str] = filled) -> None:
            splits[r] = split
            held.update(recordings[r])
            filled.update(recordings[r])

        for r in order:
            gap = sum(fraction * totals[s] - filled[s] for s in recordings[r])
            if may_go(r) and sum(recordings[r].values()) < 2 * gap:
                hold_out(r)
        for speaker in sorted(totals) if fraction > 0 else ():
            if not filled[speaker]:
                spare = [r for r in order if set(recordings[r]) == {speaker} and may_go(r)]
                if spare:
                    hold_out(min(spare, key=lambda r, speaker=speaker: recordings[r][speaker]))  # type: ignore[misc]
    return splits


def split_speakers(speakers: Sequence[str], val_fraction: float, unseen_fraction: float, seed: int) -> dict[str, str]:
    """A split (train, val_speaker or unseen_speaker) for each speaker, fractions rounded to whole speakers.

    At least two speakers train where there are two (a mismatched face needs another speaker), so with few speakers the
    speaker splits are empty: unseen_speaker gives way last.
    """
    check_fractions(val_fraction=val_fraction, unseen_fraction=unseen_fraction)
    names = sorted(speakers)
    drawn = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    spare = max(0, len(names) - 2)
    num_unseen = min(spare, int(unseen_fraction * len(names) + 0.5))
    num_val = min(spare - num_unseen, int(val_fraction * len(names) + 0.5))
    split = dict.fromkeys(names, "train")
    split |= dict.fromkeys(drawn[:num_unseen], "unseen_speaker")
    split |= dict.fromkeys(drawn[num_unseen : num_unseen + num_val], "val_speaker")
    return split


def check_fractions(**fractions: float) -> None:
    """Raises ValueError if a fraction is negative or together they leave less than half to train on."""
    for name, fraction in fractions.items():
        if not 0 <= fraction <= LARGEST_HELD_OUT_SHARE:
            raise ValueError(f"{name}: {fraction} came; allowed is 0 to {LARGEST_HELD_OUT_SHARE}.")
    if sum(fractions.values()) > LARGEST_HELD_OUT_SHARE:
        raise ValueError(
            f"{' + '.join(fractions)}: {sum(fractions.values()):g} came; together at most "
            f"{LARGEST_HELD_OUT_SHARE} may be held out."
        )
