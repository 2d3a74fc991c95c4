import numpy as np
import pytest

from evaluation.metrics.collapse import Collapse
from evaluation.real_faces.gallery import Gallery
from tests.evaluation.world import Pooled, trial


def test_by_hand():
    shown = trial(speakers=5)
    inter, among = Collapse(Pooled())(shown)
    assert (inter.metric, among.metric) == ("collapse/inter_person", "collapse/drawn")
    gallery = Gallery(shown, Pooled())
    drawn = gallery.embed(shown.generated)
    others = np.arange(5) != shown.speaker[:, None]
    assert inter.value == pytest.approx((drawn @ gallery.means.T)[others].mean())
    assert among.value == pytest.approx((drawn @ drawn.T)[shown.speaker != shown.speaker[:, None]].mean())
    assert inter.items[0] == pytest.approx((gallery.means @ drawn[0])[1:].mean())
    assert among.items[0] == pytest.approx((drawn @ drawn[0])[shown.speaker != 0].mean())


def test_one_face_for_everybody_is_the_worst():
    face = np.broadcast_to(trial().training[:1], trial().generated.shape).copy()
    varied, collapsed = Collapse(Pooled())(trial()), Collapse(Pooled())(trial(generated=face))
    assert collapsed[1].value == pytest.approx(1)
    assert collapsed[1].interval == pytest.approx((1, 1))
    for a, b in zip(varied, collapsed, strict=True):
        assert not a.higher_is_better
        assert a.chance is None
        assert a.value == pytest.approx(a.upper, abs=0.05)  # people as different as they are
        assert b.upper == a.upper


def test_the_mean_face_is_nearer_to_everybody():
    face = np.broadcast_to(trial().training.mean(axis=0).astype(np.uint8), trial().generated.shape).copy()
    inter, _ = Collapse(Pooled())(trial(generated=face))
    assert inter.value > inter.upper + 0.1


def test_one_speaker_has_nobody_to_be_like():
    for score in Collapse(Pooled())(trial(speakers=1)):
        assert score.note == "skipped: no two different speakers"


def test_strangers_are_left_out():
    shown = trial(speakers=5)
    kept = shown.gallery_speaker != 2
    for score in Collapse(Pooled())(trial(speakers=5, gallery=shown.gallery[kept], gallery_speaker=shown.gallery_speaker[kept])):
        assert np.array_equal(np.isnan(score.items), shown.speaker == 2)
        assert "3 faces of speakers without a real face left out" in score.note
