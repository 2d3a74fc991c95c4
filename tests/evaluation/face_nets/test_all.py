"""Every face net that is trained here keeps the contract. Inception, which is not: extractors/test_facenet.py."""

import pytest
import torch

from evaluation.face_nets.residual import Residual
from evaluation.face_nets.vgg import Vgg

NETS = [Vgg, Residual]


def build(kind):
    torch.manual_seed(0)
    return kind(num_identities=5, width=4).eval()


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("size", [32, 64, 100])
def test_any_size_of_picture(kind, size):
    net, images = build(kind), torch.rand(2, 3, size, size)
    assert net(images).shape == (2, 5)
    taps = net.features(images)
    assert len(taps) == 5
    assert taps[-1].ndim == 2
    assert [tap.shape for tap in taps] == [tap.shape for tap in net.features(torch.rand(2, 3, 64, 64))]


@pytest.mark.parametrize("kind", NETS)
def test_gradient_reaches_the_picture_and_every_weight(kind):
    net, images = build(kind), torch.rand(2, 3, 64, 64, requires_grad=True)
    net(images).sum().backward()
    assert images.grad.abs().sum() > 0
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in net.parameters())


@pytest.mark.parametrize("kind", NETS)
def test_one_alone_equals_the_same_one_among_others(kind):
    net, images = build(kind), torch.rand(3, 3, 64, 64)
    for together, alone in zip(net.features(images), net.features(images[1:2]), strict=True):
        assert torch.allclose(together[1:2], alone, atol=1e-5)


@pytest.mark.parametrize("kind", NETS)
def test_weights_are_saved_and_loaded(kind):
    net, other, images = build(kind), kind(num_identities=5, width=4).eval(), torch.rand(1, 3, 64, 64)
    other.load_state_dict(net.state_dict())
    assert torch.equal(net(images), other(images))


def test_the_net_of_the_loss_is_not_the_net_that_judges():
    assert set(build(Vgg).state_dict()) != set(build(Residual).state_dict())


@pytest.mark.parametrize("kind", NETS)
def test_no_identities(kind):
    with pytest.raises(ValueError, match="num_identities"):
        kind(num_identities=0)


def test_vgg_needs_a_size_it_can_halve():
    with pytest.raises(ValueError, match="input_size"):
        Vgg(5, input_size=50)
