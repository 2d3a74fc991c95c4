import numpy as np
import pytest

from gan.media.shots import Cuts, ShotSettings


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 200, (45, 80), np.uint8)


def test_a_cut_is_told_and_a_moving_head_is_not() -> None:
    cuts, found = Cuts(ShotSettings()), []
    for frame in range(60):
        image = picture(frame // 20)
        image[10:20, 10 + frame % 20 : 20 + frame % 20] = 240  # something moves
        found.append(cuts(image))
    assert [at for at, cut in enumerate(found) if cut] == [20, 40]


def test_slow_and_weak_changes() -> None:
    cuts = Cuts(ShotSettings(change=4.0))
    assert not any(cuts(np.full((45, 80), level, np.uint8)) for level in range(0, 255, 3))  # a fade
    assert cuts(np.full((45, 80), 0, np.uint8))
    assert not cuts(np.full((45, 80), 3, np.uint8))
    assert cuts(np.full((45, 80), 255, np.uint8))  # and no wrap of 8 bits: 3 - 255


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match=r"change: 0 came"):
        ShotSettings(change=0)
