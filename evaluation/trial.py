"""What a metric sees (Trial), and what it says (Score)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from evaluation.faces import FaceBox, check_face_box, check_faces


@dataclass(frozen=True)
class Trial:
    """One system's faces for one split, and the real faces to hold them against. All a metric may see.

    N generated faces = runs x speakers, one random crop of speech each; G and T real faces. Pictures are uint8
    (., H, W, 3) RGB, all of one size. Speakers are the corpus's own numbers, the same in all three sets.

    generated, speaker, clip, run: (N, ...) the faces drawn, whose speech they were drawn from, which clip, which run.
    target: (N, H, W, 3), the true face that goes with each generated one.
    gallery, gallery_speaker: real faces of the speakers of this split, from held-out recordings where it splits speech.
    training, training_speaker: real faces of the training speakers, from training recordings.
    face_box: (left, top, right, bottom) as fractions of the picture, where the face itself lies.
    attributes: what is known of a speaker, such as sex, as text; of nobody where the corpus says nothing.
    again: (N, H, W, 3), the same speech drawn once more with other noise; None where no metric asked for it.
    Raises ValueError where shapes or types do not fit together.
    """

    generated: np.ndarray
    speaker: np.ndarray
    clip: np.ndarray
    run: np.ndarray
    target: np.ndarray
    gallery: np.ndarray
    gallery_speaker: np.ndarray
    training: np.ndarray
    training_speaker: np.ndarray
    split: str
    face_box: FaceBox
    seed: int = 0
    attributes: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    again: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name in ("generated", "gallery", "training"):
            labels = "speaker" if name == "generated" else f"{name}_speaker"
            faces, owners = getattr(self, name), getattr(self, labels)
            check_faces(faces, name)
            if owners.shape != (len(faces),):
                raise ValueError(f"{labels}: shape {owners.shape}, but {name} holds {len(faces)} faces.")
            if len(faces) and faces.shape[1:] != self.generated.shape[1:]:
                raise ValueError(
                    f"{name}: faces of {faces.shape[1]}x{faces.shape[2]} px, generated ones of "
                    f"{self.generated.shape[1]}x{self.generated.shape[2]} px. Bring both to one size."
                )
        if self.target.shape != self.generated.shape or self.target.dtype != np.uint8:
            raise ValueError(
                f"target: {self.target.dtype} {self.target.shape}; one uint8 face for each generated one is "
                f"needed, {self.generated.shape}."
            )
        if self.again is not None and (self.again.shape != self.generated.shape or self.again.dtype != np.uint8):
            raise ValueError(f"again: {self.again.dtype} {self.again.shape}; it must be like generated, {self.generated.shape}.")
        for name in ("clip", "run"):
            if getattr(self, name).shape != self.speaker.shape:
                raise ValueError(f"{name}: shape {getattr(self, name).shape}, but {len(self.speaker)} faces.")
        check_face_box(self.face_box)


@dataclass(frozen=True)
class Score:
    """One number with what is needed to judge it.

    metric: name with its setting, such as "recall@10". value: NaN where skipped; note then says why.
    interval: 95 %, clustered by speaker; NaN where there are too few speakers.
    chance: what knowing nothing scores. upper: the same metric on real faces. Either may be None.
    extractor: the frozen nets behind the number: name, threshold, upsampling, weight checksum; "" where none.
    items: (N,) one value per generated face, NaN where that face could not be scored; or None.
    details: more that is stored beside the items, (N, ...) each, such as whom a classifier took a face for.
    """

    metric: str
    value: float
    interval: tuple[float, float] = (math.nan, math.nan)
    chance: float | None = None
    upper: float | None = None
    extractor: str = ""
    items: np.ndarray | None = field(default=None, repr=False, compare=False)
    details: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)
    note: str = ""
    higher_is_better: bool = True

    @property
    def skipped(self) -> bool:
        return math.isnan(self.value)
