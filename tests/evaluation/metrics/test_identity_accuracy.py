from pathlib import Path

import numpy as np
import pytest
import torch

from evaluation.face_nets.vgg_face import VggFace
from evaluation.metrics.identity_accuracy import IdentityAccuracy
from tests.evaluation.world import trial


def test_share_of_faces_named_right():
    metric = IdentityAccuracy(steps=25)
    (right,), (wrong,) = metric(trial(speakers=6)), metric(trial(speakers=6, shift=2))
    assert right.value == 1
    assert wrong.value == 0
    assert right.upper == wrong.upper == 1
    assert right.chance == 1 / 6
    assert right.extractor == wrong.extractor  # one judge for all systems


def test_speaker_numbers_need_not_be_0_to_n():
    shown = trial(speakers=6)
    moved = {key: 7 * getattr(shown, key) + 3 for key in ("speaker", "gallery_speaker", "training_speaker")}
    (score,) = IdentityAccuracy(steps=25)(trial(speakers=6, **moved))
    assert score.value == 1


@pytest.mark.slow
@pytest.mark.floor
def test_faces_of_strangers_are_left_out():
    shown = trial(speakers=6)
    kept = shown.training_speaker != 5
    (score,) = IdentityAccuracy(steps=25)(
        trial(speakers=6, training=shown.training[kept], training_speaker=shown.training_speaker[kept])
    )
    assert np.array_equal(np.isnan(score.items), shown.speaker == 5)
    assert score.chance == 1 / 5
    assert score.upper == 1


def test_whom_each_face_was_taken_for():
    shown = trial(speakers=6, shift=2)
    (score,) = IdentityAccuracy(steps=25)(shown)
    assert np.array_equal(score.details["predicted"], (shown.speaker + 2) % 6)


class Narrow(VggFace):
    def __init__(self, weights=None, num_identities=5):
        super().__init__(None, num_identities, width=2)
        for parameter in self.parameters():  # so that random layers let the picture through
            torch.nn.init.kaiming_normal_(parameter) if parameter.ndim > 1 else torch.nn.init.zeros_(parameter)
        if weights is not None:
            self._load(Path(weights))


@pytest.mark.slow
@pytest.mark.floor
def test_vgg_face_tuned_on_the_corpus(tmp_path, monkeypatch):
    monkeypatch.setattr("evaluation.metrics.identity_accuracy.VggFace", Narrow)
    monkeypatch.setattr("evaluation.metrics.identity_accuracy.FINE_TUNING_RATE", 3e-3)  # its start is random here
    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(0)
    torch.save(Narrow().state_dict(), tmp_path / "vgg_face_dag.pth")
    metric = IdentityAccuracy("vgg_face", str(tmp_path / "vgg_face_dag.pth"), steps=16)
    (right,), (wrong,) = metric(trial(speakers=3)), metric(trial(speakers=3, shift=1))
    assert right.value > 0.6 > 0.4 > wrong.value
    assert right.upper > 0.6
    assert right.extractor == wrong.extractor
    assert right.extractor.startswith("VGG-Face (vgg_face_dag.pth), fc6, fc7, fc8 tuned on the corpus, whole picture at 224 px")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (dict(steps=0), "steps: 0; 1 or more"),
        (dict(network="vgg16"), "network: vgg16; vgg or vgg_face"),
        (dict(network="vgg_face"), "weights: .*vgg_face_dag.pth"),
        (dict(weights="file.pth"), "weights: .* vgg has none"),
        (dict(tuned=["fc6"]), "tuned: fc6; fc8, .* is new"),
    ],
)
def test_bad_keys(keys, said):
    with pytest.raises(ValueError, match=said):
        IdentityAccuracy(**keys)


@pytest.mark.slow
@pytest.mark.floor
def test_missing_weight_file():
    with pytest.raises(ValueError, match=r"absent\.pth: .*voxface assets add vgg-face"):
        IdentityAccuracy("vgg_face", "absent.pth")(trial(speakers=3))
