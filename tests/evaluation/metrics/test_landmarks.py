from evaluation.metrics.landmarks import DetectionRatio
from tests.evaluation.world import Bright, trial


def test_share_of_faces_found():
    shown = trial(speakers=4, runs=2)
    dark = shown.generated.copy()
    dark[shown.speaker == 1] = 0
    dark[(shown.speaker == 2) & (shown.run == 0)] = 0
    (score,) = DetectionRatio(Bright())(trial(speakers=4, runs=2, generated=dark))
    assert score.metric == "landmarks/bright"
    assert score.value == (1 + 0 + 0.5 + 1) / 4
    assert score.upper == 1
    assert score.chance is None
    assert score.extractor == "brightness above 10"
