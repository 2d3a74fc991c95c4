"""Losses of a line or two, each on a case with a known value."""

import dataclasses
import math

import pytest
import torch

from discriminators.base import Judgement
from gan.losses.base import Losses, Step
from gan.losses.embedding_identity import EmbeddingIdentity
from gan.losses.feature_matching import FeatureMatching
from gan.losses.identity import Identity
from gan.losses.l1 import L1
from tests.gan.losses.cases import step


def test_l1_sums_over_resolutions() -> None:
    case = step(real_face=0.5, fake_face=0.25)
    assert L1(weight=3.0).generator(case).item() == 0.25
    two = Step(case.batch, case.embedding, case.real | {4: torch.ones(4, 3, 4, 4)}, case.fake | {4: torch.zeros(4, 3, 4, 4)}, {})
    assert L1(weight=3.0).generator(two).item() == 1.25
    assert L1(weight=1.0).discriminator(case) is None


def test_feature_matching_compares_batch_means() -> None:
    case = step(real=torch.tensor([1.0, 3.0, 1.0, 3.0]), fake=torch.tensor([0.0, 0.0, 2.0, 0.0]))
    assert FeatureMatching(["d"], weight=1.0).generator(case).item() == pytest.approx((2 - 0.5) ** 2)


def test_identity_of_even_logits_is_log_k() -> None:
    loss = Identity(["d"], weight=1.0)
    assert loss.generator(step()).item() == pytest.approx(math.log(3))
    assert loss.discriminator(step()).item() == pytest.approx(math.log(3))


def test_identity_on_drawn_faces_too_by_hand() -> None:
    """Logits of ln 2 for the true class of three: probability 1/2 each; a drawn face counts as the speaker's."""
    case = step(batch=3)
    voice, face = torch.tensor([0, 1, 2]), torch.tensor([2, 0, 1])
    even = Judgement(identity_logits=torch.zeros(3, 3))
    sure = {
        which: Judgement(identity_logits=math.log(2) * torch.eye(3)[labels])
        for which, labels in (("real", face), ("fake", voice))
    }
    case = dataclasses.replace(
        case,
        batch=case.batch._replace(voice_identity=voice, face_identity=face),
        judged={which: {"d": judgement, "e": even} for which, judgement in sure.items()},
    )
    assert Identity(["d"], weight=1.0).discriminator(case).item() == pytest.approx(math.log(2))
    both = Identity(["d"], weight=1.0, fakes=True)
    assert both.discriminator(case).item() == pytest.approx(2 * math.log(2))
    assert both.generator(case).item() == pytest.approx(math.log(2))
    two = Identity(["d", "e"], weight=1.0, fakes=True)
    assert two.discriminator(case).item() == pytest.approx(2 * math.log(2) + 2 * math.log(3))


def test_what_a_discriminator_does_not_give_is_named() -> None:
    case = step()
    empty = dataclasses.replace(case, judged={which: {"d": Judgement()} for which in ("real", "fake")})
    with pytest.raises(ValueError, match="discriminators: d gives no identity logits"):
        Identity(["d"], weight=1.0).generator(empty)
    with pytest.raises(ValueError, match="discriminators: d gives no features"):
        FeatureMatching(["d"], weight=1.0).generator(empty)


def test_what_each_loss_needs_of_the_step() -> None:
    assert L1(weight=1.0).needs == {"fake"}
    assert Identity(["d"], weight=1.0).needs == {"fake"}
    assert FeatureMatching(["d"], weight=1.0).needs == {"fake", "real"}
    assert EmbeddingIdentity(embedding_dim=6, num_identities=3, weight=1.0).needs == frozenset()


def test_embedding_identity_without_hidden_layer_is_one_linear_layer() -> None:
    loss = EmbeddingIdentity(embedding_dim=64, num_identities=1251, weight=1.0, hidden=None)
    assert [list(p.shape) for p in loss.parameters()] == [[1251, 64], [1251]]
    # By hand: logits 2 ln 2, 0, 0 are probabilities 4/6, 1/6, 1/6.
    small = EmbeddingIdentity(embedding_dim=6, num_identities=3, weight=1.0, hidden=None)
    with torch.no_grad():
        small.classifier.weight.zero_()
        small.classifier.bias.copy_(torch.tensor([2 * math.log(2), 0.0, 0.0]))
    labels = torch.tensor([0, 0, 1, 2])
    case = step()
    case = dataclasses.replace(case, batch=case.batch._replace(voice_identity=labels))
    assert small.generator(case).item() == pytest.approx((2 * math.log(6 / 4) + 2 * math.log(6)) / 4)


def test_embedding_identity_refuses_an_empty_layer() -> None:
    with pytest.raises(ValueError, match="hidden 0 came"):
        EmbeddingIdentity(embedding_dim=6, num_identities=3, weight=1.0, hidden=0)


def test_embedding_identity_has_the_published_shape() -> None:
    loss = EmbeddingIdentity(embedding_dim=128, num_identities=10, weight=20.0)
    assert sum(p.numel() for p in loss.parameters()) == 28_230
    # Equal embeddings: both batch norms give zeros, so the logits are even.
    case = step()
    even = EmbeddingIdentity(embedding_dim=6, num_identities=3, weight=1.0)
    assert even.generator(case).item() == pytest.approx(math.log(3), abs=1e-5)


def test_weights_multiply_the_half_they_belong_to() -> None:
    identity = Identity(["d"], weight=0.05, discriminator_weight=2.0)
    losses = Losses({"pixel": L1(weight=10.0), "identity": identity})
    total, logs = losses.terms("generator", step())
    assert total.item() == pytest.approx(10 * 0.25 + 0.05 * math.log(3))
    assert logs["loss/g/pixel"] == 0.25
    total, logs = losses.terms("discriminator", step())
    assert total.item() == pytest.approx(2 * math.log(3))
    assert set(logs) == {"loss/d/identity"}
