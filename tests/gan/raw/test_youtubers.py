"""A tiny corpus in Wav2Pix's layout, with overlaps put there on purpose: exact recordings, no leak, right colours."""

import argparse
import io
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from gan.data.corpus import SPLITS, Corpus
from gan.raw import youtubers
from gan.raw.youtubers import prepare_youtubers
from tests.sound import write_wav

CLIP = 2_000  # samples; the real clips have 16,000
SAMPLE = os.environ.get("VOXFACE_REAL_SAMPLE")


def noise(size, seed):
    return np.random.default_rng(seed).normal(0, 3_000, size).astype(np.int16)


def picture(seed):
    """JPEG bytes of a flat blue picture with a little grain, blue where red belongs."""
    rgb = np.array([20, 60, 180]) + np.random.default_rng(seed).integers(-15, 15, (40, 40, 1))
    content = io.BytesIO()
    Image.fromarray(rgb.astype(np.uint8)[..., ::-1]).save(content, "JPEG", quality=95)
    return content.getvalue()


def add_pair(root, split, speaker, number, sound, face):
    folder = root / split / speaker
    folder.mkdir(parents=True, exist_ok=True)
    write_wav(folder / f"preprocessed_frame_{number}.wav", sound)
    (folder / f"cropped_face_frame_{number}.png").write_bytes(face)


@pytest.fixture
def layout(tmp_path):
    """Two speakers with 12 separate pictures each (two cuts a picture), and the joins named below."""
    root = tmp_path / "youtubers"
    for s, speaker in enumerate(("ana", "bruno")):
        for k in range(12):
            sound = noise(3_000, 100 * s + k)
            number = 1_000 * s + 5 * k
            add_pair(root, "train", speaker, number, sound[:CLIP], picture(100 * s + k))
            add_pair(root, "train", speaker, number + 1, sound[1_000:], picture(100 * s + k))
        for k in range(4):
            seed = 1_000 + 100 * s + k
            add_pair(root, "test", speaker, 500 * s + 5 * k, noise(CLIP, seed), picture(seed))
    # ana: test 0 holds 512 samples of train 10; 511 of train 20 do not count.
    mixed = noise(CLIP, 77)
    mixed[300:812] = noise(3_000, 2)[1_200:1_712]
    mixed[900:1_411] = noise(3_000, 4)[100:611]
    add_pair(root, "test", "ana", 0, mixed, picture(1_000))
    # ana and bruno share a jingle: train 55 and bruno's test 500.
    jingle = noise(3_000, 11)[:700]
    add_pair(root, "test", "bruno", 500, np.concatenate([noise(CLIP - 700, 78), jingle]), picture(1_100))
    # bruno: the same picture in both folders.
    add_pair(root, "test", "bruno", 505, noise(CLIP, 79), picture(103))
    # Digital silence in many clips, more than 512 samples long.
    for k in (1, 3, 5, 7):
        silent = noise(CLIP, 200 + k)
        silent[600:1_900] = 0
        add_pair(root, "train", "ana", 5 * k + 2, silent, picture(k))
    return root


def options(**changes):
    parser = argparse.ArgumentParser()
    youtubers.add_arguments(parser)
    args = parser.parse_args(["FOLDER"])
    for name, value in changes.items():
        setattr(args, name, value)
    return args


def windows(corpus, split):
    """Every run of 512 samples of a split that is not constant, as the number it makes with one fixed random vector."""
    vector = np.random.default_rng(0).integers(-(2**62), 2**62, 512)
    found = set()
    for c in corpus.in_split(corpus.clips, split):
        runs = np.lib.stride_tricks.sliding_window_view(corpus.waveform(c).astype(np.int64), 512)
        found.update((runs @ vector)[runs.max(axis=1) > runs.min(axis=1)].tolist())
    return found


def test_recordings_are_exactly_the_joins_put_there(layout, tmp_path):
    report = prepare_youtubers(layout, tmp_path / "out")
    # ana: 12 pictures, of which 4 have a third cut and one joins test 0 (train 20 does not: 511 samples).
    assert report.recordings["ana"] == [3] * 5 + [2] * 7 + [1] * 3
    assert report.recordings["bruno"] == [3] + [2] * 11 + [1] * 3
    assert (report.joined_across_folders, report.shared_between_speakers) == (3, 1)
    assert report.pairs == 24 + 4 + 24 + 4 + 4
    assert report.bad == []


