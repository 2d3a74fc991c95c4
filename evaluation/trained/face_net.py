"""Training a face net on a corpus's real faces, whole or its last layers only: once, then kept by content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor
from torch.nn import functional as F

from evaluation.cache import cache_folder, file_checksum, read_kept, write_atomically
from evaluation.face_nets.base import FaceNet
from evaluation.faces import check_faces
from evaluation.progress import Progress

RESULTS_VERSION = 1  # raise when training changes, so that nets kept by older code are not taken for this one's
BATCH_SIZE = 32
PIXELS_AT_ONCE = 256 * 64**2
LEARNING_RATE = 2e-3  # of a net from scratch; one that starts from a weight file wants less


def trained_face_net(
    net_class: type[FaceNet],
    faces: np.ndarray,
    labels: np.ndarray,
    seed: int = 0,
    steps: int | None = None,
    device: str = "cpu",
    tuned: Sequence[str] = (),
    learning_rate: float = LEARNING_RATE,
    **net_arguments: Any,
) -> tuple[FaceNet, str]:
    """A net trained on these faces, and the checksum of its weights; trained once for the same arguments and content.

    faces: uint8 (T, H, W, 3). labels: int (T,), any numbers; logit i belongs to the i-th of the distinct ones, sorted.
    tuned, learning_rate: as train_face_net has them; only the layers that were trained are kept on disk.
    net_arguments: for net_class, besides num_identities; of a weight file, `weights`, the content counts, not the path.
    The net is frozen and in evaluation mode.
    """
    identities = _check(faces, labels)
    architecture = f"{net_class.__module__}.{net_class.__qualname__}"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = net_class(num_identities=identities, **net_arguments)
    trained = _tuned_parameters(net, tuned)

    told = dict(net_arguments)
    if told.get("weights") is not None:
        told["weights"] = file_checksum(Path(told["weights"]))
    recipe = [architecture, told, seed, steps, RESULTS_VERSION]
    if tuned or learning_rate != LEARNING_RATE:  # so that nets kept before there were these arguments are still found
        recipe += [sorted(tuned), learning_rate]
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode())
    digest.update(str(faces.shape).encode() + np.ascontiguousarray(faces).tobytes())
    digest.update(np.unique(labels, return_inverse=True)[1].astype(np.int64).tobytes())
    path = cache_folder("face_nets") / f"{net_class.__name__.lower()}-{digest.hexdigest()[:16]}.safetensors"

    net = net.to(torch.device(device))
    frozen = {name for name, _ in net.named_parameters()} - trained
    if not _load(net, path, frozen):
        print(
            f"Training a face net ({net_class.__name__}) to name {identities} people by {len(faces)} real faces, "
            f"{steps or default_steps(len(faces))} steps: once for these faces, then kept in {path.parent}",
            flush=True,
        )
        train_face_net(net, faces, labels, seed, steps, learning_rate=learning_rate, tuned=tuned)
        state = {name: value.contiguous() for name, value in net.state_dict().items() if name not in frozen}
        write_atomically(path, lambda file: file.write(save(state)))
    return net.requires_grad_(False).eval(), weights_checksum(net)


def train_face_net(
    net: FaceNet,
    faces: np.ndarray,
    labels: np.ndarray,
    seed: int = 0,
    steps: int | None = None,
    batch_size: int = BATCH_SIZE,
    learning_rate: float = LEARNING_RATE,
    tuned: Sequence[str] = (),
) -> FaceNet:
    """Train `net` in place to name these faces, and return it, frozen and in evaluation mode.

    faces: uint8 (T, H, W, 3). labels: int (T,), any numbers; logit i belongs to the i-th of the distinct ones, sorted.
    steps: of the optimiser; by default 300, more from 800 faces on (12 passes over the faces).
    tuned: the layers that are trained, such as ["fc7", "fc8"], the others staying as they are; none named means all.
    The pictures are turned, moved, mirrored, relit, blurred and made noisy, so that the net knows the person in other
    pictures, and in drawn ones. The same seed gives the same net (same processor type and number of threads).
    Shows a progress bar on a terminal.
    Raises ValueError if faces and labels do not fit, the net has another number of identities, or no layer so named.
    """
    identities = _check(faces, labels)
    if net.num_identities != identities:
        raise ValueError(f"labels: {identities} identities, but the net names {net.num_identities}.")
    steps = steps if steps is not None else default_steps(len(faces), batch_size)
    device = next(net.parameters()).device
    pictures = _resize(faces, net.input_size)
    targets = torch.from_numpy(np.unique(labels, return_inverse=True)[1].astype(np.int64))
    generator = torch.Generator().manual_seed(seed)
    order = _draw(len(faces), steps * batch_size, generator).view(steps, batch_size)

    trained = _tuned_parameters(net, tuned)
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(name in trained)
    net.train()
    for layer in net.children():  # what stays as it is keeps its batch statistics too
        layer.train(all(parameter.requires_grad for parameter in layer.parameters()))
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], learning_rate, weight_decay=0.01)
    # With fewer than ten steps the warm-up would be shorter than one.
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=max(steps, 10), pct_start=0.2)
    with torch.random.fork_rng(devices=[]):  # dropout draws from torch's own state
        torch.manual_seed(seed)
        for step in Progress(range(steps), desc="face net", unit="step", leave=False):
            chosen = order[step]
            images = augment(pictures[chosen].float() / 255, generator).to(device)
            loss = F.cross_entropy(net(images), targets[chosen].to(device), label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.requires_grad_(False).eval()


def default_steps(faces: int, batch_size: int = BATCH_SIZE) -> int:
    """Steps that a net from scratch is given: 300, more from 800 faces on (12 passes over them)."""
    return max(300, 12 * faces // batch_size)


@torch.no_grad()
def name_faces(net: FaceNet, faces: np.ndarray, batch_size: int | None = None) -> np.ndarray:
    """uint8 (N, H, W, 3) -> int (N,), the likeliest identity of each face, as the net numbers them.

    batch_size: by default 256 for a net that sees 64 pixels, fewer for one that sees more.
    """
    batch_size = batch_size or max(1, PIXELS_AT_ONCE // net.input_size**2)
    device = next(net.parameters()).device
    names = [
        net(torch.from_numpy(faces[start : start + batch_size]).to(device).movedim(-1, 1).float() / 255).argmax(1).cpu()
        for start in range(0, len(faces), batch_size)
    ]
    return torch.cat(names).numpy() if names else np.zeros(0, dtype=np.int64)


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Float (B, 3, H, W) in [0, 1] -> the same, changed as another picture, or a drawn one, of the person might be."""

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(len(images), *shape, generator=generator)

    one = (1, 1, 1)
    images = torch.where(uniform(0, 1, *one) < 0.5, images.flip(3), images)
    angle, scale = uniform(-0.12, 0.12), uniform(0.92, 1.08)
    shift_x, shift_y = uniform(-0.08, 0.08), uniform(-0.08, 0.08)
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    rows = [torch.stack([cosine, -sine, shift_x], 1), torch.stack([sine, cosine, shift_y], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    mean = images.mean((1, 2, 3), keepdim=True)
    images = mean + uniform(-0.1, 0.1, *one) + (images - mean) * uniform(0.75, 1.25, *one)
    blurred = F.avg_pool2d(images, 3, 1, 1, count_include_pad=False)
    images = images + (blurred - images) * uniform(-1, 1, *one).clamp(min=0)
    noise = torch.randn(images.shape, generator=generator)
    return (images + noise * uniform(0, 0.04, *one)).clamp(0, 1)


def _check(faces: np.ndarray, labels: np.ndarray) -> int:
    check_faces(faces, "faces")
    if labels.shape != (len(faces),) or not len(faces):
        raise ValueError(f"labels: shape {labels.shape}; one for each of {len(faces)} faces, at least one, is needed.")
    return len(np.unique(labels))


def _resize(faces: np.ndarray, size: int) -> Tensor:
    """uint8 (T, H, W, 3) -> uint8 (T, 3, size, size), antialiased."""
    planar = torch.from_numpy(np.ascontiguousarray(faces)).movedim(-1, 1)
    if planar.shape[-2:] == (size, size):
        return planar.contiguous()
    parts = [
        F.interpolate(part.float(), (size, size), mode="bilinear", antialias=True).round().clamp(0, 255).byte()
        for part in planar.split(256)
    ]
    return torch.cat(parts)


def _draw(faces: int, count: int, generator: torch.Generator) -> Tensor:
    """`count` indices: whole permutations, end to end, so that every face is seen equally often."""
    passes = [torch.randperm(faces, generator=generator) for _ in range(-(-count // faces))]
    return torch.cat(passes)[:count]


def _tuned_parameters(net: FaceNet, tuned: Sequence[str]) -> set[str]:
    """The names of the parameters that training changes."""
    names = {name for name, _ in net.named_parameters()}
    layers = [name for name, _ in net.named_children()]
    if unknown := [layer for layer in tuned if layer not in layers]:
        raise ValueError(f"tuned: {', '.join(unknown)}; {type(net).__name__} has {', '.join(layers)}.")
    return {name for name in names if name.partition(".")[0] in tuned} if tuned else names


def _load(net: FaceNet, path: Path, frozen: set[str]) -> bool:
    """Fill all but the frozen parameters from a kept file; False if it is not there or is damaged (then it is made again)."""
    if not path.exists():
        return False
    content = read_kept(path).read()
    try:
        kept = load(content)
        net.load_state_dict({name: value for name, value in net.state_dict().items() if name in frozen} | kept)
    except (SafetensorError, RuntimeError):
        return False
    return True


def weights_checksum(net: FaceNet) -> str:
    """sha256 of a net's weights, hexadecimal."""
    digest = hashlib.sha256()
    for name, value in sorted(net.state_dict().items()):
        digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
