import numpy as np
import pytest

from gan.data.corpus import Corpus
from gan.experiments.windows import DRAWN, Windows, _agreement
from gan.run import Run
from tests.gan.experiments.conftest import study


def test_a_face_for_each_window(loaded: dict[str, Run], tiny: Corpus) -> None:
    run = loaded["free"]
    own = study(run, tiny, limit=2)
    window, hop = own.window, own.window // 2
    found = Windows()(own)
    assert [row["drawn_from"] for row in found.rows] == ["one window", "whole", "mean embedding", "mean of the windows' faces"]
    assert found.rows[0]["faces"] == 40
    assert found.columns == ["real", "whole", "mean embedding", "first window", *["..."] * (DRAWN - 2), "last window"]
    for voice, (_, row) in zip(own.voices("unseen_speech"), found.pictures, strict=True):
        speech = voice.clips[0]
        span = 19 * hop + window
        for picture, heard in ((row[1], speech[:span]), (row[3], speech[:window]), (row[-1], speech[19 * hop : span])):
            assert picture is not None
            assert np.abs(picture.astype(int) - run.generate(heard)).max() <= 1


@pytest.mark.slow
def test_one_fixed_length_has_no_whole(loaded: dict[str, Run], tiny: Corpus) -> None:
    found = Windows()(study(loaded["fixed"], tiny, limit=2))
    assert [row["drawn_from"] for row in found.rows] == ["one window", "mean embedding", "mean of the windows' faces"]


def test_agreement_by_hand() -> None:
    """Ragged: three windows, one, two."""
    random = np.random.default_rng(0)
    units = random.normal(size=(6, 5))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    owner = np.array([0, 0, 0, 1, 2, 2])
    within, between = _agreement(units, owner, 3)
    for own in range(3):
        mine, theirs = units[owner == own], units[owner != own]
        pairs = [a @ b for i, a in enumerate(mine) for j, b in enumerate(mine) if i != j]
        assert np.isnan(within[own]) if not pairs else within[own] == pytest.approx(np.mean(pairs))
        assert between[own] == pytest.approx(np.mean([a @ b for a in mine for b in theirs]))
    assert np.isnan(_agreement(units[:3], owner[:3], 1)[1]).all()
