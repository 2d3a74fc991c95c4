from pathlib import Path

import numpy as np
import pytest

from gan.audit.shared_audio import check
from tests.gan.audit.planted import Planted


def test_people_who_talk_on_share_nothing(planted: Planted, tmp_path: Path) -> None:
    finding = check(planted.write(tmp_path / "c"))
    assert finding.checked == 22
    assert not finding.items


def test_a_short_exact_run(planted: Planted, tmp_path: Path) -> None:
    """40 ms: too short for a fingerprint."""
    planted.clips[0, 3][20_000:20_640] = planted.clips[0, 0][5_000:5_640]
    (item,) = check(planted.write(tmp_path / "c")).items
    assert item.clip == planted.clip_numbers[0, 3]
    assert item.value == 640 / 16_000
    assert item.other == "train clip 0 (s0, talk0), sample for sample"


def test_a_cut_at_another_level_with_noise(planted: Planted, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    copy = 0.3 * planted.clips[2, 1][3_333:] + random.normal(0, 15, 32_000 - 3_333)
    planted.clips[5, 0][: len(copy)] = np.rint(copy)
    finding = check(planted.write(tmp_path / "c"))
    assert {(item.clip, item.other.partition(",")[0]) for item in finding.items} == {
        (planted.clip_numbers[5, 0], f"train clip {planted.clip_numbers[2, 1]} (s2")
    }
    (item,) = finding.items
    assert 1 < item.value <= len(copy) / 16_000
    assert "by fingerprint" in item.other
    assert finding.notes == ["unseen_speaker: 1 of 3 clips hold sound of train."]


def test_sound_within_one_split_is_no_leak(planted: Planted, tmp_path: Path) -> None:
    planted.clips[0, 1][:] = planted.clips[0, 0]
    assert not check(planted.write(tmp_path / "c")).items


def test_between_two_held_out_splits_too(planted: Planted, tmp_path: Path) -> None:
    """What chooses the checkpoint must not be what it is scored on."""
    planted.clips[1, 3][:] = planted.clips[1, 2]
    (item,) = check(planted.write(tmp_path / "c")).items
    assert (item.split, item.value) == ("unseen_speech", 2.0)
    assert item.other.startswith("val_speech ")


def test_silence_tones_and_room_noise_prove_nothing(planted: Planted, tmp_path: Path) -> None:
    random, time = np.random.default_rng(0), np.arange(32_000) / 16_000
    planted.clips[0, 0], planted.clips[0, 3] = (np.zeros(32_000, np.int16) for _ in range(2))
    for key, level in (((1, 0), 8000), ((1, 3), 4000)):
        planted.clips[key] = np.rint(level * np.sin(2 * np.pi * 440 * time)).astype(np.int16)
    for key in ((2, 0), (2, 3)):
        planted.clips[key] = np.rint(random.normal(0, 300, 32_000)).astype(np.int16)
    pulses = np.where(np.arange(32_000) % 100 == 0, 9000, 0)
    for key, level in (((3, 0), 1.0), ((3, 3), 0.5)):
        planted.clips[key] = np.rint(level * pulses + random.normal(0, 3, 32_000)).astype(np.int16)
    assert not check(planted.write(tmp_path / "c")).items


def test_clips_too_short_for_anything(planted: Planted, tmp_path: Path) -> None:
    planted.clips = {key: clip[:100] for key, clip in planted.clips.items()}
    assert not check(planted.write(tmp_path / "c")).items


@pytest.mark.slow
def test_a_jingle_everyone_begins_with_names_every_clip_but_not_every_pair(planted: Planted, tmp_path: Path) -> None:
    jingle = planted.clips[0, 0][:16_000].copy()
    for clip in planted.clips.values():
        clip[:16_000] = jingle
    finding = check(planted.write(tmp_path / "c"))
    held_out = {planted.clip_numbers[key] for key in planted.clips if planted.split(*key) != "train"}
    assert {item.clip for item in finding.items} == held_out
    assert all(item.value >= 1 for item in finding.items)
    # By either search at most eight of fourteen clips each.
    assert all(sum(item.clip == clip for item in finding.items) <= 16 for clip in held_out)
