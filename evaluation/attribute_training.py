"""A net that tells a person's attributes from a face: trained on a corpus's real faces, once, then kept by content."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F
from tqdm import trange

from evaluation.cache import cache_folder, cached_features, write_atomically
from evaluation.face_nets.vgg import Vgg
from evaluation.face_training import weights_checksum
from evaluation.faces import check_faces, crop_and_resize

RESULTS_VERSION = 1  # raise when training changes, so that nets kept by older code are not taken for this one's
BATCH_SIZE = 32
LEARNING_RATE = 2e-3
WHOLE = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Head:
    """One attribute's outputs. classes: its values, sorted; of a number (), and then its mean and standard deviation."""

    name: str
    classes: tuple[str, ...]
    mean: float = 0.0
    deviation: float = 1.0

    @property
    def outputs(self) -> int:
        return len(self.classes) or 1

    def targets(self, said: Sequence[str]) -> np.ndarray:
        """What a corpus says, (N,) texts -> float64 (N,): the class's number, or the number; NaN where it is not known."""
        if self.classes:
            place = {value: float(at) for at, value in enumerate(self.classes)}
            return np.array([place.get(one, math.nan) for one in said])
        return np.array([math.nan if (value := number(one)) is None else value for one in said])

    def read(self, outputs: np.ndarray) -> np.ndarray:
        """The net's outputs, (N, outputs) -> float64 (N,): the likeliest class's number, or the number."""
        if self.classes:
            return outputs.argmax(axis=1).astype(np.float64)
        return outputs[:, 0].astype(np.float64) * self.deviation + self.mean


@dataclass(frozen=True)
class AttributeNet:
    """A trained net and what its outputs mean. label: for results rows and the cache."""

    net: Vgg
    heads: tuple[Head, ...]
    label: str

    def __call__(self, faces: np.ndarray) -> dict[str, np.ndarray]:
        """uint8 (N, H, W, 3) -> each attribute, float64 (N,), as Head.read gives it. Cached by content."""
        outputs = cached_features(faces, self.label, self._look, self.net.num_identities, progress="attributes")
        found, start = {}, 0
        for head in self.heads:
            found[head.name] = head.read(outputs[:, start : start + head.outputs])
            start += head.outputs
        return found

    @torch.no_grad()
    def _look(self, faces: np.ndarray) -> np.ndarray:
        device = next(self.net.parameters()).device
        return self.net(torch.from_numpy(faces).to(device).movedim(-1, 1).float() / 255).cpu().numpy()


def read_head(name: str, said: Sequence[str]) -> Head:
    """An attribute as the training speakers have it: a number where it has three or more values, all numbers; else classes."""
    values = sorted({one for one in said if one})
    numbers = [number(one) for one in said if one]
    known = [one for one in numbers if one is not None]
    if len(values) > 2 and len(known) == len(numbers):
        return Head(name, (), float(np.mean(known)), float(np.std(known)))
    return Head(name, tuple(values))


