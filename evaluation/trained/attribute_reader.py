"""Reading a person's attributes off a face: linear regression, fitted to a corpus's real faces.

On the toy world's demo corpus (60 training speakers) it reads the attributes of new people with a mean correlation of 0.79; a
VGG-style net trained on the same faces reaches 0.57 and takes a thousand times as long: with so few people it memorises them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from evaluation.faces import FaceBox, check_faces, crop_and_resize
from evaluation.landmarks import landmarks68

PICTURE_SIZE, BOX_SIZE = 16, 32  # pixels, of the whole picture and of the face box
WHOLE = (0.0, 0.0, 1.0, 1.0)
FLOOR = 1e-3  # of a feature's deviation, so that what is white in all training faces does not decide when it is not
PENALTIES = tuple(10.0 ** np.arange(-3, 1.1, 0.5))
FOLDS = 5
MOST = 2000  # training faces used: the time grows with their cube
_Linear = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Head:
    """One attribute's outputs. classes: its values, sorted; () of a number."""

    name: str
    classes: tuple[str, ...]

    def targets(self, said: Sequence[str]) -> np.ndarray:
        """What a corpus says, (N,) texts -> float64 (N,): the class's number, or the number; NaN where it is not known."""
        if self.classes:
            place = {value: float(at) for at, value in enumerate(self.classes)}
            return np.array([place.get(one, math.nan) for one in said])
        return np.array([math.nan if (value := number(one)) is None else value for one in said])

    def columns(self, targets: np.ndarray) -> np.ndarray:
        """Known targets (N,) -> what is regressed, (N, columns): the number in its own unit, or an indicator of each class."""
        return np.eye(len(self.classes))[targets.astype(np.int64)] if self.classes else targets[:, None]

    def read(self, columns: np.ndarray) -> np.ndarray:
        """Regressed columns -> float64 (N,): the likeliest class's number, or the number."""
        return columns.argmax(axis=1).astype(np.float64) if self.classes else columns[:, 0]