def test_no_sound_or_picture_is_on_both_sides(layout, tmp_path):
    prepare_youtubers(layout, tmp_path / "out", val_fraction=0.2, unseen_fraction=0.3)
    corpus = Corpus(tmp_path / "out")
    heard = {split: windows(corpus, split) for split in ("train", "val_speech", "unseen_speech")}
    seen = {split: {corpus.pixels([f], 64).tobytes() for f in corpus.in_split(corpus.faces, split)} for split in heard}
    for a, b in (("train", "val_speech"), ("train", "unseen_speech"), ("val_speech", "unseen_speech")):
        assert not heard[a] & heard[b]
        assert not seen[a] & seen[b]


def test_every_speaker_has_every_split_near_its_fraction(layout, tmp_path):
    report = prepare_youtubers(layout, tmp_path / "out")
    for speaker, total in (("ana", 32), ("bruno", 28)):
        clips = {split: report.clips[split][speaker] for split in ("train", "val_speech", "unseen_speech")}
        assert sum(clips.values()) == total
        assert abs(clips["unseen_speech"] - 0.2 * total) < 2
        assert abs(clips["val_speech"] - 0.1 * total) < 2


def test_the_same_seed_gives_the_same_corpus(layout, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        prepare_youtubers(layout, tmp_path / name, seed=seed)
    a, b, c = (Corpus(tmp_path / name) for name in "abc")
    assert a.checksum == b.checksum != c.checksum


def test_channels_of_opposite_phase_and_transparency_are_counted(layout, tmp_path):
    (wav, *_), (face, *_) = ((layout / "train" / "ana").glob(f"*.{ending}") for ending in ("wav", "png"))
    sound = noise(CLIP, 1_234)
    soundfile.write(wav, np.stack([sound, -sound], axis=1), 16_000)
    Image.new("RGBA", (40, 40), (9, 9, 9, 0)).save(face)
    printed = str(prepare_youtubers(layout, tmp_path / "out"))
    assert "\n1 files: channels of opposite phase" in printed
    assert "\n1 files: transparent parts" in printed


def test_endings_in_capitals_are_paired(layout, tmp_path):
    whole = prepare_youtubers(layout, tmp_path / "a")
    for path in list((layout / "train").rglob("*.*")):
        path.rename(path.with_suffix(path.suffix.upper()))
    assert prepare_youtubers(layout, tmp_path / "b").pairs == whole.pairs
    assert Corpus(tmp_path / "a").checksum == Corpus(tmp_path / "b").checksum


def test_clips_point_to_the_face_of_their_number_stored_once(layout, tmp_path):
    prepare_youtubers(layout, tmp_path / "out")
    corpus = Corpus(tmp_path / "out")
    assert len(corpus.faces) == 12 + 12 + 4 + 4 - 1  # the picture in both folders is one
    assert (corpus.clips["face"] >= 0).all()
    faces = corpus.faces[corpus.clips["face"]]
    for field in ("speaker", "recording", "split"):
        assert np.array_equal(faces[field], corpus.clips[field])
    corpus.verify()


@pytest.mark.parametrize("swap", [True, False])
def test_red_and_blue(layout, tmp_path, swap):
    prepare_youtubers(layout, tmp_path / "out", swap_red_blue=swap)
    red, _, blue = Corpus(tmp_path / "out").pixels([0], 64)[0].reshape(-1, 3).mean(axis=0)
    assert (blue > red + 50) == swap


def test_keep_split_keeps_it_and_the_report_measures_the_leak(layout, tmp_path):
    report = prepare_youtubers(layout, tmp_path / "out", keep_split=True)
    corpus = Corpus(tmp_path / "out")
    counted = Counter(SPLITS[s] for s in corpus.clips["split"])
    assert counted == {"train": 52, "unseen_speech": 8}
    # 512 samples of ana's test 0, and 700 of bruno's 500; bruno's 505 shares its picture only.
    assert report.test_in_train == {"samples": pytest.approx((512 + 700) / (8 * CLIP)), "clips": 2, "of": 8}
    assert "7.6%" in str(report)
    assert "not of unseen speech" in str(report)


def test_wide_nearness_makes_one_recording_of_each_folder(layout, tmp_path):
    report = prepare_youtubers(layout, tmp_path / "out", near=5)
    assert report.recordings["ana"] == [32]
    assert report.clips["train"]["ana"] == 32
    assert "ana: no unseen_speech" in str(report)


def test_bad_pairs_are_left_out_and_named(layout, tmp_path, capsys):
    folder = layout / "train" / "ana"
    (folder / "preprocessed_frame_0.wav").write_text("not sound")
    (folder / "cropped_face_frame_10.png").write_bytes(b"not a picture")
    (folder / "cropped_face_frame_1.png").unlink()
    assert youtubers.main(options(folder=str(layout), out=str(tmp_path / "out"))) == 1
    printed = capsys.readouterr().out
    for name in ("preprocessed_frame_0.wav: not sound", "frame_10.png: not a readable", "cropped_face_frame_1.png"):
        assert name in printed
    assert len(Corpus(tmp_path / "out").clips) == 60 - 3


def test_the_command_prints_its_report_and_exits_0(layout, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert youtubers.main(options(folder=str(layout))) == 0
    printed = capsys.readouterr().out
    assert "60 pairs, 31 different faces, 2 speakers" in printed
    assert "unseen_speech" in printed
    assert Corpus("corpora/youtubers").name == "youtubers"


def test_user_mistakes_are_one_line(layout, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder, wanted in ((tmp_path / "nowhere", "no such folder"), (tmp_path / "empty", "no pairs laid out")):
        with pytest.raises(ValueError, match=wanted) as caught:
            prepare_youtubers(folder, tmp_path / "out")
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="fraction"):
        prepare_youtubers(layout, tmp_path / "out", unseen_fraction=0.9)
    assert not (tmp_path / "out").exists()


def test_an_existing_corpus_is_replaced_only_when_asked(layout, tmp_path):
    prepare_youtubers(layout, tmp_path / "out")
    first = Corpus(tmp_path / "out").checksum
    with pytest.raises(ValueError, match="--overwrite"):
        prepare_youtubers(layout, tmp_path / "out", seed=1)
    prepare_youtubers(layout, tmp_path / "out", seed=1, overwrite=True)
    assert Corpus(tmp_path / "out").checksum != first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "youtubers"]
    # A failure leaves the corpus that is there as it was; a folder that is no corpus is never replaced.
    with pytest.raises(ValueError, match="no pairs"):
        prepare_youtubers(tmp_path / "out", tmp_path / "out", overwrite=True)
    Corpus(tmp_path / "out").verify()
    with pytest.raises(ValueError, match="not a corpus"):
        prepare_youtubers(layout, layout, overwrite=True)


@pytest.mark.slow
@pytest.mark.skipif(not SAMPLE, reason="VOXFACE_REAL_SAMPLE does not name the youtubers sample")
def test_real_sample(tmp_path):
    report = prepare_youtubers(Path(SAMPLE or ""), tmp_path / "out")
    assert (report.pairs, report.faces) == (176, 104)
    assert [len(sizes) for sizes in report.recordings.values()] == [50, 48]
    assert max(max(sizes) for sizes in report.recordings.values()) == 4
    assert report.joined_across_folders == 3
    assert report.test_in_train == {"samples": pytest.approx(0.0496, abs=1e-4), "clips": 3, "of": 32}
    for speaker in report.recordings:
        assert [report.clips[split][speaker] for split in ("train", "val_speech", "unseen_speech")] == [61, 9, 18]
    corpus = Corpus(tmp_path / "out")
    heard = {split: windows(corpus, split) for split in report.clips}
    assert not heard["train"] & heard["unseen_speech"]
    assert not heard["train"] & heard["val_speech"]
    red, _, blue = corpus.pixels(np.arange(len(corpus.faces)), 64).reshape(-1, 3).mean(axis=0)
    assert red > blue  # skin, not its negative
