import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import gan
from encoders.fusers.base import Fuser
from evaluation.detectors.base import Detector
from evaluation.extractors.base import Embedder
from evaluation.faces import FaceBox
from gan.data import audio
from gan.data.corpora import open_corpus
from gan.data.corpus import Corpus
from gan.experiments import _study, base
from gan.experiments._judge import Judge, Measured
from gan.experiments._report import markdown
from gan.experiments._voice import Voice, windows
from gan.experiments.base import perform
from gan.run import Run
from gan.sheets import SMALLEST_CELL
from tests.gan.experiments.conftest import Painter, study
from tests.sound import write_wav

FAMILIES = ("fixed", "free")
SHARED = {
    "speakers",
    "faces",
    "similarity",
    "similarity_low",
    "similarity_high",
    "to_others",
    "change",
    "real_similarity",
    "found",
    "real_found",
}
COLUMNS = {
    "audio-length": SHARED | {"seconds"},
    "averaging": SHARED | {"clips", "to_clips", "to_others_clips"},
    "growing-segments": SHARED | {"joined_by", "segments", "seconds"},
    "interpolation": {"a", "pairs", "to_drawn_a", "to_drawn_b", "to_others", "to_real_a", "to_real_b", "found"},
    "unseen-voices": (SHARED - {"change"}) | {"voices", "advantage", "recall@1", "chance_1", "within", "between"},
    "windows": SHARED | {"drawn_from", "within", "between"},
}


class Colour(Embedder):
    """A picture's mean colour."""

    name, label, dim = "colour", "mean colour", 3

    def embed(self, images: np.ndarray, face_box: FaceBox) -> np.ndarray:
        return images.mean(axis=(1, 2)).astype(np.float32)


class Bright(Detector):
    """Finds a face in bright pictures."""

    name = label = "bright"

    def detect(self, images: np.ndarray) -> np.ndarray:
        return images.mean(axis=(1, 2, 3)) > 40


def plain(*colour: int) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.uint8), (8, 8, 3)).copy()


def voice(number: int, *colours: tuple[int, int, int]) -> Voice:
    faces = np.stack([plain(*colour) for colour in colours]) if colours else np.zeros((0, 8, 8, 3), np.uint8)
    return Voice(f"v{number}", number, [], faces)


def judge(*voices: Voice) -> Judge:
    return Judge(voices, (0, 0, 1, 1), Colour(), Bright())


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# -- every experiment on trained runs ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_a_sheet_and_numbers(
    name: str, family: str, loaded: dict[str, Run], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    picture, numbers = perform(name, loaded[family], limit=4, out=tmp_path / "new")
    assert (picture.name, numbers.name) == (f"{name}.png", f"{name}.csv")
    assert sorted(path.name for path in picture.parent.iterdir()) == [numbers.name, picture.name]
    with Image.open(picture) as sheet:
        assert sheet.width > 500
        assert sheet.height > 4 * SMALLEST_CELL
        assert "voxface" in sheet.info["Description"]
    found = rows(numbers)
    assert found
    assert COLUMNS[name] <= set(found[0])
    for row in found:
        for key, value in row.items():
            if value and ("to_" in key or "similarity" in key):
                assert -1.0001 <= float(value) <= 1.0001
            if value and key.startswith(("found", "recall")) and "_" not in key:
                assert 0 <= float(value) <= 1
            if key == "speakers":
                assert value == "4"
    said = capsys.readouterr().out
    assert said.startswith(f"### {name}: {loaded[family].path.name}, step {loaded[family].step}, toy-tiny, ")
    assert said.count("\n| ") == len(found) + 2
    assert str(picture) in said
    again, _ = perform(name, loaded[family], limit=4, out=tmp_path / "again")
    assert picture.read_bytes() == again.read_bytes()


