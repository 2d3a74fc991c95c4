import numpy as np
import pytest

from benchmarks import who_speaks


def test_area_under_the_curve() -> None:
    assert who_speaks._auc(np.array([0.5, 0.9]), np.array([0.1, 0.5])).startswith("0.875 [")
    assert who_speaks._auc(np.array([0.5, 0.9]), np.array([0.1])).startswith("1.000 [1.000, 1.000] of 2 + 1")


@pytest.mark.slow
def test_a_film_is_watched_and_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(who_speaks, "WATCHED", ("chewing", "still"))
    film = who_speaks.watch(5, 0)
    assert film.missed == 0
    assert [len(scene) for scene in film.mouths] == [2, 1]
    for scene, mouths in zip(film.truth.scenes, film.mouths, strict=True):
        for signals in mouths.values():
            assert len(signals.seconds) == scene["last"] - scene["first"] + 1
            assert (np.diff(signals.seconds) > 0).all()
    rows = {what: figure for what, _, figure in who_speaks.who_speaks([film])}
    assert rows["two faces, listener chews: right"].startswith("1.000")
    assert rows["still picture with its voice: kept"].startswith("0.000")


def test_speech_has_a_row_a_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(who_speaks, "DETECTORS", {"Silero": {"name": "silero"}})
    rows = {what: figure for what, _, figure in who_speaks.speech(5, 2)}
    assert float(rows["Silero: speech found"].split()[0]) > 0.9
    assert float(rows["Silero: pauses kept"].split()[0]) < 0.4
