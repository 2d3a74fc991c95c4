"""The wgan critic's gradient penalty: values by hand, and second derivatives through every kind of layer a discriminator has."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from discriminators.base import Discriminator, Judgement
from discriminators.conditional import Conditional
from discriminators.conditional_patch import ConditionalPatch
from discriminators.identity import Identity
from discriminators.image import Image
from discriminators.shared_trunk import SharedTrunk
from gan.losses.gradient_penalty import GradientPenalty, face_gradient
from gan.losses.r1 import R1
from tests.gan.losses.cases import Linear, differentiable_step

KINDS: dict[str, Callable[[], Discriminator]] = {
    "conditional": lambda: Conditional(6, image_size=8, width=4),
    "conditional, no spectral norm": lambda: Conditional(6, image_size=8, width=4, spectral_norm=False),
    "conditional_patch": lambda: ConditionalPatch(6, width=2),
    "image": lambda: Image(width=2),
    "identity": lambda: Identity(3, width=2, hidden=8),
    "identity, voice2face": lambda: Identity(3, stack="voice2face", image_size=16, width=2, hidden=8),
    "shared_trunk": lambda: SharedTrunk(3, image_size=8, width=2, face_dim=4),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
both_losses = pytest.mark.parametrize("loss", [GradientPenalty(["d"]), R1(["d"])], ids=["gradient_penalty", "r1"])


def test_by_hand() -> None:
    """Slope 0.5 in each of 12 values: length sqrt(3), penalty (sqrt(3) - 1)^2; slope 1 / sqrt(12): none."""
    loss = GradientPenalty(["d"])
    assert loss.discriminator(differentiable_step({"d": Linear(0.5)})).item() == pytest.approx((3**0.5 - 1) ** 2)
    assert loss.discriminator(differentiable_step({"d": Linear(12**-0.5)})).item() == pytest.approx(0, abs=1e-10)
    assert loss.generator(differentiable_step({"d": Linear(0.5)})) is None
    assert loss.needs == {"fake", "interpolated"}
    assert loss.discriminator_weight == 10


def test_each_item_has_its_own_length() -> None:
    """Scores x^2 / 2 summed: the gradient is the face itself, of lengths 0 and 5; the mean of (0 - 1)^2 and (5 - 1)^2."""

    class Square(Linear):
        def forward(self, face: Tensor, embedding: Tensor) -> Judgement:
            return Judgement(realness=face.square().sum((1, 2, 3)) / 2)

    faces = torch.zeros(2, 3, 2, 2)
    faces[1, 0, 0, 0], faces[1, 2, 1, 1] = 3, -4
    case = differentiable_step({"d": Square(1.0)}, faces)
    assert GradientPenalty(["d"]).discriminator(case).item() == pytest.approx((1 + 16) / 2)
    assert R1(["d"]).discriminator(case).item() == pytest.approx(25 / 2)


def test_of_patches_the_mean_is_the_critic() -> None:
    """Four patches, each slope 2 in its three values; their mean 1/2 in twelve."""
    case = differentiable_step({"d": Linear(2.0, patches=True)})
    assert GradientPenalty(["d"]).discriminator(case).item() == pytest.approx((3**0.5 - 1) ** 2)


def test_discriminators_add_up_and_read_their_own_size() -> None:
    case = differentiable_step({"d": Linear(0.5), "e": Linear(1.0)}, other_size=4)
    by_name = {name: GradientPenalty([name]).discriminator(case).item() for name in "de"}
    assert by_name["e"] == pytest.approx((12**0.5 - 1) ** 2)
    assert GradientPenalty(["d", "e"]).discriminator(case).item() == pytest.approx(sum(by_name.values()))


def test_a_flat_critic_has_a_finite_gradient() -> None:
    """At length 0 the root has no slope; no NaN may come of it."""
    critic = Linear(0.0)
    loss = GradientPenalty(["d"]).discriminator(differentiable_step({"d": critic}))
    loss.backward()
    assert loss.item() == 1
    assert critic.slope.grad.isfinite()


@every_kind
@both_losses
def test_second_derivatives_equal_differences(kind: str, loss: GradientPenalty | R1) -> None:
    """Gradient in the weights, against central differences along a random direction, in float64."""
    torch.manual_seed(0)
    # Evaluation mode holds spectral norm still; batch norm reads the batch all the same.
    made = KINDS[kind]().double().eval()
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.train()
    size = made.image_size
    faces = torch.randn(3, 3, size, size, dtype=torch.float64)

    def value() -> Tensor:
        return loss.discriminator(differentiable_step({"d": made}, faces))

    weights = [p for name, p in made.named_parameters() if "identity" not in name]
    gradients = torch.autograd.grad(value(), weights, allow_unused=True)
    direction = [torch.randn_like(w) for w in weights]
    slope = sum((g * d).sum() for g, d in zip(gradients, direction, strict=True) if g is not None)
    values = []
    step = 1e-6
    with torch.no_grad():
        for sign in (1, -1):
            for w, d in zip(weights, direction, strict=True):
                w.add_(d, alpha=sign * step)
            with torch.enable_grad():
                values.append(value().item())
            for w, d in zip(weights, direction, strict=True):
                w.sub_(d, alpha=sign * step)
    assert slope.item() != 0
    assert (values[0] - values[1]) / (2 * step) == pytest.approx(slope.item(), rel=1e-4)


@every_kind
@both_losses
def test_training_mode_and_cached_spectral_norm(kind: str, loss: GradientPenalty | R1) -> None:
    """As the step does it: one spectral norm for all the passes of a half, in training mode, and a first-order loss beside."""
    torch.manual_seed(0)
    discriminator = KINDS[kind]()
    size = discriminator.image_size
    with parametrize.cached():
        case = differentiable_step({"d": discriminator}, torch.randn(4, 3, size, size))
        (loss.discriminator(case) + case.judged["fake"]["d"].realness.mean()).backward()
    gradients = {name: p.grad for name, p in discriminator.named_parameters() if p.grad is not None}
    # The identity head is not asked; biases may move no gradient.
    silent = {name for name, p in discriminator.named_parameters() if p.grad is None}
    assert all("identity" in name for name in silent)
    assert all(g.isfinite().all() for g in gradients.values())
    assert all(g.abs().sum() > 0 for name, g in gradients.items() if name.endswith("weight") or name.endswith("original"))


@both_losses
def test_in_bfloat16(loss: GradientPenalty | R1) -> None:
    """Under autocast, as the step runs it: near the value in float32."""
    torch.manual_seed(0)
    discriminator = Conditional(6, image_size=8, width=4)
    discriminator.last.weight.data.mul_(20)  # a slope well above bfloat16's grain
    discriminator.eval()
    faces = torch.randn(4, 3, 8, 8)
    exact = loss.discriminator(differentiable_step({"d": discriminator}, faces)).item()
    with parametrize.cached(), torch.autocast("cpu", torch.bfloat16):
        value = loss.discriminator(differentiable_step({"d": discriminator}, faces))
        value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(exact, rel=0.1)
    assert all(p.grad.isfinite().all() for p in discriminator.parameters())


def test_cached_and_plain_give_one_gradient() -> None:
    torch.manual_seed(0)
    discriminator = Conditional(6, image_size=8, width=4).eval()
    faces = torch.randn(4, 3, 8, 8)

    def gradients() -> list[Tensor]:
        value = GradientPenalty(["d"]).discriminator(differentiable_step({"d": discriminator}, faces))
        return list(torch.autograd.grad(value, list(discriminator.parameters())))

    plain = gradients()
    with parametrize.cached():
        cached = gradients()
    assert all(torch.allclose(a, b, rtol=1e-4, atol=1e-6) for a, b in zip(plain, cached, strict=True))


def test_face_gradient_can_be_differentiated_again() -> None:
    face = torch.full((2, 3, 2, 2), 3.0, requires_grad=True)
    gradient = face_gradient(face.pow(3).sum((1, 2, 3)), {2: face})
    assert torch.equal(gradient, torch.full_like(face, 27.0))
    assert torch.equal(torch.autograd.grad(gradient.sum(), face)[0], torch.full_like(face, 18.0))


@both_losses
def test_a_discriminator_without_scores_is_named(loss: GradientPenalty | R1) -> None:
    case = differentiable_step({"d": Linear(1.0)})
    for which in ("real", "interpolated"):
        case.judged[which]["d"] = Judgement(identity_logits=torch.zeros(2, 3))
    with pytest.raises(ValueError, match="discriminators: d gives no realness score"):
        loss.discriminator(case)


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ValueError, match=r"discriminator_weight -1\.0 came"):
        GradientPenalty(["d"], discriminator_weight=-1.0)
