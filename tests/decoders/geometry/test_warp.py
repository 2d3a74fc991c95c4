import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from decoders.geometry import warp as module
from decoders.geometry.warp import border_points, solve, warp
from tests.properties import examples

ORDERS = [1, 2, 3]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def scattered(count: int, height: int, width: int, *batch: int) -> Tensor:
    """Points at least a tenth from the edge, no two near each other: a jittered grid, (*batch, count, 2), float64."""
    side = math.ceil(math.sqrt(count))
    grid = torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="xy"), -1).reshape(-1, 2)[:count]
    jitter = 0.25 + 0.5 * torch.rand(*batch, count, 2, dtype=torch.float64)
    return (0.1 + 0.8 * (grid + jitter) / side) * torch.tensor([width - 1.0, height - 1.0], dtype=torch.float64)


def smooth(batch: int, height: int, width: int) -> Tensor:
    """Pictures that bilinear sampling reads well."""
    coarse = torch.rand(batch, 3, 4, 4, dtype=torch.float64)
    return F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_zero_displacement_is_the_identity(order: int, dtype: torch.dtype) -> None:
    image = torch.rand(2, 3, 20, 30, dtype=dtype)
    points = scattered(20, 20, 30).to(dtype)
    warped = warp(image, points, points, order, 0.1, 2)
    assert warped.dtype == dtype
    assert (warped - image).abs().max() < (1e-5 if dtype == torch.float32 else 1e-12)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("border", [0, 1, 2])
def test_control_points_arrive_and_the_border_stays(order: int, border: int) -> None:
    """The flow at the destinations is the displacement when nothing is smoothed, and 0 at the border points."""
    height, width = 33, 41
    destination = scattered(12, height, width, 2).round()  # on pixels, where the dense flow can be read
    source = destination + torch.randn(2, 12, 2, dtype=torch.float64)
    flow = module._flow(source, destination, (height, width), order, 0.0, border, torch.float64)
    x, y = destination.long().unbind(-1)
    for item in range(2):
        assert torch.allclose(flow[item, :, y[item], x[item]].T, (destination - source)[item], atol=1e-9)
        column, row = border_points(height, width, border).long().unbind(-1)
        assert flow[item, :, row, column].abs().max() < 1e-9 if border else True


@pytest.mark.parametrize("order", ORDERS)
def test_float32_is_precise_even_where_points_nearly_meet(order: int) -> None:
    """Closed lips: two points a tenth of a pixel apart that part by two pixels."""
    destination = scattered(60, 64, 64)
    destination[1] = destination[0] + 0.1
    source = destination + torch.randn(60, 2, dtype=torch.float64)
    steps = torch.arange(64, dtype=torch.float64)
    ramps = torch.stack(torch.meshgrid(steps, steps, indexing="xy"))[None]  # a picture of its own coordinates
    exact, single = warp(ramps, source, destination, order, 0.1, 2), warp(ramps.float(), source, destination, order, 0.1, 2)
    assert (exact - single).abs().max() < 0.02


def test_border_points_of_the_published_counts() -> None:
    assert border_points(5, 9, 0).shape == (0, 2)
    assert border_points(5, 9, 1).tolist() == [[0, 0], [8, 0], [8, 4], [0, 4]]
    assert border_points(5, 9, 2).tolist() == [[0, 0], [4, 0], [8, 0], [8, 2], [8, 4], [4, 4], [0, 4], [0, 2]]


@pytest.mark.parametrize("order", ORDERS)
def test_translation_of_all_points_moves_the_picture(order: int) -> None:
    """x is right and y is down, points go from source to destination; outside, the edge continues."""
    image = torch.rand(1, 3, 16, 24, dtype=torch.float64)
    source = scattered(9, 16, 24)
    moved = warp(image, source, source + torch.tensor([3.0, -2.0], dtype=torch.float64), order)
    wanted = F.pad(image, (3, 0, 0, 2), mode="replicate")[:, :, 2:, :24]
    assert (moved - wanted).abs().max() < 1e-9


def test_affine_motion_is_reproduced() -> None:
    """Twice the size about the centre: every second pixel of the middle comes out."""
    image = smooth(1, 33, 33)
    source = scattered(9, 33, 33)
    larger = warp(image, source, 2 * source - 16, 2)
    assert (larger[:, :, ::2, ::2] - image[:, :, 8:25, 8:25]).abs().max() < 1e-9


