import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.media.loudness import FAINTEST_DB, LoudnessSettings, level_db, speech_to_pause_db
from tests.properties import examples


def tone(seconds: float, level: float) -> np.ndarray:
    """A sine of that level in dB of full scale, int16 (S,) at 16 kHz."""
    at = np.arange(round(seconds * 16_000))
    return np.rint(32_768 * np.sqrt(2) * 10 ** (level / 20) * np.sin(2 * np.pi * 500 / 16_000 * at)).astype(np.int16)


def test_a_tone_has_its_level_and_a_constant_none() -> None:
    assert level_db(tone(1.0, -20.0)) == pytest.approx(-20.0, abs=0.01)
    assert level_db(np.full(1000, 5000, np.int16)) == pytest.approx(FAINTEST_DB)


@examples(30)
@given(st.integers(0, 5000), st.integers(1, 700), st.integers(1, 700))
def test_any_length_has_whole_windows(samples: int, window: int, hop: int) -> None:
    levels = level_db(np.zeros(samples, np.int16), window, hop)
    assert len(levels) == max(0, samples - window) // hop + 1
    assert (levels == FAINTEST_DB).all()


def test_many_windows_are_as_few() -> None:
    waveform = np.random.default_rng(0).integers(-3000, 3000, 16_000 * 3, dtype=np.int16)
    assert level_db(waveform, 64, 4)[4200] == pytest.approx(float(level_db(waveform[4200 * 4 : 4200 * 4 + 64], 64, 4)[0]))


def test_speech_is_louder_than_its_pauses_by_so_much() -> None:
    waveform = np.concatenate([tone(1.0, -40), tone(1.0, -20), tone(1.0, -40)])
    assert speech_to_pause_db(waveform, [(1.0, 2.0)]) == pytest.approx(20, abs=0.1)
    assert speech_to_pause_db(waveform, [(0.98, 2.03)]) == pytest.approx(20, abs=0.1)  # a detector is late by a frame
    noise = np.rint(np.random.default_rng(0).normal(size=48_000) * 32_768 * 10 ** (-25 / 20)).astype(np.int16)
    assert speech_to_pause_db(waveform + noise, [(1.0, 2.0)]) == pytest.approx(6.1, abs=0.5)


@pytest.mark.parametrize("spans", [[], [(0.0, 3.0)], [(0.05, 2.95)], [(1.0, 1.05)]])
def test_without_speech_or_pauses_there_is_no_figure(spans: list[tuple[float, float]]) -> None:
    assert speech_to_pause_db(tone(3.0, -20), spans) is None
    assert speech_to_pause_db(np.zeros(0, np.int16), spans) is None


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match=r"^least_speech_to_pause_db: -1 came. Allowed: 0 or more."):
        LoudnessSettings(-1)
