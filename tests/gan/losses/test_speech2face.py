"""speech2face's losses on the embedding, each on a case with a known value."""

import dataclasses
from weakref import WeakValueDictionary

import pytest
import torch
from torch import Tensor, nn

from decoders.base import Decoder
from evaluation.face_nets.vgg import Vgg
from gan import frozen_nets
from gan.build import build
from gan.data.corpus import Corpus
from gan.losses._vector import VectorLoss
from gan.losses.base import Loss, Step
from gan.losses.decoder_features import DecoderFeatures
from gan.losses.distillation import Distillation
from gan.losses.feature_cosine import FeatureCosine
from gan.losses.feature_l1 import FeatureL1
from tests.gan.losses.cases import step

E = 6
ROWS = torch.tensor([0, 3, 5])


@pytest.fixture(autouse=True)
def net(monkeypatch: pytest.MonkeyPatch) -> Vgg:
    """The corpus's net, untrained."""
    torch.manual_seed(0)
    net = Vgg(12, width=4, dense_dim=E).eval().requires_grad_(False)
    monkeypatch.setattr(frozen_nets, "_trained", lambda *_, **__: net)
    monkeypatch.setattr(frozen_nets, "_shared", WeakValueDictionary())
    return net


def at(embedding: Tensor) -> Step:
    case = step(batch=len(ROWS))
    return dataclasses.replace(case, batch=case.batch._replace(face_index=ROWS), embedding=embedding, fake={})


def made(kind: type[VectorLoss], corpus: Corpus, **keys) -> VectorLoss:
    return kind(weight=1.0, embedding_dim=E, corpus=corpus, network="corpus", **{"relu": False} | keys)


def true(corpus: Corpus) -> Tensor:
    return made(FeatureL1, corpus).target(at(torch.zeros(len(ROWS), E)))


def orthogonal(vector: Tensor) -> Tensor:
    turned = torch.zeros_like(vector)
    turned[:, 0], turned[:, 1] = -vector[:, 1], vector[:, 0]
    return turned


@pytest.mark.parametrize(
    ("predicted", "value"),
    [(lambda v: 5 * v, 0), (lambda v: -v, 4), (orthogonal, 2), (lambda v: v * torch.tensor([[-1], [1], [1]]), 4 / 3)],
)
def test_cosine_by_hand(tiny: Corpus, predicted, value: float) -> None:
    assert made(FeatureCosine, tiny).generator(at(predicted(true(tiny)))).item() == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize("kind", [FeatureL1, FeatureCosine, Distillation])
@pytest.mark.parametrize("relu", [False, True])
def test_zero_is_finite(kind: type[VectorLoss], relu: bool, tiny: Corpus, net: Vgg) -> None:
    net.dense.weight.zero_()
    net.dense.bias.zero_()
    embedding = torch.zeros(3, E, requires_grad=True)
    value = made(kind, tiny, relu=relu).generator(at(embedding))
    value.backward()
    assert value.isfinite()
    assert embedding.grad.isfinite().all()


def test_l1_sums_over_the_vector_and_averages_over_the_batch(tiny: Corpus) -> None:
    offsets = torch.tensor([[0.5], [-1.0], [0.0]])
    assert made(FeatureL1, tiny).generator(at(true(tiny) + offsets)).item() == pytest.approx(E * 1.5 / 3, rel=1e-4)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_distillation_of_equals_is_the_entropy_and_pulls_nowhere(tiny: Corpus, net: Vgg, relu: bool, temperature: float) -> None:
    loss = made(Distillation, tiny, relu=relu, temperature=temperature)
    embedding = loss.target(at(torch.zeros(3, E))).requires_grad_()
    value = loss.generator(at(embedding))
    share = (net.classify(embedding.relu()) / temperature).softmax(1)
    assert value.item() == pytest.approx(-(share * share.log()).sum(1).mean().item(), rel=1e-5)
    value.backward()
    assert embedding.grad.abs().max() < 1e-6
    away = (embedding.detach() + torch.randn(3, E)).requires_grad_()
    further = loss.generator(at(away))
    further.backward()
    assert further > value
    assert away.grad.abs().sum() > 0


def test_after_the_relu_the_last_layer_reads_the_embedding_as_it_is(tiny: Corpus, net: Vgg) -> None:
    """So a negative number of the prediction still has a gradient; before the ReLU it is the ReLU that takes it away."""
    for relu, reached in ((True, True), (False, False)):
        embedding = torch.full((3, E), -1.0, requires_grad=True)
        made(Distillation, tiny, relu=relu).generator(at(embedding)).backward()
        assert bool(embedding.grad.abs().sum() > 0) is reached


class _Doubling(Decoder):
    image_sizes = (2,)

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(E, E, bias=False)
        self.layer.weight.data = 2 * torch.eye(E)

    def forward(self, embedding: Tensor) -> dict[int, Tensor]:
        raise NotImplementedError

    def trunk_features(self, embedding: Tensor) -> Tensor:
        return self.layer(embedding)


def test_decoder_features_by_hand(tiny: Corpus) -> None:
    decoder = _Doubling()
    with pytest.raises(ValueError, match=r"train.frozen=\[decoder\]"):
        made(DecoderFeatures, tiny, decoder=decoder)
    loss = made(DecoderFeatures, tiny, decoder=decoder.requires_grad_(False))
    assert loss.state_dict() == {}
    case = at((true(tiny) + torch.tensor([[0.5], [-1.0], [0.0]])).requires_grad_())
    value = loss.generator(case)
    assert value.item() == pytest.approx(2 * E * 1.5 / 3, rel=1e-4)
    value.backward()
    assert case.embedding.grad.abs().sum() > 0


def test_a_decoder_without_a_trunk_is_refused(tiny: Corpus) -> None:
    for decoder, said in ((None, "NoneType has none"), (nn.Linear(1, 1), "Linear has none")):
        with pytest.raises(ValueError, match=said):
            made(DecoderFeatures, tiny, decoder=decoder)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (dict(network="facenet"), "losses.x: network facenet .*auto, vggface, corpus"),
        (dict(network="vggface"), "losses.x: network vggface .*4096.*encoder.embedding_dim .*6"),
        (dict(temperature=0), "losses.x: temperature 0.0 came, above 0"),
        (dict(weight=-1.0), "losses.x: weight -1.0 came"),
    ],
)
def test_mistakes(keys: dict, said: str) -> None:
    section = {"name": "distillation", "network": "corpus", "weight": 1.0} | keys
    with pytest.raises(ValueError, match=said) as error:
        build(Loss, section, "losses.x", embedding_dim=E, num_identities=3, pixel_space="unit", corpus=None)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["feature_l1", "feature_cosine", "distillation"])
def test_they_draw_no_face_and_save_nothing(name: str, tiny: Corpus) -> None:
    section = {"name": name, "network": "corpus", "weight": 1.0}
    loss = build(Loss, section, "losses.x", embedding_dim=E, corpus=tiny)
    assert "fake" not in loss.needs
    assert loss.state_dict() == {}
    assert list(loss.parameters()) == []
    assert loss.discriminator(at(torch.zeros(3, E))) is None