@pytest.mark.parametrize("order", ORDERS)
@examples(15)
@given(
    seed=st.integers(0, 10_000),
    points=st.integers(3, 30),
    regularisation=st.sampled_from([0.0, 0.1]),
    matrix=st.lists(st.floats(-0.4, 0.4), min_size=4, max_size=4),
    shift=st.lists(st.floats(-9, 9), min_size=2, max_size=2),
)
def test_an_affine_map_of_all_points_is_one_of_the_picture(
    order: int, seed: int, points: int, regularisation: float, matrix: list[float], shift: list[float]
) -> None:
    """Without a border, output pixel q shows the picture at A q + b where source = A destination + b: it bends nothing, so that
    smoothing changes nothing."""
    torch.manual_seed(seed)
    height, width = 19, 26
    image, destination = torch.rand(1, 3, height, width, dtype=torch.float64), scattered(points, height, width)
    turned = torch.eye(2, dtype=torch.float64) + torch.tensor(matrix, dtype=torch.float64).view(2, 2)
    moved = torch.tensor(shift, dtype=torch.float64)
    warped = warp(image, destination @ turned.T + moved, destination, order, regularisation)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    read = torch.stack([columns, rows], -1).double() @ turned.T + moved
    grid = 2 * read / torch.tensor([width - 1, height - 1]) - 1
    wanted = F.grid_sample(image, grid[None], mode="bilinear", padding_mode="border", align_corners=True)
    assert (warped - wanted).abs().max() < 1e-6


@pytest.mark.parametrize("order", ORDERS)
@examples(15)
@given(seed=st.integers(0, 10_000), points=st.integers(3, 40), border=st.integers(0, 3), size=st.floats(0, 20))
def test_any_displacements_are_met_exactly(order: int, seed: int, points: int, border: int, size: float) -> None:
    """Nothing smoothed: output pixel destination shows the picture at source, and the border points show themselves."""
    torch.manual_seed(seed)
    height, width = 33, 41
    steps = torch.meshgrid(torch.arange(width).double(), torch.arange(height).double(), indexing="xy")
    ramps = torch.stack(steps)[None]  # a picture of its own coordinates
    destination = scattered(points, height, width).round()
    source = destination + size * torch.randn(points, 2, dtype=torch.float64)
    warped = warp(ramps, source, destination, order, 0.0, border)[0]
    within = torch.tensor([width - 1.0, height - 1.0], dtype=torch.float64)
    x, y = destination.long().unbind(-1)
    assert torch.allclose(warped[:, y, x].T, source.clamp(min=torch.zeros(2, dtype=torch.float64), max=within), atol=1e-6)
    corners = border_points(height, width, min(border, 1))
    x, y = corners.long().unbind(-1)
    assert torch.allclose(warped[:, y, x].T, corners, atol=1e-6)


def test_the_flow_scales_with_the_picture() -> None:
    """The same points as fractions, twice the pixels: twice the flow, with s in pixels to the power of the order."""
    destination = scattered(30, 32, 32)
    source = destination + torch.randn(30, 2, dtype=torch.float64)
    for order in ORDERS:
        small = module._flow(source, destination, (32, 32), order, 0.3, 2, torch.float64)
        large = module._flow(63 / 31 * source, 63 / 31 * destination, (64, 64), order, 0.3 * (63 / 31) ** order, 2, torch.float64)
        assert torch.allclose(large[..., ::63, ::63], 63 / 31 * small[..., ::31, ::31], atol=1e-8)
        assert large.abs().max() > 0.5


