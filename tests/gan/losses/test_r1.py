"""R1 on cases worked by hand; its second derivatives are tested beside the gradient penalty's."""

import pytest
import torch

from gan.losses.base import Losses
from gan.losses.r1 import R1
from tests.gan.losses.cases import Linear, differentiable_step


def test_by_hand() -> None:
    """Slope 0.5 in each of 12 values: squared length 3; with gamma 10 the half's loss is 15. Patches are summed, not averaged."""
    case = differentiable_step({"d": Linear(0.5), "e": Linear(0.5, patches=True)})
    loss = R1(["d"])
    assert loss.discriminator(case).item() == pytest.approx(3)
    assert R1(["e"]).discriminator(case).item() == pytest.approx(3)
    assert R1(["d", "e"]).discriminator(case).item() == pytest.approx(6)
    assert loss.generator(case) is None
    assert loss.needs == {"real_gradient"}
    total, logs = Losses({"r1": loss}).terms("discriminator", case)
    assert total.item() == pytest.approx(15)
    assert logs["loss/d/r1"].item() == pytest.approx(3)


def test_gradient_in_the_weight_by_hand() -> None:
    """gamma / 2 * 12 slope^2, gamma 1: its derivative is 12 slope."""
    critic = Linear(0.5)
    Losses({"r1": R1(["d"], gamma=1.0)}).terms("discriminator", differentiable_step({"d": critic}))[0].backward()
    assert critic.slope.grad.item() == pytest.approx(6)


def test_drawn_faces_play_no_part() -> None:
    case = differentiable_step({"d": Linear(0.5)})
    R1(["d"]).discriminator(case).backward()
    assert case.fake[2].grad is None


def test_mistakes() -> None:
    with pytest.raises(ValueError, match=r"gamma -1\.0 came"):
        R1(["d"], gamma=-1.0)
    assert torch.is_tensor(R1(["d"], gamma=0.0).discriminator(differentiable_step({"d": Linear(1.0)})))
