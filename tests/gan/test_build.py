from pathlib import Path

import pytest
from torch import Tensor

from decoders.base import Decoder
from encoders.base import Encoder
from evaluation.extractors.dlib import Dlib
from evaluation.metrics.base import Metric
from evaluation.metrics.recall import Recall
from gan.build import build, find, names, refuse_foreign_code
from gan.losses.base import Loss
from gan.recipes import load


class Mean(Encoder):
    """A component of somebody else's: the mean of the features."""

    def __init__(self, num_channels: int):
        super().__init__()
        self.embedding_dim = num_channels

    def forward(self, features: Tensor, num_frames: Tensor) -> Tensor:
        return features.mean(2)


def test_names_are_the_files() -> None:
    here = {p.stem for p in (Path(__file__).parents[2] / "encoders").glob("*.py")} - {"base", "__init__"}
    assert set(names(Encoder)) == here >= {"segan", "inception1d"}


def test_a_file_whose_name_begins_with_an_underscore_is_a_helper() -> None:
    assert "_vector" not in names(Loss)
    with pytest.raises(ValueError, match=r"gan/losses/_vector\.py.*adversarial"):
        find(Loss, "_vector", "losses.x")


def test_builds_by_name_and_by_dotted_path() -> None:
    assert build(Encoder, {"name": "inception1d"}, "encoder", num_channels=40).embedding_dim == 512
    mine = build(Encoder, {"name": f"{__name__}.Mean"}, "encoder", num_channels=5, unasked="ignored")
    assert mine.embedding_dim == 5


def test_builds_nested_components() -> None:
    metric = build(Metric, {"name": "recall", "k": [2], "extractor": {"name": "dlib"}}, "m")
    assert isinstance(metric, Recall)
    assert isinstance(metric.extractor, Dlib)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"name": "inceptoin1d"}, ["encoder.name: no file encoders/inceptoin1d.py", "Did you mean inception1d?", "dotted path"]),
        (
            {"name": "inception1d", "embeding_dim": 8},
            ["encoder.embeding_dim", "Allowed: embedding_dim", "Did you mean embedding_dim?"],
        ),
        ({"name": "inception1d", "num_channels": 8}, ["encoder.num_channels"]),
        ({"name": "inception1d", "embedding_dim": "wide"}, ["encoder.embedding_dim", "'wide'", "int"]),
        ({"name": "inception1d", "embedding_dim": True}, ["encoder.embedding_dim"]),
        ({"name": "inception1d", "channels": [10]}, ["encoder", "multiples of 4"]),
        ({"name": "decoders.deconv.Deconv"}, ["encoder.name", "not a subclass of encoders.base.Encoder"]),
        ({"name": "nowhere.at.All"}, ["encoder.name", "cannot be imported"]),
        ({"embedding_dim": 3}, ["encoder", "{name: ..., ...}"]),
        ("segan", ["encoder", "'segan'"]),
    ],
)
def test_mistakes_are_one_line_that_names_the_key(section: dict, said: list[str]) -> None:
    with pytest.raises(ValueError) as error:
        build(Encoder, section, "encoder", num_channels=40)
    assert "\n" not in str(error.value)
    for words in said:
        assert words in str(error.value)


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(ValueError, match="decoder: deconv needs embedding_dim"):
        build(Decoder, {"name": "deconv"}, "decoder")


def test_every_component_file_defines_one_public_class() -> None:
    from discriminators.base import Discriminator
    from evaluation.detectors.base import Detector
    from evaluation.extractors.base import Embedder
    from evaluation.face_nets.base import FaceNet
    from gan.features.base import Features

    for base in (Encoder, Decoder, Discriminator, Features, Loss, Metric, Embedder, Detector, FaceNet):
        assert all(find(base, name, "x") for name in names(base))


def test_saved_configs_may_not_name_foreign_code() -> None:
    config = load("wav2pix-64", ["encoder={name: my_lab.nets.Hubert}"])
    with pytest.raises(ValueError, match=r"encoder.name: my_lab.nets.Hubert.*--allow-code my_lab"):
        refuse_foreign_code(config, ())
    refuse_foreign_code(config, ("my_lab",))
    fused = load("sf2f-64-fuser", ["fuser={name: my_lab.nets.Fuse}"])
    with pytest.raises(ValueError, match=r"fuser.name: my_lab.nets.Fuse.*--allow-code my_lab"):
        refuse_foreign_code(fused, ())
    nested = load("wav2pix-64", ["evaluation.metrics.recall.extractor.name=os.path.X"])
    with pytest.raises(ValueError, match="allow-code os"):
        refuse_foreign_code(nested, ())
