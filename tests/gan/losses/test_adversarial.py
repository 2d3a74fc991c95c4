import math

import pytest
import torch

from discriminators.base import Judgement
from gan.losses.adversarial import KINDS, Adversarial
from tests.gan.losses.cases import step


def value(loss: torch.Tensor) -> float:
    return float(loss)


def test_lsgan_with_mismatched_and_smoothing_by_hand() -> None:
    """Wav2Pix: (0.4 - 0.9)^2 + 0.2^2 + 0.6^2, summed, not halved; the generator's target is 1, unsmoothed."""
    loss = Adversarial(["d"], kind="lsgan", real_target=0.9, mismatched=True)
    case = step(real=0.4, fake=0.2, mismatched=0.6)
    assert value(loss.discriminator(case)) == pytest.approx(0.25 + 0.04 + 0.36)
    assert value(loss.generator(case)) == pytest.approx(0.64)
    assert loss.needs == {"fake", "mismatched"}


def test_bce_by_hand() -> None:
    loss = Adversarial(["d"])
    assert value(loss.discriminator(step(real=0.0, fake=0.0))) == pytest.approx(2 * math.log(2))
    assert value(loss.generator(step(fake=2.0))) == pytest.approx(math.log(1 + math.exp(-2)))
    assert loss.needs == {"fake"}


def test_hinge_by_hand() -> None:
    loss = Adversarial(["d"], kind="hinge")
    assert value(loss.discriminator(step(real=0.25, fake=-0.5))) == pytest.approx(0.75 + 0.5)
    assert value(loss.discriminator(step(real=3.0, fake=-3.0))) == 0
    assert value(loss.generator(step(fake=1.5))) == -1.5


def test_wgan_by_hand() -> None:
    loss = Adversarial(["d"], kind="wgan")
    scores = torch.tensor([1.0, -3.0, 0.0, 4.0])
    assert value(loss.discriminator(step(real=2.0, fake=scores))) == pytest.approx(0.5 - 2.0)
    assert value(loss.generator(step(fake=scores))) == pytest.approx(-0.5)


def test_wgan_sets_real_against_each_kind_of_fake() -> None:
    """Raising every score alike must gain nothing, or the critic would run away."""
    loss = Adversarial(["d"], kind="wgan", mismatched=True)
    assert value(loss.discriminator(step(real=2.0, fake=0.5, mismatched=1.0))) == pytest.approx((0.5 - 2) + (1 - 2))
    assert value(loss.discriminator(step(real=9.0, fake=7.5, mismatched=8.0))) == pytest.approx((0.5 - 2) + (1 - 2))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_push_where_they_should(kind: str) -> None:
    """The discriminator raises real and lowers fake and mismatched; the generator raises fake."""
    scores = {which: torch.full((4,), 0.1, requires_grad=True) for which in ("real", "fake", "mismatched")}
    loss = Adversarial(["d"], kind=kind, mismatched=True)
    down = torch.autograd.grad(loss.discriminator(step(**scores)), list(scores.values()))
    assert [float(g.sum().sign()) for g in down] == [-1, 1, 1]
    assert torch.autograd.grad(loss.generator(step(**scores)), scores["fake"])[0].sum() < 0


def test_a_discriminator_without_scores_is_named() -> None:
    case = step()
    case.judged["real"]["d"] = Judgement(identity_logits=torch.zeros(4, 3))
    with pytest.raises(ValueError, match="discriminators: d gives no realness score"):
        Adversarial(["d"]).discriminator(case)


def test_discriminators_add_up_and_patches_average() -> None:
    two, one = Adversarial(["d", "e"]), Adversarial(["d"])
    assert value(two.generator(step(fake=0.3))) == pytest.approx(2 * value(one.generator(step(fake=0.3))))
    patches = step(fake=torch.full((4, 1, 6, 6), 0.3))
    assert value(one.generator(patches)) == pytest.approx(value(one.generator(step(fake=0.3))))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(kind="wasserstein"), "bce, lsgan, hinge, wgan"),
        (dict(kind="hinge", real_target=0.9), "real_target 0.9 came: hinge has no"),
        (dict(kind="wgan", real_target=0.9), "real_target 0.9 came: wgan has no"),
        (dict(real_target=0.0), "real_target 0.0"),
        (dict(weight=-1.0), "weight -1.0"),
    ],
)
def test_mistakes(arguments: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Adversarial(["d"], **arguments)
