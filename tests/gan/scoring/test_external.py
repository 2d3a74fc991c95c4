from collections.abc import Mapping
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
from PIL import Image

from gan.__main__ import main
from gan.config import Evaluation
from gan.data.corpus import Corpus
from gan.data.pictures import resize, write_face
from gan.scoring.external import trial_of_folders
from gan.scoring.rows import read_rows

WHOLE = (0.0, 0.0, 1.0, 1.0)
Faces = Mapping[str, np.ndarray]
# Compared pixel by pixel only: the frozen nets have their own tests.
L1 = [
    "evaluation.metrics={l1: {name: pixels}}",
    *(
        f"evaluation.metrics.{name}=null"
        for name in ("similarity", "recall", "landmarks_hog", "landmarks_mtcnn", "identity_accuracy", "frechet")
    ),
]


def folder(path: Path, faces: Faces) -> Path:
    for name, pictures in faces.items():
        (path / name).mkdir(parents=True)
        for number, picture in enumerate(pictures):
            write_face(path / name / f"{number}.png", picture)
    return path


def of(corpus: Corpus, split: str, size: int = 64) -> dict[str, np.ndarray]:
    """The first three speakers' faces of a split, by name."""
    rows = corpus.in_split(corpus.faces, split)
    return {
        corpus.speakers[speaker]["speaker"]: corpus.pixels(rows[corpus.faces["speaker"][rows] == speaker], size)
        for speaker in np.unique(corpus.faces["speaker"][rows])[:3]
    }


@pytest.fixture
def real(tiny: Corpus) -> dict[str, np.ndarray]:
    return of(tiny, "unseen_speech")


def evaluated(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, list[str]]:
    capsys.readouterr()
    code = main(["evaluate", *words])
    said = capsys.readouterr()
    return code, said.out, said.err.splitlines()


# -- scored as our own are --------------------------------------------------------------------------------------------


