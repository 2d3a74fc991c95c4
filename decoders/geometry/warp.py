"""Sparse image warp: some points move, and the picture follows smoothly. Differentiable in picture and points.

After Cole et al. (CVPR 2017) and Duchon's polyharmonic splines; written from the formulas of the interpolant.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# Added to every squared distance (in the scaled coordinates), so that roots and logarithms have a slope at zero.
_NEAREST = 1e-10


def warp(
    image: Tensor, source: Tensor, destination: Tensor, order: int = 1, regularisation: float = 0.0, border: int = 0
) -> Tensor:
    """Move points of a picture from source to destination; what lies between them moves along.

    image: (B, 3, H, W), any number of channels. source, destination: (B, n, 2), or (n, 2) if the batch shares them; x then y, in
    pixels, 0 being the centre of the first column or row. Returns (B, 3, H, W), float32 at least; outside the picture its edge
    continues.

    With the flow f_i = destination_i - source_i at c_i = destination_i, and zero flow at the border points, the flow anywhere is
    g(q) = sum_i w_i phi(|q - c_i|) + a.q + d with sum w_i = 0 and sum w_i c_i = 0; w, a, d solve (A + s I) w + a.c + d = f,
    A_ij = phi(|c_i - c_j|). Output pixel p is the picture at p - g(p), bilinearly.

    order: 1 to 3, phi = -r, r^2 ln r, r^3. Each sign makes A positive definite under the constraints, so that for every order a
        regularisation above 0 smooths: it is s, in pixels to the power of `order`, and the points then arrive only nearly.
    border: how many points each edge adds that stay where they are, one corner included: 4 * border in all.

    The system is set up in coordinates scaled to [-1, 1] (s with them) and solved in float64: in pixels its condition number
    grows to 4e15 at order 3. The dense evaluation, H * W * n kernel values an item, stays in the picture's type but for order 3,
    whose weights cancel in float32 where points lie close. Where the batch shares the destination, system and kernel values are
    made once.

    Raises ValueError for shapes that do not fit, points that coincide, and points that all lie on one line.
    """
    _check(image, source, destination, order, regularisation, border)
    batch, _, height, width = image.shape
    with torch.autocast(image.device.type, enabled=False):  # bfloat16 has 8 bits, a position needs more
        image = image if image.dtype == torch.float64 else image.float()
        precise = torch.float64 if order == 3 else image.dtype
        flow = _flow(source, destination, (height, width), order, regularisation, border, precise).to(image.dtype)
        rows = torch.arange(height, dtype=image.dtype, device=image.device)
        columns = torch.arange(width, dtype=image.dtype, device=image.device)
        x, y = columns - flow[:, 0], rows[:, None] - flow[:, 1]
        # grid_sample counts from -1 at the centre of the first pixel to 1 at that of the last.
        grid = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], dim=-1)
        return F.grid_sample(image, grid.expand(batch, -1, -1, -1), mode="bilinear", padding_mode="border", align_corners=True)


def border_points(height: int, width: int, border: int) -> Tensor:
    """(4 * border, 2), x then y in pixels: the corners and border - 1 evenly spaced points inside each edge."""
    steps = torch.arange(border, dtype=torch.float64) / max(border, 1)
    right, bottom = width - 1, height - 1
    zero = torch.zeros_like(steps)
    edges = [
        (steps * right, zero),
        (zero + right, steps * bottom),
        (right - steps * right, zero + bottom),
        (zero, bottom - steps * bottom),
    ]  # once round, clockwise from the top left corner
    return torch.cat([torch.stack(edge, dim=-1) for edge in edges])


def _flow(
    source: Tensor, destination: Tensor, size: tuple[int, int], order: int, regularisation: float, border: int, dtype: torch.dtype
) -> Tensor:
    """The dense flow g on the pixels, (B, 2, H, W), x then y, in pixels; B is 1 where the batch shares all points."""
    height, width = size
    source, destination = (points.double().reshape(-1, *points.shape[-2:]) for points in (source, destination))
    fixed = border_points(height, width, border).to(destination.device)
    centre = torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=torch.float64, device=destination.device)
    scale = max(height - 1, width - 1) / 2
    controls = (torch.cat([destination, fixed.expand(len(destination), -1, -1)], dim=1) - centre) / scale
    values = F.pad(destination - source, (0, 0, 0, len(fixed)))
    weights, linear = solve(controls, values, order, regularisation / scale**order)

    x = (torch.arange(width, dtype=dtype, device=controls.device) - centre[0].to(dtype)) / scale
    y = (torch.arange(height, dtype=dtype, device=controls.device) - centre[1].to(dtype)) / scale
    near, weights, linear = controls.to(dtype), weights.to(dtype), linear.to(dtype)
    across = (x - near[:, :, 0, None]).square()  # (B, n, W)
    down = (y - near[:, :, 1, None]).square()  # (B, n, H)
    kernel = _phi(down[:, :, :, None] + across[:, :, None, :], order)
    curved = (weights.mT @ kernel.flatten(2)).unflatten(2, size)
    flat = linear[:, 0, :, None, None] * x + linear[:, 1, :, None, None] * y[:, None] + linear[:, 2, :, None, None]
    return curved + flat


def solve(controls: Tensor, values: Tensor, order: int, smoothing: float) -> tuple[Tensor, Tensor]:
    """The interpolant of values at controls: its weights (B, n, 2) and its linear part (B, 3, 2), rows x, y and 1.

    controls: (B or 1, n, 2). values: (B or 1, n, 2). Raises ValueError as warp.
    """
    apart = controls[:, :, None] - controls[:, None]
    squared = apart.square().sum(-1)
    _refuse_degenerate(controls.detach(), squared.detach())
    count = controls.shape[1]
    identity = torch.eye(count, dtype=controls.dtype, device=controls.device)
    corner = F.pad(controls, (0, 1), value=1.0)
    matrix = torch.cat([torch.cat([_phi(squared, order) + smoothing * identity, corner], dim=2), F.pad(corner.mT, (0, 3))], dim=1)
    right = F.pad(values, (0, 0, 0, 3))
    if len(matrix) == 1:  # factorised once, for all items' columns
        columns = right.movedim(0, 1).flatten(1)[None]
        solved = torch.linalg.solve_ex(matrix, columns)[0][0].unflatten(1, (len(right), 2)).movedim(1, 0)
    else:
        solved = torch.linalg.solve_ex(matrix, right.expand(len(matrix), -1, -1))[0]
    return solved[:, :count], solved[:, count:]


def _phi(squared: Tensor, order: int) -> Tensor:
    """The kernel of squared distances, with the sign that makes it positive definite under the constraints."""
    squared = squared + _NEAREST
    if order == 1:
        return -squared.sqrt()
    return 0.5 * squared * squared.log() if order == 2 else squared * squared.sqrt()


def _refuse_degenerate(controls: Tensor, squared: Tensor) -> None:
    """controls: (B, n, 2); squared: their squared distances (B, n, n). Points that are not finite pass, to fail in the loss."""
    same = (squared == 0).triu(1)
    if same.any():
        item, first, second = same.nonzero()[0].tolist()
        raise ValueError(
            f"destination: points {first} and {second} of item {item} coincide, where each may come once "
            "(border points are counted behind the others)."
        )
    spread = controls - controls.mean(1, keepdim=True)
    spread = spread.mT @ spread  # its determinant is 0 for points on a line
    if (torch.linalg.det(spread) <= 1e-12 * spread.diagonal(dim1=1, dim2=2).sum(1).square()).any():
        raise ValueError("destination: all points lie on one line, where three that do not, or a border, are needed.")


def _check(image: Tensor, source: Tensor, destination: Tensor, order: int, regularisation: float, border: int) -> None:
    if image.ndim != 4 or min(image.shape[2:]) < 2:
        raise ValueError(f"image: shape {tuple(image.shape)} came, (B, 3, H, W) of 2 px or more is allowed.")
    for name, points in (("source", source), ("destination", destination)):
        if points.ndim not in (2, 3) or points.shape[-1] != 2 or (points.ndim == 3 and len(points) not in (1, len(image))):
            raise ValueError(f"{name}: shape {tuple(points.shape)} came, (n, 2) or ({len(image)}, n, 2) is allowed.")
    if source.shape[-2] != destination.shape[-2]:
        raise ValueError(f"source: {source.shape[-2]} points came, destination has {destination.shape[-2]}.")
    check_settings(order, regularisation, border)
    if destination.shape[-2] + 4 * border < 3:
        raise ValueError(f"destination: {destination.shape[-2]} points came without a border, 3 or more are allowed.")


def check_settings(order: int, regularisation: float, border: int) -> None:
    """Raises ValueError unless warp takes these."""
    if order not in (1, 2, 3):
        raise ValueError(f"order {order} came, 1, 2 or 3 is allowed.")
    if not 0 <= regularisation < float("inf"):
        raise ValueError(f"regularisation {regularisation} came, 0 or more is allowed.")
    if border < 0:
        raise ValueError(f"border {border} came, 0 or more is allowed.")
