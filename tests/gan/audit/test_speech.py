from pathlib import Path

import numpy as np
import pytest

from gan.audit.speech import check
from tests.gan.audit.planted import SAMPLES, Planted

TIME = np.arange(SAMPLES) / 16_000


def noise(loudness: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, loudness, SAMPLES)


FAULTS = {
    "silent": [np.zeros(SAMPLES), noise(20), np.ones(SAMPLES), np.zeros(3)],
    "speechless": [
        noise(800),
        5000 * np.sin(2 * np.pi * 220 * TIME),
        noise(3000) * np.abs(np.sin(2 * np.pi * 2 * TIME)),
        300 * np.sin(2 * np.pi * 50 * TIME) + noise(60),
    ],
}


@pytest.mark.parametrize(("fault", "sound"), [(fault, sound) for fault, sounds in FAULTS.items() for sound in sounds])
def test_each_fault_is_called_by_its_name(fault: str, sound: np.ndarray, planted: Planted, tmp_path: Path) -> None:
    planted.clips[3, 1] = np.rint(sound).astype(np.int16)
    findings = check(planted.write(tmp_path / "c"))
    assert {finding.check: [item.clip for item in finding.items] for finding in findings} == {
        "silent": [],
        "clipped": [],
        "speechless": [],
    } | {fault: [planted.clip_numbers[3, 1]]}


def test_speech_that_was_too_loud(planted: Planted, tmp_path: Path) -> None:
    loud = planted.clips[4, 0].astype(float)
    planted.clips[4, 0] = np.clip(loud * 40_000 / np.quantile(np.abs(loud), 0.99), -32768, 32767).astype(np.int16)
    silent, clipped, speechless = check(planted.write(tmp_path / "c"))
    assert [item.clip for item in clipped.items] == [planted.clip_numbers[4, 0]]
    assert 1 < clipped.items[0].value < 5
    assert not silent.items
    assert not speechless.items


def test_one_second_of_speech_is_speech(planted: Planted, tmp_path: Path) -> None:
    planted.clips = {key: clip[:16_000] for key, clip in planted.clips.items()}
    assert not any(finding.items for finding in check(planted.write(tmp_path / "c")))