def number(text: str) -> float | None:
    """A finite number, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def trained_attribute_net(
    faces: np.ndarray,
    said: Mapping[str, Sequence[str]],
    seed: int = 0,
    steps: int | None = None,
    device: str = "cpu",
) -> AttributeNet:
    """A VGG-style net with an output for each number and each class; trained once for the same arguments and content.

    faces: uint8 (T, H, W, 3). said: attribute -> (T,) texts, what is known of each face's person; "" where nothing is.
    steps: of the optimiser; by default 600, more from 1600 faces on (12 passes over the faces).
    The pictures are moved, relit, blurred and made noisy a little, so that drawn ones are read as well; not mirrored nor
    scaled, as a parting or the head's size is an attribute. Shows a progress bar on a terminal.
    Raises ValueError if there are no faces, or what is said does not fit them.
    """
    check_faces(faces, "faces")
    if not len(faces) or not said or any(len(texts) != len(faces) for texts in said.values()):
        raise ValueError(f"said: every attribute needs a text for each of {len(faces)} faces, and one face at least.")
    heads = tuple(read_head(name, texts) for name, texts in said.items())
    targets = np.stack([head.targets(said[head.name]) for head in heads], axis=1)
    recipe = json.dumps([[[head.name, head.classes] for head in heads], seed, steps, RESULTS_VERSION])
    digest = hashlib.sha256(recipe.encode() + str(faces.shape).encode() + np.ascontiguousarray(faces).tobytes())
    digest.update(targets.tobytes())
    path = cache_folder("face_nets") / f"attributes-{digest.hexdigest()[:16]}.safetensors"

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Vgg(sum(head.outputs for head in heads))
        net = net.to(torch.device(device))
        if not _load(net, path):
            _train(net, faces, heads, targets, seed, steps or max(600, 12 * len(faces) // BATCH_SIZE))
            state = {name: value.contiguous() for name, value in net.state_dict().items()}
            write_atomically(path, lambda temporary: save_file(state, temporary))
    net.requires_grad_(False).eval()
    label = f"VGG-style attribute net, whole picture at {net.input_size} px, weights {weights_checksum(net)[:12]}"
    return AttributeNet(net, heads, label)


def _train(net: Vgg, faces: np.ndarray, heads: Sequence[Head], targets: np.ndarray, seed: int, steps: int) -> None:
    device = next(net.parameters()).device
    pictures = torch.cat(
        [
            crop_and_resize(torch.from_numpy(faces[start : start + 256]).movedim(-1, 1).float() / 255, WHOLE, net.input_size)
            for start in range(0, len(faces), 256)
        ]
    )
    wanted = torch.from_numpy(targets).float()
    generator = torch.Generator().manual_seed(seed)
    passes = -(-steps * BATCH_SIZE // len(faces))
    order = torch.cat([torch.randperm(len(faces), generator=generator) for _ in range(passes)])
    net.train()
    optimizer = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=0.05)
    # With fewer than ten steps the warm-up would be shorter than one.
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=max(steps, 10), pct_start=0.2)
    for step in trange(steps, desc="attribute net", unit="step", disable=None, leave=False):
        chosen = order[step * BATCH_SIZE : (step + 1) * BATCH_SIZE]
        images = _changed(pictures[chosen], generator).to(device)
        loss = _loss(net(images), wanted[chosen].to(device), heads)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def _loss(outputs: Tensor, wanted: Tensor, heads: Sequence[Head]) -> Tensor:
    """Mean over attributes: cross-entropy of classes, squared error of numbers in standard deviations; the unknown left out."""
    total, start = outputs.sum() * 0, 0
    for at, head in enumerate(heads):
        mine, target = outputs[:, start : start + head.outputs], wanted[:, at]
        start += head.outputs
        known = ~target.isnan()
        if not known.any():
            continue
        if head.classes:
            total = total + F.cross_entropy(mine[known], target[known].long())
        else:
            total = total + F.mse_loss(mine[known, 0], (target[known] - head.mean) / head.deviation)
    return total / len(heads)


def _changed(images: Tensor, generator: torch.Generator) -> Tensor:
    """Float (B, 3, H, W) in [0, 1] -> the same, moved by up to 3 %, relit, blurred or sharp, noisy."""

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(len(images), 1, 1, 1, generator=generator)

    rows = torch.eye(2, 3).repeat(len(images), 1, 1)
    rows[:, :, 2] = 0.12 * torch.rand(len(images), 2, generator=generator) - 0.06  # of half the picture
    grid = F.affine_grid(rows, list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    images = images * uniform(0.95, 1.05) + uniform(-0.02, 0.02)
    blurred = F.avg_pool2d(images, 3, 1, 1, count_include_pad=False)
    images = images + (blurred - images) * uniform(-1, 1).clamp(min=0)
    noise = torch.randn(images.shape, generator=generator)
    return (images + noise * uniform(0, 0.03)).clamp(0, 1)


def _load(net: Vgg, path: Path) -> bool:
    """Fill the net from a kept file; False if it is not there or is damaged (then it is made again)."""
    if not path.exists():
        return False
    try:
        net.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError):
        return False
    return True
