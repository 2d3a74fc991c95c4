"""Losses of a line or two, each on a case with a known value."""

import math

import pytest
import torch

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
