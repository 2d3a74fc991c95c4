"""Found through what recordings go through, at any shift, and nothing found between different words of one voice."""

import io

import numpy as np
import pytest
import soundfile
from scipy import signal

from gan.audit.fingerprints import matches
from gan.data.corpus import Corpus

CUT = 1_234


def through_mp3(clip: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    soundfile.write(file, clip / 32768, 16_000, format="MP3")
    file.seek(0)
    return soundfile.read(file)[0][: len(clip)] * 32768


DAMAGE = {
    "quieter": lambda clip: 0.2 * clip,
    "noise 20 dB below": lambda clip: clip + np.random.default_rng(0).normal(0, 0.1 * clip.std(), len(clip)),
    "44.1 kHz and back": lambda clip: signal.resample_poly(signal.resample_poly(clip, 441, 160), 160, 441)[: len(clip)],
    "telephone": lambda clip: signal.sosfilt(signal.butter(4, [300, 3400], "bandpass", fs=16_000, output="sos"), clip),
    "mp3": through_mp3,
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_cut_is_found_and_nothing_else(damage: str, tiny: Corpus) -> None:
    clips = [tiny.waveform(clip)[:32_000] for clip in range(0, 60, 2)]
    cut = [np.clip(np.rint(DAMAGE[damage](clip.astype(float)[CUT:])), -32768, 32767).astype(np.int16) for clip in clips]
    found = matches([*clips, *cut], np.repeat([0, 1], len(clips)))
    assert [(match.a, match.b) for match in found] == [(number, number + len(clips)) for number in range(len(clips))]
    # An mp3 decoder may begin late, and a filter delays.
    assert all(abs(match.shift - CUT) < (1_200 if damage in ("mp3", "telephone") else 2) for match in found)
    assert np.median([match.seconds for match in found]) > 1


@pytest.mark.slow
def test_voices_that_say_different_things_have_nothing_in_common(tiny: Corpus) -> None:
    assert not matches([tiny.waveform(clip) for clip in range(60)], np.arange(60))


def test_one_group_alone_and_nothing_at_all(tiny: Corpus) -> None:
    same = [tiny.waveform(0)] * 2
    assert not matches(same, np.zeros(2, np.int64))
    assert matches(same, np.arange(2))
    assert not matches([], np.zeros(0, np.int64))
