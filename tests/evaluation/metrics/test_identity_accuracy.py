import numpy as np
import pytest

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


def test_faces_of_strangers_are_left_out():
    shown = trial(speakers=6)
    kept = shown.training_speaker != 5
    (score,) = IdentityAccuracy(steps=25)(
        trial(speakers=6, training=shown.training[kept], training_speaker=shown.training_speaker[kept])
    )
    assert np.array_equal(np.isnan(score.items), shown.speaker == 5)
    assert score.chance == 1 / 5
    assert score.upper == 1


def test_bad_steps():
    with pytest.raises(ValueError, match="steps"):
        IdentityAccuracy(steps=0)