def test_every_experiment_is_tested_and_explained() -> None:
    assert set(base.experiments()) == set(COLUMNS)
    page = (Path(__file__).parents[3] / "docs" / "experiments.md").read_text(encoding="utf-8")
    for name in COLUMNS:
        assert f"  {name} " in base.overview()
        assert f"voxface experiment {name} RUN" in page


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_sound_files_of_ones_own(name: str, loaded: dict[str, Run], tiny: Corpus, tmp_path: Path) -> None:
    """A file is a voice, a folder one voice; what needs real faces is left empty."""
    for number in range(3):
        own = np.flatnonzero(tiny.clips["speaker"] == number)
        (tmp_path / f"person {number}").mkdir()
        for clip in own[:2]:
            write_wav(tmp_path / f"person {number}" / f"{clip}.wav", tiny.waveform(clip))
    write_wav(tmp_path / "alone.wav", tiny.waveform(20))
    audio = [tmp_path / "alone.wav", *(tmp_path / f"person {number}" for number in range(3))]
    _, numbers = perform(name, loaded["free"], audio=audio, out=tmp_path / "out")
    of_files = [row for row in rows(numbers) if row.get("voices") not in ("seen", "unseen")]
    assert of_files
    for row in of_files:
        assert row.get("speakers", "4") == "4"
        assert not row.get("similarity")
        assert not row.get("to_real_a")
        if row.get("faces", "1") != "0":
            assert row["found"]