def test_l1_by_hand(real: Faces, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One reference face a speaker, so that it is known which one is the target."""
    drawn = {name: faces // 2 for name, faces in real.items()}
    code, out, err = evaluated(
        capsys,
        "--faces",
        str(folder(tmp_path / "anybodys", drawn)),
        "--reference",
        str(folder(tmp_path / "true", {name: faces[:1] for name, faces in real.items()})),
        *L1,
        "--out",
        str(tmp_path),
    )
    assert (code, err) == (0, [])
    (row,) = read_rows(tmp_path / "results.jsonl")
    by_hand = np.mean([np.abs(drawn[name].astype(float) - faces[:1]).mean() for name, faces in real.items()])
    assert row["value"] == pytest.approx(by_hand)
    assert f"l1 {by_hand:.4g}" in out
    with np.load(row["scores"]) as scores:
        assert scores["speaker"].tolist() == [0, 0, 1, 1, 2, 2]
        assert scores["run"].tolist() == [0, 1, 0, 1, 0, 1]


def test_transparent_pictures_are_said(real: Faces, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = folder(tmp_path / "drawn", real)
    name = min(real)
    Image.fromarray(real[name][0]).convert("RGBA").resize((64, 64)).save(drawn / name / "0.png")
    Image.new("RGBA", (64, 64), (255, 0, 255, 0)).save(drawn / name / "1.PNG")
    words = ["--faces", str(drawn), "--reference", str(folder(tmp_path / "true", real)), *L1, "--out", str(tmp_path)]
    code, _, err = evaluated(capsys, *words)
    assert (code, err) == (0, [f"{drawn / name / '1.PNG'}: transparent parts, white put behind them."])
    assert read_rows(tmp_path / "results.jsonl")[0]["protocol"]["num_faces"] == 7


def test_pictures_that_nothing_reads_are_listed(real: Faces, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn, true = folder(tmp_path / "drawn", real), folder(tmp_path / "true", real)
    for path in (drawn / min(real) / "a.HEIC", true / min(real) / "._0.png", true / min(real) / "notes.txt"):
        path.touch()
    code, out, err = evaluated(capsys, "--faces", str(drawn), "--reference", str(true), *L1, "--out", str(tmp_path))
    assert (code, len(err)) == (1, 1)
    assert err[0].startswith(f"left out: {drawn}: 1 .heic: not read here")
    assert "l1 " in out


def test_names_composed_and_not_are_the_same(real: Faces, tmp_path: Path) -> None:
    faces = next(iter(real.values()))
    drawn, true = (folder(tmp_path / form, {normalize(form, "Zoë"): faces}) for form in ("NFC", "NFD"))
    trial, bad = trial_of_folders(drawn, true, None, WHOLE, Evaluation())
    assert (len(trial.generated), bad) == (len(faces), [])


def test_where_all_is_skipped_the_line_says_why(real: Faces, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = folder(tmp_path / "drawn", real)
    judge = "evaluation.metrics={judge: {name: identity_accuracy, steps: 5}, l1: null}"
    code, out, err = evaluated(
        capsys, "--faces", str(drawn), "--reference", str(folder(tmp_path / "true", real)), *L1, judge, "--out", str(tmp_path)
    )
    assert code == 1
    assert out.startswith(f"{drawn}: skipped: ")
    assert err[-1] == f"left out: {drawn}: all of it, nothing was scored."


def test_rows_say_what_they_are_of(real: Faces, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = folder(tmp_path / "a", {name: faces[::-1] for name, faces in real.items()}), folder(tmp_path / "b", real)
    reference = folder(tmp_path / "true", real)
    for faces in (a, b):
        assert evaluated(capsys, "--faces", str(faces), "--reference", str(reference), *L1, "--out", str(tmp_path))[0] == 0
    for row, name in zip(read_rows(tmp_path / "results.jsonl"), "ab", strict=True):
        assert (row["system"], row["recipe"], row["control"], row["run"], row["split"]) == (name, name, False, None, "external")
        assert row["corpus"] == "true"
        assert len(row["corpus_checksum"]) == 64
        assert row["protocol"] == dict(
            name="default", runs=10, seconds=None, seed=0, face_size=64, speakers=3, num_faces=6, gallery=6
        )
    assert main(["table", str(tmp_path / "results.jsonl"), "--compare", "a", "b"]) == 0
    table = capsys.readouterr().out
    assert table.count("### true, split `external`") == 1  # one table, as the reference faces are the same
    assert "| a |" in table
    assert "| a − b |" in table


@pytest.mark.slow
def test_the_checksum_is_of_the_reference_faces(real: Faces, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faces = folder(tmp_path / "drawn", real)
    changed = {name: pictures.copy() for name, pictures in real.items()}
    changed[next(iter(real))][0, 0, 0, 0] ^= 1
    for name, reference in (("true", real), ("elsewhere", real), ("changed", changed)):
        evaluated(
            capsys, "--faces", str(faces), "--reference", str(folder(tmp_path / name, reference)), *L1, "--out", str(tmp_path)
        )
    first, same, other = (row["corpus_checksum"] for row in read_rows(tmp_path / "results.jsonl"))
    assert first == same != other


@pytest.mark.slow
def test_training_faces_let_a_judge_be_trained(
    tiny: Corpus, real: Faces, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "--faces",
        str(folder(tmp_path / "drawn", real)),
        "--reference",
        str(folder(tmp_path / "true", real)),
        *L1,
        "evaluation.metrics.identity_accuracy={name: identity_accuracy, steps: 5}",
        "--out",
        str(tmp_path),
    ]
    assert evaluated(capsys, *words)[0] == 0
    assert evaluated(capsys, *words, "--training", str(folder(tmp_path / "further", of(tiny, "train"))))[0] == 0
    without, trained = (row for row in read_rows(tmp_path / "results.jsonl") if row["metric"] == "identity_accuracy")
    assert without["value"] is None
    assert without["note"].startswith("skipped: ")
    assert trained["value"] is not None
    assert trained["chance"] == pytest.approx(1 / 3)


@pytest.mark.slow
def test_a_protocol_is_taken(real: Faces, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        evaluated(
            capsys,
            "--faces",
            str(folder(tmp_path / "drawn", real)),
            "--reference",
            str(folder(tmp_path / "true", real)),
            "--protocol",
            "voice2face-paper",
            "evaluation.metrics.verification=null",
            "--out",
            str(tmp_path),
        )[0]
        == 0
    )
    found = {row["metric"]: row for row in read_rows(tmp_path / "results.jsonl")}
    assert {row["protocol"]["name"] for row in found.values()} == {"voice2face-paper"}
    assert found["matching"]["value"] == 1.0  # the real faces themselves
    assert found["matching/sex"]["note"].startswith("skipped: ")  # nothing is known of the speakers
    assert "skipped: " in found["matching_facenet"]["note"]
    assert "verification/auc" not in found


# -- the trial --------------------------------------------------------------------------------------------------------


def test_the_trial(tiny: Corpus, real: Faces, tmp_path: Path) -> None:
    more = of(tiny, "train")
    trial, bad = trial_of_folders(
        folder(tmp_path / "drawn", dict(list(real.items())[1:])),
        folder(tmp_path / "true", real),
        folder(tmp_path / "further", more | {"another": real[min(real)]}),
        WHOLE,
        Evaluation(),
    )
    assert bad == []
    number = {name: at for at, name in enumerate(sorted([*real, "another"]))}
    for owners, faces in ((trial.speaker, dict(list(real.items())[1:])), (trial.gallery_speaker, real)):
        assert owners.tolist() == [number[name] for name in sorted(faces) for _ in faces[name]]
    assert set(trial.training_speaker.tolist()) == {number[name] for name in [*more, "another"]}
    for speaker, target in zip(trial.speaker, trial.target, strict=True):
        (name,) = (name for name, at in number.items() if at == speaker)
        assert any(np.array_equal(target, face) for face in real[name])


def test_few_reference_faces_of_each(tiny: Corpus, real: Faces, tmp_path: Path) -> None:
    drawn, true = folder(tmp_path / "drawn", real), folder(tmp_path / "true", real)
    further = folder(tmp_path / "further", of(tiny, "train") | {"another": real[min(real)]})
    settings = Evaluation(faces_per_speaker=1)
    galleries = [trial_of_folders(drawn, true, training, WHOLE, settings)[0] for training in (None, further)]
    for gallery, number in ((galleries[0], [0, 1, 2]), (galleries[1], [1, 2, 3])):
        assert gallery.gallery_speaker.tolist() == number
        assert all(
            any(np.array_equal(face, one) for one in real[name]) for face, name in zip(gallery.gallery, sorted(real), strict=True)
        )
    assert np.array_equal(galleries[0].gallery, galleries[1].gallery)


def test_pictures_of_several_sizes_are_brought_to_the_smallest(tiny: Corpus, real: Faces, tmp_path: Path) -> None:
    first, *others = real
    drawn = {first: of(tiny, "unseen_speech", 128)[first]} | {name: real[name] for name in others}
    faces, reference = folder(tmp_path / "drawn", drawn), folder(tmp_path / "true", of(tiny, "unseen_speech", 128))
    trial, _ = trial_of_folders(faces, reference, None, WHOLE, Evaluation())
    assert trial.generated.shape == trial.target.shape == (6, 64, 64, 3)
    assert trial.training.shape == (0, 64, 64, 3)
    assert np.array_equal(trial.generated[0], resize(drawn[first][0], 64))
    assert trial_of_folders(faces, reference, None, WHOLE, Evaluation(face_size=32))[0].gallery.shape == (6, 32, 32, 3)


# -- what cannot be scored --------------------------------------------------------------------------------------------


def test_what_is_left_out_is_listed(real: Faces, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unreadable picture; a speaker without reference; one whose reference cannot be read. The others are scored."""
    first, second, third = sorted(real)
    faces = folder(tmp_path / "drawn", dict(real) | {"stranger": real[first]})
    reference = folder(tmp_path / "true", {name: real[name] for name in (first, second)} | {third: real[third][:1]})
    (faces / first / "1.png").write_text("text")
    (reference / third / "0.png").write_text("text")
    code, out, err = evaluated(capsys, "--faces", str(faces), "--reference", str(reference), *L1, "--out", str(tmp_path))
    assert code == 1
    assert "l1 " in out
    assert all(line.startswith("left out: ") for line in err)
    assert {line.removeprefix("left out: ").split(":")[0] for line in err} == {
        str(faces / "stranger"),
        str(faces / first / "1.png"),
        str(reference / third / "0.png"),
        str(faces / third),
    }
    (row,) = read_rows(tmp_path / "results.jsonl")
    assert (row["protocol"]["speakers"], row["protocol"]["num_faces"], row["protocol"]["gallery"]) == (2, 3, 4)


def nothing(path: Path, faces: Faces) -> None:
    path.mkdir()


def loose(path: Path, faces: Faces) -> None:
    """No folder a speaker."""
    path.mkdir()
    write_face(path / "a.png", next(iter(faces.values()))[0])


def others(path: Path, faces: Faces) -> None:
    folder(path, {f"not {name}": pictures for name, pictures in faces.items()})


def unreadable(path: Path, faces: Faces) -> None:
    for picture in folder(path, faces).glob("*/*.png"):
        picture.write_text("text")


def missing(path: Path, faces: Faces) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (nothing, "no pictures in folders below it"),
        (loose, "no pictures in folders below it"),
        (others, "no folder in it has the name of a folder in"),
        (unreadable, "could be read"),
        (missing, "not a folder"),
    ],
)
@pytest.mark.parametrize("which", ["faces", "reference"])
def test_nothing_to_compare_is_one_line(
    which: str, make, said: str, real: Faces, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / which, real)
    folder(tmp_path / ({"faces", "reference"} - {which}).pop(), real)
    code, out, err = evaluated(
        capsys, "--faces", str(tmp_path / "faces"), "--reference", str(tmp_path / "reference"), *L1, "--out", str(tmp_path)
    )
    assert (code, out, len(err)) == (2, "", 1)
    assert said in err[0] or (which == "faces" and make is unreadable and "not a readable picture" in err[0])
    assert not (tmp_path / "results.jsonl").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--faces", "drawn"], "--faces: goes with --reference"),
        (["--faces", "drawn", "--reference", "true", "prior"], "--faces: goes with --reference, and without runs"),
        (["--faces", "drawn", "--reference", "true", "--corpus", "toy:tiny"], "--faces: goes with --reference, and without"),
        (["--faces", "drawn", "--reference", "true", "--split", "train"], "--faces: goes with --reference, and without"),
        (["--faces", "drawn", "--reference", "true", "--sheet", "x.png"], "--faces: goes with --reference, and without"),
        (["prior", "--reference", "true"], "--reference, --training: go with --faces"),
        (["prior", "--training", "true"], "--reference, --training: go with --faces"),
        (["--faces", "drawn", "--reference", "true", "--face-box", "0.5", "0", "0.4", "1"], "face_box"),
    ],
)
def test_words_that_do_not_go_together(
    words: list[str], said: str, real: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "drawn", real)
    folder(tmp_path / "true", real)
    code, _, err = evaluated(capsys, *words, *L1)
    assert (code, len(err)) == (2, 1)
    assert said in err[0]