class AttributeReader:
    """Ridge regression of each attribute on the 68 landmarks, the whole picture at 16 px and the face box at 32 px.

    faces: uint8 (T, H, W, 3), speaker: (T,), whose. said: attribute -> (T,) texts, what is known of each face's person; ""
    where nothing is. Above MOST faces every n-th is used. The penalty is each attribute's best in five-fold cross-validation
    that leaves out whole speakers. label: for results rows.
    Raises ValueError if there are no faces, what is said does not fit them, or an attribute has fewer than two values.
    """

    def __init__(self, faces: np.ndarray, speaker: np.ndarray, said: Mapping[str, Sequence[str]], face_box: FaceBox):
        check_faces(faces, "faces")
        if not len(faces) or any(len(texts) != len(faces) for texts in said.values()):
            raise ValueError(f"said: every attribute needs a text for each of {len(faces)} faces, and one face at least.")
        kept = np.argsort(speaker, kind="stable")[:: -(-len(faces) // MOST)]
        faces, speaker = faces[kept], speaker[kept]
        self.face_box = face_box
        self.heads = tuple(read_head(name, texts) for name, texts in said.items())
        targets = {head.name: head.targets([said[head.name][at] for at in kept]) for head in self.heads}

        raw = _blocks(faces, face_box)
        self._centres = [block.mean(axis=0) for block in raw]
        self._scales = [(block.std(axis=0) + FLOOR) * math.sqrt(block.shape[1]) for block in raw]
        features = self._standardised(raw)
        self._weights: dict[str, _Linear] = {}
        known = {name: np.isfinite(values) for name, values in targets.items()}
        # Attributes known of the same faces are fitted together: what takes time is the same for all of them.
        for same in {mask.tobytes(): mask for mask in known.values()}.values():
            heads = [head for head in self.heads if np.array_equal(known[head.name], same)]
            wanted = {head.name: head.columns(targets[head.name][same]) for head in heads}
            self._weights |= _fit(features[same], wanted, speaker[same])
        digest = hashlib.sha256(np.ascontiguousarray(faces).tobytes())
        for head in self.heads:
            digest.update(f"{head.name} {head.classes}".encode() + targets[head.name].tobytes())
        self.label = (
            f"linear reader of dlib 68 landmarks, picture at {PICTURE_SIZE} px, face box at {BOX_SIZE} px, "
            f"fitted to {len(faces)} real faces {digest.hexdigest()[:12]}"
        )

    def __call__(self, faces: np.ndarray) -> dict[str, np.ndarray]:
        """uint8 (N, H, W, 3) -> each attribute, float64 (N,), as Head.read gives it."""
        features = self._standardised(_blocks(faces, self.face_box))
        found = {}
        for head in self.heads:
            weights, offset = self._weights[head.name]
            found[head.name] = head.read(features @ weights + offset)
        return found

    def _standardised(self, blocks: Sequence[np.ndarray]) -> np.ndarray:
        """Each block has the same say, however many numbers it has."""
        scaled = zip(blocks, self._centres, self._scales, strict=True)
        return np.concatenate([(block - centre) / scale for block, centre, scale in scaled], axis=1)


def read_head(name: str, said: Sequence[str]) -> Head:
    """An attribute as the training speakers have it: a number where it has three or more values, all numbers; else classes."""
    values = sorted({one for one in said if one})
    if len(values) < 2:
        raise ValueError(f"{name}: {len(values)} value among the training speakers; two or more can be told apart.")
    if len(values) > 2 and all(number(one) is not None for one in values):
        return Head(name, ())
    return Head(name, tuple(values))


def number(text: str) -> float | None:
    """A finite number, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _blocks(faces: np.ndarray, face_box: FaceBox) -> list[np.ndarray]:
    """uint8 (N, H, W, 3) -> landmarks (N, 136), picture (N, 768) and face box (N, 3072), float64."""
    pictures: list[list[np.ndarray]] = [[], []]
    for start in range(0, len(faces), 256):
        planar = torch.from_numpy(np.ascontiguousarray(faces[start : start + 256])).movedim(-1, 1).float() / 255
        for kept, box, size in zip(pictures, (WHOLE, face_box), (PICTURE_SIZE, BOX_SIZE), strict=True):
            kept.append(crop_and_resize(planar, box, size).flatten(1).numpy().astype(np.float64))
    sizes = (3 * PICTURE_SIZE**2, 3 * BOX_SIZE**2)
    resized = [np.concatenate(kept) if kept else np.zeros((0, size)) for kept, size in zip(pictures, sizes, strict=True)]
    return [landmarks68(faces, face_box).reshape(len(faces), 2 * 68).astype(np.float64), *resized]


def _fit(features: np.ndarray, wanted: Mapping[str, np.ndarray], speaker: np.ndarray) -> dict[str, _Linear]:
    """Weights (D, columns) and offset (columns,) of each attribute: ridge regressions on the same faces. wanted: (N, columns)."""
    fold = np.unique(speaker, return_inverse=True)[1] % FOLDS
    products = features @ features.T
    error = {name: np.zeros(len(PENALTIES)) for name in wanted}
    for left in (fold == one for one in range(FOLDS)):
        if left.all() or not left.any():
            continue
        values, vectors = np.linalg.eigh(products[np.ix_(~left, ~left)])
        answers = products[np.ix_(left, ~left)] @ vectors
        for name, columns in wanted.items():
            offset = columns[~left].mean(axis=0)
            turned = vectors.T @ (columns[~left] - offset)
            for at, penalty in enumerate(PENALTIES):
                error[name][at] += np.square(answers @ _shrunk(turned, values, penalty) + offset - columns[left]).sum()
    values, vectors = np.linalg.eigh(products)
    fitted = {}
    for name, columns in wanted.items():
        offset = columns.mean(axis=0)
        turned = vectors.T @ (columns - offset)
        fitted[name] = (features.T @ (vectors @ _shrunk(turned, values, PENALTIES[error[name].argmin()])), offset)
    return fitted


def _shrunk(turned: np.ndarray, values: np.ndarray, penalty: float) -> np.ndarray:
    return turned / (np.maximum(values, 0)[:, None] + penalty)