class First(Fuser):
    """The first segment's embedding, turned round."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, embeddings: Tensor, valid: Tensor) -> Tensor:
        assert valid[:, 0].all()
        return -embeddings[:, 0]


@pytest.mark.slow
def test_a_run_with_a_fuser(loaded: dict[str, Run], tmp_path: Path) -> None:
    run = gan.load(loaded["free"].path, "cpu")
    run.generator.fuser = First()
    run.generator.window_samples = study(loaded["free"], open_corpus("toy:tiny")).window
    _, numbers = perform("growing-segments", run, limit=3, out=tmp_path)
    found = rows(numbers)
    assert [row["segments"] for row in found if row["joined_by"] == "fused"] == ["1", "2", "4", "8", "12", "16", "20"]
    # Its fuser looks at the first segment alone, so that nothing changes; the mean passes the fuser by.
    assert len({row["similarity"] for row in found if row["joined_by"] == "fused"}) == 1
    assert len({row["similarity"] for row in found if row["joined_by"] == "mean embedding"}) == 7
    perform("growing-segments", loaded["free"], limit=3, out=tmp_path / "without")
    without = rows(tmp_path / "without" / "growing-segments.csv")
    assert [row for row in found if row["joined_by"] == "mean embedding"] == [
        row for row in without if row["joined_by"] == "mean embedding"
    ]
    _, numbers = perform("windows", run, limit=3, out=tmp_path)
    assert [row["drawn_from"] for row in rows(numbers)] == ["one window", "fused", "mean embedding", "mean of the windows' faces"]


# -- mistakes, in one line --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (dict(name="audio-lenght"), "Did you mean audio-length"),
        (dict(name="base"), "no experiment base. Have: audio-length, averaging"),
        (dict(limit=0), "--speakers: 0 came"),
        (dict(split="unseen"), "no split named unseen"),
        (dict(name="unseen-voices", split="train"), "--split: train holds people that were trained on"),
        (dict(corpus_name="toy:tinny"), "no toy world tinny"),
        (dict(audio=[Path("nowhere.wav")]), "nowhere.wav: no such file"),
        (dict(audio=[Path(__file__).parent]), "no sound files in this folder"),
        (dict(audio=[Path("a.wav")], split="train"), "--split: sound files belong to no split"),
        (dict(limit=1), "voices: 1 came, this experiment needs 2 or more. Raise --speakers"),
    ],
)
def test_mistakes(given: dict, said: str, loaded: dict[str, Run], tmp_path: Path) -> None:
    with pytest.raises(ValueError) as error:
        perform(**{"name": "interpolation", "run": loaded["free"], "out": tmp_path} | given)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("averaging", "no voice has two clips of 0.5 s"),
        ("windows", "no recording holds two windows of 0.5 s"),
        ("growing-segments", "no voice speaks for a segment of 0.5 s"),
        ("audio-length", "the speech lasts 0.25 s at most"),
        ("interpolation", "voices: 1 came, this experiment needs 2 or more. Name more sound files"),
    ],
)
def test_too_little_speech(name: str, said: str, painter: Painter, tiny: Corpus, tmp_path: Path) -> None:
    write_wav(tmp_path / "short.wav", tiny.waveform(0)[:4000])
    with pytest.raises(ValueError) as error:
        base.find(name)(study(painter, tiny, audio=[tmp_path / "short.wav"]))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_sound_that_nothing_reads_is_said(
    painter: Painter, tiny: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio, "find_spec", lambda name: None)  # as without PyAV
    write_wav(tmp_path / "a.WAV", tiny.waveform(0))
    for name in ("._a.wav", "b.M4A"):
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match="voices: 1 came"):
        base.find("interpolation")(study(painter, tiny, audio=[tmp_path]))
    assert f"{tmp_path}: 1 .m4a: not read here" in capsys.readouterr().err


def test_a_run_that_does_not_hear(painter: Painter, tiny: Corpus) -> None:
    painter.reads = "face"  # type: ignore[misc]
    with pytest.raises(ValueError, match="draws from faces, not from speech"):
        study(painter, tiny)


# -- voices -----------------------------------------------------------------------------------------------------------


def test_voices_of_a_split(painter: Painter, tiny: Corpus) -> None:
    voices = study(painter, tiny).voices("unseen_speaker")
    speakers = np.unique(tiny.clips["speaker"][tiny.in_split(tiny.clips, "unseen_speaker")])
    assert sorted(v.speaker for v in voices) == speakers.tolist()
    for one in voices:
        rows = np.flatnonzero(tiny.faces["speaker"] == one.speaker)
        assert np.array_equal(one.faces, tiny.pixels(rows, 64))
        assert one.name == tiny.speakers[one.speaker]["speaker"]
        assert all(clip.dtype == np.float32 and np.abs(clip).max() <= 1 for clip in one.clips)
        assert sum(map(len, one.clips)) == 10 * 64_000
    few = study(painter, tiny, limit=2).voices("unseen_speaker")
    assert [v.speaker for v in few] == [v.speaker for v in voices][:2]
    assert {v.speaker for seed in range(20) for v in study(painter, tiny, limit=1, seed=seed).voices("unseen_speaker")} == set(
        speakers.tolist()
    )


def test_a_long_voice_is_read_in_part(painter: Painter, tiny: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_study, "SPEECH_SECONDS", 9.0)
    assert [len(v.clips) for v in study(painter, tiny).voices("unseen_speaker")] == [3, 3, 3, 3]
    monkeypatch.setattr(_study, "REAL_FACES", 4)
    assert [len(v.faces) for v in study(painter, tiny).voices("unseen_speaker")] == [4, 4, 4, 4]


def test_faces_of_another_size_than_stored(painter: Painter, tiny: Corpus) -> None:
    painter.generator.image_sizes = (48,)
    assert study(painter, tiny).voices("unseen_speaker")[0].faces.shape[1:] == (48, 48, 3)


def test_windows_of_a_waveform() -> None:
    assert [piece.tolist() for piece in windows(np.arange(7), 4, 2)] == [[0, 1, 2, 3], [2, 3, 4, 5]]
    assert [piece.tolist() for piece in windows(np.arange(4), 4, 2)] == [[0, 1, 2, 3]]
    assert windows(np.arange(3), 4, 2) == []
    own = Voice("v", 0, [np.arange(5), np.arange(10, 12), np.arange(20, 24)], plain(1, 2, 3)[None])
    assert [piece.tolist() for piece in own.crops(2)] == [[0, 1], [2, 3], [10, 11], [20, 21], [22, 23]]


def test_the_mean_of_one_window_is_its_face(loaded: dict[str, Run], tiny: Corpus) -> None:
    """Without noise; and the mean of several is the decoder's picture of the mean embedding."""
    run = loaded["free"]
    own = study(run, tiny, limit=3)
    pieces = [voice.crops(own.window)[:3] for voice in own.voices("unseen_speech")]
    assert np.abs(own.draw_mean([of[:1] for of in pieces]).astype(int) - own.draw([of[0] for of in pieces])).max() <= 1
    together = own.draw_mean([pieces[0], pieces[1][:2], pieces[2]])
    assert np.abs(together[1].astype(int) - own.draw_mean([pieces[1][:2]])[0]).max() <= 1
    embedded = run.generator.embeddings(pieces[1][:2]).mean(axis=0, keepdims=True)
    assert run.generator.decoder is not None
    with torch.no_grad():
        face = run.generator.decoder(torch.from_numpy(embedded))[64]
    written = gan.data.faces.to_uint8(face, run.generator.decoder.pixel_space)[0]
    assert np.abs(together[1].astype(int) - written).max() <= 1


