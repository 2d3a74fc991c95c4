"""What goes into a corpus: recordings of one person each, with their clips and faces, which are read when they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Clip:
    """A stretch of one person's speech.

    key: what its source calls it. load: gives its int16 (S,) samples, mono at 16 kHz. samples: S.
    digest: of its samples; equal ones are never parted. face: position in its recording of the face seen while this was said.
    facts: what the corpus keeps beside it (gan/data/corpus.py).
    """

    key: str
    load: Callable[[], np.ndarray]
    samples: int
    digest: str
    face: int | None = None
    facts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Face:
    """A picture of one person. load: gives uint8 (H, W, 3) RGB. The rest as of a clip."""

    key: str
    load: Callable[[], np.ndarray]
    digest: str
    facts: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Recording:
    """What one person says and shows in one film; or pictures of no film.

    name: the source's own. film: "" where there is none. split: one of gan/data/corpus.py's, once it is drawn.
    """

    person: str
    name: str
    film: str
    clips: list[Clip] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)
    split: str = ""
