"""Small people for the tests: each a smooth picture of its own, and judges cheap enough to run everywhere."""

from __future__ import annotations

import numpy as np

from evaluation.detectors.base import Detector
from evaluation.extractors.base import Classifier
from evaluation.trial import Trial

BOX = (0.25, 0.25, 0.75, 0.75)


def person(speaker: int, pictures: int, size: int = 32, seed: int = 0) -> np.ndarray:
    """uint8 (pictures, size, size, 3): one person's coarse pattern under slightly changing light and noise."""
    coarse = np.random.default_rng(1000 + speaker).uniform(40, 215, (8, 8, 3))
    rng = np.random.default_rng([seed, speaker])
    light = rng.normal(0, 4, (pictures, 1, 1, 1))
    faces = np.kron(coarse, np.ones((size // 8, size // 8, 1))) + light
    return np.clip(faces + rng.normal(0, 4, (pictures, size, size, 3)), 0, 255).astype(np.uint8)


def trial(speakers: int = 12, runs: int = 3, shift: int = 0, seen: bool = True, size: int = 32, **changes) -> Trial:
    """A system that draws a new picture of the person `shift` places further on: 0 is right, anything else is wrong."""
    people = np.arange(speakers)
    drawn = np.stack([person((one + shift) % speakers, runs, size, seed=3) for one in people], axis=1)
    gallery = np.concatenate([person(one, 3, size, seed=1) for one in people])
    trained = people if seen else people + speakers
    speaker, run = np.tile(people, runs), np.repeat(np.arange(runs), speakers)
    content = dict(
        generated=drawn.reshape(-1, size, size, 3),
        speaker=speaker,
        clip=10 * speaker + run,
        run=run,
        target=gallery[3 * speaker],
        gallery=gallery,
        gallery_speaker=np.repeat(people, 3),
        training=np.concatenate([person(one, 3, size, seed=2) for one in trained]),
        training_speaker=np.repeat(trained, 3),
        split="unseen_speech" if seen else "unseen_speaker",
        face_box=BOX,
        seed=0,
        attributes={one: said(one) for one in np.unique(np.concatenate([people, trained])).tolist()},
    )
    content |= changes
    # The same request drawn again: a little lighter, from the picture itself, so that it goes wherever that goes.
    if "again" not in content:
        content["again"] = np.clip(content["generated"].astype(int) + 3, 0, 255).astype(np.uint8)
    return Trial(**content)


def said(speaker: int) -> dict[str, str]:
    """What the corpus says of a person, unrelated to how they look: three of each sex in turn, and how high they are."""
    return {"sex": "fffmmm"[speaker % 6], "height": f"{150 + (37 * speaker) % 47}"}


class Pooled(Classifier):
    """The picture's mean colours in 4 x 4 fields, centred; its classes: which field is brightest in which colour."""

    name, label, dim, classes = "pooled", "mean colours", 48, 48

    def embed(self, images, face_box):
        count, size = len(images), images.shape[1] // 4
        fields = images.reshape(count, 4, size, 4, size, 3).mean(axis=(2, 4))
        return (fields.reshape(count, -1) / 127.5 - 1).astype(np.float32)

    def logits(self, features):
        return 4 * features.astype(np.float64)


class Bright(Detector):
    """Finds a face wherever the picture is not black."""

    name, label = "bright", "brightness above 10"

    def detect(self, images):
        return images.mean(axis=(1, 2, 3)) > 10