def test_noise_is_kept_from_call_to_call(loaded: dict[str, Run], tiny: Corpus) -> None:
    own = study(loaded["fixed"], tiny, limit=3)
    speech = [voice.clips[0] for voice in own.voices("unseen_speech")]
    assert np.array_equal(own.draw(speech), own.draw(speech))
    assert not np.array_equal(own.draw(speech[:1] * 2)[0], own.draw(speech[:1] * 2)[1])
    assert not np.array_equal(own.draw(speech), study(loaded["fixed"], tiny, limit=3, seed=1).draw(speech))
    pieces = [[clip[:4096]] for clip in speech]
    assert np.array_equal(own.draw_mean(pieces), own.draw_mean(pieces))


# -- the numbers ------------------------------------------------------------------------------------------------------


def test_to_real_faces_by_hand() -> None:
    """Red, green and blue people; colours are their own embeddings."""
    judged = judge(voice(0, (200, 0, 0), (100, 0, 0)), voice(1, (0, 50, 0)), voice(2, (0, 0, 80)))
    drawn = np.stack([plain(90, 0, 0), plain(0, 0, 70), plain(30, 40, 0)])
    own, others = judged.to_real(judged.embed(drawn), np.array([0, 1, 1]))
    assert own == pytest.approx([1, 0, 0.8])
    assert others == pytest.approx([0, 0.5, 0.3])
    assert judged.found(drawn).tolist() == [0, 0, 0]
    assert judged.found(np.stack([plain(50, 50, 50)])).tolist() == [1]
    assert judged.real_similarity() == pytest.approx(1)  # only the first has two faces
    assert judged.real_found() == pytest.approx((0.5 + 0 + 0) / 3)


def test_voices_without_real_faces() -> None:
    judged = judge(voice(0), voice(1, (0, 50, 0)))
    own, others = judged.to_real(judged.embed(np.stack([plain(9, 0, 0), plain(0, 9, 0)])), np.array([0, 1]))
    assert np.isnan(own).tolist() == [True, False]
    assert np.isnan(others).tolist() == [False, True]
    nobody = judge(voice(0), voice(1))
    assert math.isnan(nobody.real_similarity())
    assert math.isnan(nobody.real_found())
    assert math.isnan(nobody.measure(nobody.to_real(nobody.embed(plain(1, 2, 3)[None]), np.array([0]))[0], np.array([0])).value)


def test_speakers_count_once_and_changes_are_paired() -> None:
    judged = judge(voice(0, (1, 0, 0)), voice(1, (0, 1, 0)))
    found = judged.measure(np.array([1.0, 1.0, 1.0, 0.0]), np.array([0, 0, 0, 1]))
    assert found.value == 0.5
    assert found.low <= 0.5 <= found.high
    change = judged.change(np.array([0.3, 0.7]), np.array([0, 1]), np.array([0.1, 0.2, 0.6]), np.array([0, 0, 1]))
    assert change.value == pytest.approx((0.15 + 0.1) / 2)


def test_numbers_as_text() -> None:
    table = markdown(
        [
            dict(way="a|b", a=0.10000001, found=Measured(0.5, 0.25, 0.75), none=math.nan, faces=12),
            dict(way="c", a=1.0, found=Measured(math.nan), none=Measured(math.nan), faces=3),
        ]
    )
    assert table == (
        "| way | a | found | faces |\n| --- | ---: | ---: | ---: |\n| a\\|b | 0.1 | 0.500 [0.250, 0.750] | 12 |\n| c | 1 |  | 3 |"
    )
    assert str(Measured(0.5)) == "0.500"
