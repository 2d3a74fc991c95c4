import math

import pytest
import torch

from gan.losses.adversarial import Adversarial
from tests.gan.losses.cases import step


def value(loss: torch.Tensor) -> float:
    return float(loss)


def test_lsgan_with_mismatched_and_smoothing_by_hand() -> None:
    """Wav2Pix: (0.4 - 0.9)^2 + 0.2^2 + 0.6^2, summed, not halved; the generator's target is 1, unsmoothed."""
    loss = Adversarial(["d"], kind="lsgan", real_target=0.9, mismatched=True)
    case = step(real=0.4, fake=0.2, mismatched=0.6)
    assert value(loss.discriminator(case)) == pytest.approx(0.25 + 0.04 + 0.36)
    assert value(loss.generator(case)) == pytest.approx(0.64)
    assert loss.needs == {"mismatched"}


def test_bce_by_hand() -> None:
    loss = Adversarial(["d"])
    assert value(loss.discriminator(step(real=0.0, fake=0.0))) == pytest.approx(2 * math.log(2))
    assert value(loss.generator(step(fake=2.0))) == pytest.approx(math.log(1 + math.exp(-2)))
    assert loss.needs == frozenset()


def test_hinge_by_hand() -> None:
    loss = Adversarial(["d"], kind="hinge")
    assert value(loss.discriminator(step(real=0.25, fake=-0.5))) == pytest.approx(0.75 + 0.5)
    assert value(loss.discriminator(step(real=3.0, fake=-3.0))) == 0
    assert value(loss.generator(step(fake=1.5))) == -1.5


def test_discriminators_add_up_and_patches_average() -> None:
    two, one = Adversarial(["d", "e"]), Adversarial(["d"])
    assert value(two.generator(step(fake=0.3))) == pytest.approx(2 * value(one.generator(step(fake=0.3))))
    patches = step(fake=torch.full((4, 1, 6, 6), 0.3))
    assert value(one.generator(patches)) == pytest.approx(value(one.generator(step(fake=0.3))))


@pytest.mark.parametrize(("arguments", "said"), [
    (dict(kind="wasserstein"), "bce, lsgan, hinge"), (dict(kind="hinge", real_target=0.9), "margin"),
    (dict(weight=-1.0), "weight -1.0")])
def test_mistakes(arguments: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Adversarial(["d"], **arguments)