@pytest.mark.parametrize("order", ORDERS)
def test_regularisation_lowers_the_bending_energy(order: int) -> None:
    """w' A w falls with s for every order: with phi = r at order 1 it would rise, as the published call's does."""
    controls = torch.cat([2 * torch.rand(1, 68, 2, dtype=torch.float64) - 1, border_points(3, 3, 2)[None] - 1], dim=1)
    values = F.pad(torch.randn(1, 68, 2, dtype=torch.float64), (0, 0, 0, 8))
    squared = (controls[:, :, None] - controls[:, None]).square().sum(-1)
    energies, misses = [], []
    for smoothing in (0.0, 1e-3, 1e-2, 1e-1):
        weights, _ = solve(controls, values, order, smoothing)
        assert weights.sum(1).abs().max() < 1e-6 * weights.abs().max()
        assert (controls.mT @ weights).abs().max() < 1e-6 * weights.abs().max()
        energies.append((weights * (module._phi(squared, order) @ weights)).sum().item())
        misses.append((smoothing * weights).norm().item())  # how far from the values: (A + s) w + ... = f
    assert energies[0] > energies[1] > energies[2] > energies[3] > 0
    assert 0 == misses[0] < misses[1] < misses[2] < misses[3]


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shared", [True, False])
def test_gradients_equal_finite_differences(order: int, shared: bool) -> None:
    """In picture, source and destination; off the pixel grid, where bilinear sampling has kinks."""
    image = torch.rand(2, 2, 6, 7, dtype=torch.float64, requires_grad=True)
    batch = () if shared else (2,)
    destination = scattered(5, 6, 7, *batch).requires_grad_()
    source = (destination.detach() + 0.3 * torch.randn(*batch, 5, 2, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda *a: warp(*a, order, 0.1, 0), (image, source, destination))
    assert torch.autograd.gradcheck(lambda *a: warp(*a, order, 0.0, 2)[..., 1:-1, 1:-1], (image, source, destination))


def test_gradient_pulls_a_point_to_where_it_belongs() -> None:
    """A warp that must undo another one is found by descent."""
    image = smooth(1, 24, 24)
    source = scattered(4, 24, 24)
    truth = source + 0.8 * torch.randn(4, 2, dtype=torch.float64)
    target = warp(image, source, truth, 2, 0.0, 1)
    guess = source.clone().requires_grad_()
    optimizer = torch.optim.Adam([guess], lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        (warp(image, source, guess, 2, 0.0, 1) - target).square().mean().backward()
        optimizer.step()
    assert (guess.detach() - truth).norm() < 0.3 * (source - truth).norm()


@pytest.mark.parametrize("order", ORDERS)
def test_an_item_alone_equals_itself_in_a_batch(order: int) -> None:
    """With own points, with a shared destination (one factorisation) and with all points shared."""
    image = torch.rand(3, 3, 12, 12, dtype=torch.float64)
    source, destination = scattered(9, 12, 12, 3), scattered(9, 12, 12, 3)
    own = warp(image, source, destination, order, 0.1, 1)
    to_one = warp(image, source, destination[0], order, 0.1, 1)
    together = warp(image, source[0], destination[0], order, 0.1, 1)
    for i in range(3):
        one = image[i : i + 1]
        assert torch.allclose(own[i : i + 1], warp(one, source[i], destination[i], order, 0.1, 1))
        assert torch.allclose(to_one[i : i + 1], warp(one, source[i : i + 1], destination[:1], order, 0.1, 1))
        assert torch.allclose(together[i : i + 1], warp(one, source[0], destination[0], order, 0.1, 1))


def test_half_precision_around_it_changes_nothing() -> None:
    image, points = torch.rand(1, 3, 16, 16), scattered(9, 16, 16).float()
    wanted = warp(image, points + 0.5, points, 1, 0.1, 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(warp(image, points + 0.5, points, 1, 0.1, 2), wanted)
    assert warp(image.bfloat16(), points, points).dtype == torch.float32


def test_not_a_number_passes_through() -> None:
    """The trainer stops at a loss that is not finite, and says so better."""
    points = scattered(9, 16, 16)
    broken = warp(torch.rand(1, 3, 16, 16), points, torch.where(points == points[2, 0], math.nan, points), 1, 0.1, 2)
    assert broken.shape == (1, 3, 16, 16)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dict(image=torch.zeros(3, 8, 8)), "image: shape"),
        (dict(source=torch.zeros(4, 3)), "source: shape"),
        (dict(source=torch.zeros(3, 4, 2)), "source: shape"),
        (dict(source=torch.rand(5, 2)), "source: 5 points"),
        (dict(order=4), "order 4"),
        (dict(order=0), "order 0"),
        (dict(regularisation=-0.1), "regularisation -0.1"),
        (dict(border=-1), "border -1"),
        (dict(source=torch.rand(2, 2), destination=torch.rand(2, 2), border=0), "2 points came"),
        (dict(destination=torch.tensor([[1.0, 1], [2, 5], [1, 1], [6, 3]])), "points 0 and 2 of item 0 coincide"),
        (dict(destination=torch.tensor([[1.0, 1], [2, 5], [7, 7], [6, 3]])), "points 2 and 6 of item 0 coincide"),
        (dict(destination=torch.tensor([[1.0, 1], [2, 2], [3, 3], [6, 6]]), border=0), "on one line"),
    ],
)
def test_mistakes(change: dict, said: str) -> None:
    arguments = dict(image=torch.zeros(2, 3, 8, 8), source=torch.rand(4, 2), destination=torch.rand(4, 2), border=1) | change
    with pytest.raises(ValueError, match=said) as caught:
        warp(**arguments)
    assert "\n" not in str(caught.value)
