"""Mels that others published -> a corpus that recipes starting at log-mel train on as they train on sound."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gan.__main__ import main
from gan.audit.report import examine
from gan.build import build
from gan.data.corpus import SPLITS, Corpus
from gan.data.dataset import Batches
from gan.data.pictures import write_face
from gan.data.writer import CorpusWriter
from gan.experiments._study import Study
from gan.features.base import Features, check_hears
from gan.raw.mels import MADE, film_of, frames_of, prepare_mels
from gan.raw.splits import Splitting
from gan.recipes import load
from gan.run import load as load_run
from gan.scoring.evaluate import evaluate_runs
from gan.training.start import train
from tests.conftest import Once
from tests.recipes import ONLY_L1, QUICK

TERMS = dict(licence="CC0-1.0", consent="Nobody's: the toy world.")


def log_mel(waveform: np.ndarray, kind: str = "SF2F") -> np.ndarray:
    """(F, M) as they are stored: of SF2F not standardised."""
    plain = {"mean": 0.0, "std": 1.0} if kind == "SF2F" else {"repeat_to_seconds": None}
    features = build(Features, MADE[kind] | plain, "features", sample_rate_hz=16_000)
    return features(torch.from_numpy(waveform)[None], torch.tensor([len(waveform)]))[0][0].T.contiguous().numpy()


def published(folder: Path, corpus: Corpus, kind: str = "SF2F") -> None:
    """What SF2F or voice2face would have stored of a corpus: folder/mels and folder/faces, one subfolder a person."""
    for number in range(len(corpus.clips)):
        row = corpus.clips[number]
        person = corpus.speakers[row["speaker"]]["speaker"]
        frames = log_mel(corpus.speech(number), kind)
        stem = folder / "mels" / person / f"id{10000 + row['speaker']}_film-{row['recording']}_{number:05d}"
        stem.parent.mkdir(parents=True, exist_ok=True)
        if kind == "SF2F":
            stored = {"LogMel_Features": frames.T.astype(np.float64), "spkid": "a", "clipid": "b", "wavid": "c"}
            stem.with_suffix(".pickle").write_bytes(pickle.dumps(stored))
        else:
            np.save(stem.with_suffix(".npy"), frames)
    for number in range(len(corpus.faces)):
        picture = folder / "faces" / corpus.speakers[corpus.faces[number]["speaker"]]["speaker"] / f"{number}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        write_face(picture, corpus.pixels([number], 64)[0])


@pytest.fixture(scope="module")
def stored(tiny: Corpus, once: Once) -> Path:
    return once("mels", lambda folder: published(folder, tiny))


@pytest.fixture(scope="module")
def mels(stored: Path, once: Once) -> Corpus:
    def make(folder: Path) -> None:
        prepare_mels(stored / "mels", stored / "faces", folder / "corpus", Splitting(), face_sizes=(64,), **TERMS)

    return Corpus(once("mel-corpus", make) / "corpus")


@pytest.mark.slow
def test_every_utterance_is_there_and_films_are_not_parted(tiny: Corpus, mels: Corpus) -> None:
    assert len(mels.clips) == len(tiny.clips)
    assert mels.info["schema_version"] == 2
    assert mels.stored.rate_hz == 100
    mels.verify()
    by_film: dict[str, set[str]] = {}
    for row in mels.recordings:
        if row["media"]:
            by_film.setdefault(row["media"], set()).add(row["split"])
    assert len(by_film) == len(np.unique(tiny.clips["recording"]))
    assert all(len(splits) == 1 for splits in by_film.values())
    assert {row["split"] for row in mels.speakers} == {"train", "val_speaker", "unseen_speaker"}
    assert np.bincount(mels.clips["split"], minlength=len(SPLITS)).all()
    first = next(n for n in range(len(tiny.clips)) if tiny.clips[n]["recording"] == 0)
    wanted = log_mel(tiny.speech(first))
    found = [mels.speech(n) for n in range(len(mels.clips)) if len(mels.speech(n)) == len(wanted)]
    assert any(np.array_equal(frames, wanted) for frames in found)


@pytest.mark.slow
def test_batches_are_those_of_sound(tiny: Corpus, tmp_path: Path) -> None:
    """The same clips whole, once as sound and once as the frames that features make of it: an encoder is given the same."""
    with CorpusWriter(tmp_path / "mels", name="m", source="s", mels=MADE["SF2F"], **TERMS) as writer:
        for row in tiny.speakers:
            writer.add_speaker(row["speaker"], row["split"])
        names = {row["speaker"]: number for number, row in enumerate(tiny.speakers)}
        for row in tiny.recordings:
            writer.add_recording(names[row["speaker"]], row["source"], row["split"])
        for number in range(len(tiny.faces)):
            face = {size: tiny.pixels([number], size)[0] for size in tiny.face_sizes}
            writer.add_face(int(tiny.faces[number]["recording"]), face)
        for number in range(len(tiny.clips)):
            row = tiny.clips[number]
            writer.add_clip(int(row["recording"]), log_mel(tiny.speech(number)), int(row["face"]))
    features = build(Features, {"name": "log_mel"}, "features", sample_rate_hz=16_000)
    settings: dict[str, Any] = dict(pairing="identity", batch_size=8, seed=0, face_size=64, pixel_space="unit", mismatched=True)
    for segments in (1, 2):
        ours, theirs = (
            Batches(corpus, clip_seconds=(5.0, 5.0), segments=segments, **settings)[1]
            for corpus in (tiny, Corpus(tmp_path / "mels"))
        )
        for one, other in zip(ours[2:], theirs[2:], strict=True):
            assert torch.equal(one, other)
        present = ours.num_samples.flatten() > 0
        heard, frames = features(ours.waveform.flatten(0, -2)[present], ours.num_samples.flatten()[present])
        stored, same = features(theirs.waveform.flatten(0, -3)[present], theirs.num_samples.flatten()[present])
        assert torch.equal(frames, same)
        torch.testing.assert_close(stored[:, :, : frames.max()], heard[:, :, : frames.max()], atol=1e-4, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["sf2f-64-tiny", "sf2f-64-fuser-tiny"])
def test_a_run_on_mels_draws_from_mels_and_from_sound(recipe: str, mels: Corpus, tiny: Corpus, tmp_path: Path) -> None:
    config = load(recipe, [*QUICK, f"data.corpus={mels.path}", "train.steps=2"])
    run = load_run(train(config, recipe, tmp_path / "runs"))
    assert run.generate(tiny.speech(0)).shape == (64, 64, 3)
    drawn = run.generator.draw([mels.speech(0), mels.speech(1)[:60]])
    assert drawn.shape == (2, 64, 64, 3)
    evaluate_runs([run], overrides=ONLY_L1, splits=["unseen_speech"], out=tmp_path)
    assert (tmp_path / "results.jsonl").is_file()


@pytest.mark.slow
def test_what_needs_sound_is_refused_by_name(mels: Corpus, runs: dict[str, Path], tmp_path: Path) -> None:
    alone = ["train.init_from=null", "train.init_modules=[]", "train.frozen=[]"]
    for recipe, told in (
        ("wav2pix-64-tiny", "features.name: raw came"),
        ("voice2face-tiny", "features.name: log_mel_hamming came"),
    ):
        config = load(recipe, [*QUICK, *alone, f"data.corpus={mels.path}"])
        with pytest.raises(ValueError, match=told):
            train(config, recipe, tmp_path)
    config = load("sf2f-64-tiny", [*QUICK, f"data.corpus={mels.path}", "features.num_mels=20"])
    with pytest.raises(ValueError, match=r"features.num_mels: 20 came, but the mels of .* were made with 40"):
        train(config, "sf2f", tmp_path)
    with pytest.raises(ValueError, match="published without their sound"):
        mels.waveform(0)
    findings = {finding.check: finding for finding in examine(mels, quick=True)}
    for name in ("shared_audio", "silent", "clipped", "speechless"):
        assert "without their sound" in findings[name].skipped
    assert not findings["imbalance"].skipped
    run = load_run(next(path for name, path in runs.items() if name.startswith("sf2f")))
    with pytest.raises(ValueError, match="Or name sound files with --audio"):
        Study(run, mels)


@pytest.mark.slow
def test_voice2face_arrays_are_read_too(tiny: Corpus, tmp_path: Path) -> None:
    published(tmp_path, tiny, "voice2face")
    command = ["prepare", "mels", str(tmp_path / "mels"), "--faces", str(tmp_path / "faces"), "--out", str(tmp_path / "c")]
    assert main([*command, "--licence", "none", "--consent", "nobody's", "--face-sizes", "64"]) == 0
    corpus = Corpus(tmp_path / "c")
    assert corpus.mels["name"] == "log_mel_hamming"
    recipe = load("voice2face-tiny")
    check_hears(build(Features, recipe.features, "features", sample_rate_hz=16_000), corpus)
    config = load("voice2face-speaker-tiny", [*QUICK, f"data.corpus={corpus.path}", "train.steps=2"])
    assert train(config, "v", tmp_path / "runs").is_dir()


def _of(array: np.ndarray, key: str = "LogMel_Features") -> dict[str, Any]:
    return {key: array, "spkid": "a"}


@pytest.mark.parametrize(
    ("thing", "told"),
    [
        (_of(np.zeros((40, 125), np.float32)), "float32 came; SF2F stores float64"),
        (_of(np.zeros((40, 3))), "3 frames; 25 or more"),
        (_of(np.zeros((125, 40))), r"shape \(125, 40\) came; SF2F stores float64 \(40, frames\)"),
        (_of(np.full((40, 125), np.nan)), "no log-mel frames"),
        (_of(np.zeros((40, 125)), "mel"), "a dictionary without LogMel_Features. Found: mel, spkid"),
        (np.zeros((125, 64), np.int64), "int64 came; voice2face stores floats"),
        (np.zeros(64), r"shape \(64,\) came"),
        ([1], "a list;"),
    ],
)
def test_every_wrong_file_is_told_by_name(thing: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        frames_of(thing)


def few(folder: Path, people: dict[str, str]) -> None:
    """Mels in folders of one name, pictures in folders of another: three of each."""
    for number, (heard, seen) in enumerate(people.items()):
        (folder / "mels" / heard).mkdir(parents=True)
        (folder / "faces" / seen).mkdir(parents=True)
        for at in range(3):
            rng = np.random.default_rng([number, at])
            frames = pickle.dumps(_of(rng.normal(10, 3, (40, 130))))
            (folder / "mels" / heard / f"id1_film{number}{at}_00001.pickle").write_bytes(frames)
            write_face(folder / "faces" / seen / f"{at}.png", rng.integers(0, 255, (64, 64, 3), np.uint8))


@pytest.mark.slow
def test_ids_and_names_meet_through_a_table(tmp_path: Path) -> None:
    few(tmp_path, {"id10001": "Zoe\u0301_Aba", "id10002": "Bo_Bibi,_Jr"})
    table = tmp_path / "vox1_meta.csv"
    table.write_text("VoxCeleb1 ID\tVGGFace1 ID\tSet\nid10001\tZo\u00e9_Aba\tdev\nid10002\tBo_Bibi_Jr.\tdev\n", encoding="utf-8")
    given = dict(face_sizes=(64,), **TERMS)
    with pytest.raises(ValueError, match="give --meta"):
        prepare_mels(tmp_path / "mels", tmp_path / "faces", tmp_path / "c", Splitting(), **given)
    told = prepare_mels(tmp_path / "mels", tmp_path / "faces", tmp_path / "c", Splitting(), meta=[str(table)], **given)
    assert set(told.people) == {"id10001", "id10002"}
    assert told.left_out == []


@pytest.mark.slow
def test_names_spelt_otherwise_meet(tmp_path: Path) -> None:
    few(tmp_path, {"Zo\u00e9_Aba": "Zoe\u0301 Aba", "Bo_Bibi,_Jr.": "Bo_Bibi_Jr"})
    told = prepare_mels(tmp_path / "mels", tmp_path / "faces", tmp_path / "c", Splitting(), face_sizes=(64,), **TERMS)
    assert set(told.people) == {"Zo\u00e9_Aba", "Bo_Bibi,_Jr."}


@pytest.mark.slow
def test_bad_files_cost_only_themselves(tmp_path: Path) -> None:
    """A pickle that calls os.system, one cut short, three frames, an array of objects: each is listed, and nothing is run."""
    for person in ("ana", "ben", "cleo"):
        (tmp_path / "mels" / person).mkdir(parents=True)
        (tmp_path / "faces" / person).mkdir(parents=True)
        for number in range(3):
            frames = np.random.default_rng(number).normal(10, 3, (40, 130))
            (tmp_path / "mels" / person / f"id1_a_b{number}_0000{number}.pickle").write_bytes(pickle.dumps(_of(frames)))
            face = np.random.default_rng(number + len(person)).integers(0, 255, (64, 64, 3), np.uint8)
            write_face(tmp_path / "faces" / person / f"{number}.png", face)
    mark = tmp_path / "was here"

    class Call:
        def __reduce__(self) -> tuple[Callable, tuple[str]]:
            return os.system, (f"touch '{mark}'",)

    bad = tmp_path / "mels" / "ana"
    whole = pickle.dumps(_of(np.zeros((40, 130))))
    (bad / "call.pickle").write_bytes(pickle.dumps(_of(Call())))  # type: ignore[arg-type]
    (bad / "cut.pickle").write_bytes(whole[:2000])
    (bad / "short.pickle").write_bytes(pickle.dumps(_of(np.zeros((40, 3)))))
    np.save(bad / "objects.npy", np.array([{}], object), allow_pickle=True)
    np.save(bad / "other.npy", np.zeros((130, 64), np.float32))
    (tmp_path / "mels" / "lone").mkdir()
    (tmp_path / "mels" / "lone" / "id9_f_1.pickle").write_bytes(whole)
    told = prepare_mels(tmp_path / "mels", tmp_path / "faces", tmp_path / "c", Splitting(), face_sizes=(64,), **TERMS)
    assert not mark.exists()
    reasons = {what: reason for what, _, reason in told.left_out}
    assert "system, which no stored array needs" in reasons["ana/call.pickle"]
    assert "cut short" in reasons["ana/cut.pickle"]
    assert "3 frames" in reasons["ana/short.pickle"]
    assert "disguise" in reasons["ana/objects.npy"]
    assert reasons["ana/other.npy"] == "voice2face's, among SF2F's"
    assert reasons["lone"] == "its mels are left out"
    assert len(Corpus(tmp_path / "c").clips) == 9
    assert not list(tmp_path.glob(".c*"))
    with pytest.raises(ValueError, match="no mels below it"):
        prepare_mels(tmp_path / "faces", tmp_path / "faces", tmp_path / "d", Splitting(), **TERMS)
    assert not list(tmp_path.glob(".d*"))


@pytest.mark.parametrize(
    ("path", "film"),
    [
        ("ana/id10001_1zc_whm-eo4_00001.pickle", "1zc_whm-eo4"),
        ("id10001/-abc_def_hij/00001.npy", "-abc_def_hij"),
        ("id10001/filmname_00003.npy", "filmname"),
        ("id10001/speech.npy", "id10001/speech"),
    ],
)
def test_film_by_the_names(path: str, film: str) -> None:
    assert film_of(Path(path)) == film
