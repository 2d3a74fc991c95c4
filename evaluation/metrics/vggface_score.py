"""VGGFace Score: the inception score with a net that names faces, so that varied and nameable faces score high."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import torch
from scipy.special import entr, softmax

from evaluation.cache import cached_features
from evaluation.face_nets.base import VectorNet
from evaluation.faces import FaceBox
from evaluation.intervals.jackknife import spread_without
from evaluation.metrics.base import Metric, skip
from evaluation.trained.face_net import weights_checksum
from evaluation.trial import Score, Trial

NAME = "vggface_score"


class VggfaceScore(Metric):
    """exp of the mean Kullback-Leibler divergence of each face's named people from those of all; mean of five splits.

    network: a frozen net that names faces; as published, resnet50 with its weight file. Its key channel_order chooses the
    published order of colours or the right one. crop_face_box: judge the face box only; SF2F judges the whole picture,
    but in the evaluation that ends its training. splits: parts to which the faces are dealt, by the trial's seed.
    device: where the net runs.
    1 if all faces are named alike, at most the number of people the net knows. It grows with N: compare only at equal N,
    which the note gives. upper: the true faces, as many. The interval is a jackknife over speakers. It says nothing of
    whether a face is the right one.
    Source: SF2F_PyTorch scripts/compute_vggface_score.py; its deviation is over splits, and stands in the note.
    """

    def __init__(self, network: VectorNet, crop_face_box: bool = False, splits: int = 5, device: str = "cpu"):
        if splits < 1:
            raise ValueError(f"splits: {splits}; 1 or more.")
        self.network = network.to(torch.device(device)).requires_grad_(False).eval()
        self.crop_face_box, self.splits = crop_face_box, splits
        self._checksum = weights_checksum(self.network)[:12]

    def __call__(self, trial: Trial) -> list[Score]:
        label = self._label(trial.face_box)
        if len(trial.generated) < 2 * self.splits:
            why = f"{self.splits} splits need {2 * self.splits} faces, came {len(trial.generated)}"
            return [skip(NAME, why, label)]
        (value, deviation, interval), (upper, _, _) = (
            score(self._probabilities(faces, trial.face_box), self._deal(faces, trial.seed), trial.speaker)
            for faces in (trial.generated, trial.target)
        )
        return [
            Score(
                NAME,
                value,
                interval,
                upper=upper,
                extractor=label,
                note=f"N = {len(trial.generated)}; 1 where all faces are named alike; interval: jackknife over speakers; "
                f"deviation over {self.splits} splits: {deviation:.2g}",
            )
        ]

    def _label(self, face_box: FaceBox) -> str:
        """Names all that decides what the net says of a picture."""
        order = getattr(self.network, "channel_order", "rgb").upper()
        seen = f"face box {tuple(face_box)}" if self.crop_face_box else "whole picture"
        return (
            f"{type(self.network).__name__} naming {self.network.num_identities} people, {seen} at "
            f"{self.network.input_size} px, {order}, weights {self._checksum}"
        )

    def _deal(self, faces: np.ndarray, seed: int) -> np.ndarray:
        """(N,) split of each face. The order is by a hash of the picture and the seed, so that a list's order is nothing."""
        salt = str(seed).encode()
        keys = [hashlib.sha256(salt + np.ascontiguousarray(face).tobytes()).digest() for face in faces]
        order = np.array(sorted(range(len(faces)), key=keys.__getitem__))
        split = np.empty(len(faces), dtype=np.int64)
        for at in range(self.splits):
            split[order[at * len(faces) // self.splits : (at + 1) * len(faces) // self.splits]] = at
        return split

    @torch.no_grad()
    def _probabilities(self, faces: np.ndarray, face_box: FaceBox) -> np.ndarray:
        """uint8 (N, H, W, 3) -> float64 (N, people). The net's vectors are kept, being shorter than what it makes of them."""
        device = next(self.network.parameters()).device

        def vectors(pictures: np.ndarray) -> np.ndarray:
            images = torch.from_numpy(pictures).to(device).movedim(-1, 1).float() / 255
            return self.network.vector(_crop(images, face_box) if self.crop_face_box else images).cpu().numpy()

        label = f"vector, {self._label(face_box)}"
        kept = cached_features(faces, label, vectors, self.network.vector_dim, batch_size=32, progress="faces named")
        logits = [
            self.network.name(torch.relu(torch.from_numpy(part).to(device))).cpu().numpy()
            for part in np.array_split(kept, -(-len(kept) // 256))
        ]
        return softmax(np.concatenate(logits).astype(np.float64), axis=1)


def score(probabilities: np.ndarray, split: np.ndarray, speaker: np.ndarray) -> tuple[float, float, tuple[float, float]]:
    """Mean and deviation over splits of exp(mean over faces of KL(p || mean p)), and a 95 % jackknife interval of the mean.

    probabilities: float64 (N, people), each face's. split, speaker: int (N,). The interval leaves out each speaker in turn,
    while the other faces stay in their splits; NaN where a split has no other speaker.
    """
    speakers, splits = np.unique(speaker), np.unique(split)
    entropy = entr(probabilities).sum(1)
    whole = np.zeros(len(splits))
    without = np.full((len(speakers), len(splits)), math.nan)
    for at, number in enumerate(splits):
        dealt = split == number
        count, total, uncertain = dealt.sum(), probabilities[dealt].sum(0), entropy[dealt].sum()
        whole[at] = _exp_divergence(total / count, uncertain / count)
        for row, left_out in enumerate(speakers):
            theirs = dealt & (speaker == left_out)
            if rest := count - theirs.sum():
                mean = (total - probabilities[theirs].sum(0)).clip(min=0) / rest
                without[row, at] = _exp_divergence(mean, (uncertain - entropy[theirs].sum()) / rest)
    value, deviation = float(whole.mean()), float(whole.std())
    if np.isnan(without).any():
        return value, deviation, (math.nan, math.nan)
    low, high = spread_without(value, without.mean(1))
    return value, deviation, (max(1.0, low), high)


def _exp_divergence(mean: np.ndarray, entropy: float) -> float:
    """exp of the mean of KL(p || m), m the mean (people,) of p: the entropy of m less the mean entropy of p."""
    return float(np.exp(entr(mean).sum() - entropy))


def _crop(images: torch.Tensor, face_box: FaceBox) -> torch.Tensor:
    """The box cut at whole pixels, the last ones included, as SF2F does; the net resizes what is left."""
    left, top, right, bottom = face_box
    height, width = images.shape[-2:]
    return images[..., int(top * height) : int(bottom * height) + 1, int(left * width) : int(right * width) + 1]
