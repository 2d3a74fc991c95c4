import json
from pathlib import Path

import numpy as np
import pytest

from gan.__main__ import main
from gan.audit.verdict import verdict_of
from gan.data.corpus import Corpus
from gan.data.writer import CorpusWriter
from gan.raw.remove import find

ABOUT = dict(name="small", source="a test", licence="CC0-1.0", consent="Zoë Adams agreed, Bo Brook agreed")
EXTRA = {"clips": {"Zoë Adams": 2, "Bo Brook": 2}, "bad": [["Zoë Adams/3.wav", "empty"], ["film-one", "short"]], "seed": 3}
# speaker, recording, split, film
RECORDINGS = [
    ("Zoë Adams", "00001", "train", "film-one"),
    ("Zoë Adams", "00002", "train", "-Film_x"),
    ("Bo Brook", "00001", "train", "film-one"),
    ("Bo Brook", "00003", "train", ""),
    ("Cy Clark", "00004", "unseen_speaker", "film-two"),
    ("Di Dale", "00005", "train", "film-3"),
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, entered, with a cache of its own, and in it the corpus c."""
    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    write(Path("c"), RECORDINGS)
    return tmp_path


def write(path: Path, recordings: list[tuple[str, str, str, str]]) -> None:
    """Two clips and a face of each; sounds and pictures tell whose they are, whatever else is in the corpus."""
    with CorpusWriter(path, **ABOUT, face_sizes=(32, 64), extra=EXTRA) as writer:  # type: ignore[arg-type]
        speakers: dict[str, int] = {}
        for name, source, split, film in recordings:
            random = np.random.default_rng(RECORDINGS.index((name, source, split, film)))
            if name not in speakers:
                speakers[name] = writer.add_speaker(name, "train" if split == "train" else split, also=f"id{name[0]}")
            recording = writer.add_recording(speakers[name], source, split, film)
            face = writer.add_face(recording, random.integers(0, 256, (40, 40, 3), np.uint8), {"sharpness": 0.5})
            for _ in range(2):
                writer.add_clip(recording, random.integers(-9_000, 9_000, 800, np.int16), face, {"start_s": 1.25})


def remove(*lines: str, options: tuple[str, ...] = ()) -> int:
    Path("list.txt").write_text("\n".join(lines), encoding="utf-8")
    return main(["prepare", "remove", "c", "list.txt", *options])


def recordings(path: str = "c") -> list[tuple[str, str]]:
    return [(row["speaker"], row["source"]) for row in Corpus(path).recordings]


@pytest.mark.parametrize("name", ["Zoë Adams", "Zoe\N{COMBINING DIAERESIS} Adams", "zoe_adams", "idZ"])
def test_a_person_goes_from_every_file(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = Corpus("c").checksum
    voice = Corpus("c").waveform(0).tobytes()
    assert remove("# asked by letter", "", name) == 0
    said = capsys.readouterr().out
    assert "Removed 1 people and 2 recordings: 4 clips, 2 faces." in said
    assert old in said
    assert "1 recordings that stay are cut from films in which somebody was removed" in said
    corpus = Corpus("c")
    corpus.verify()
    assert f"Audit: {verdict_of(corpus)}" in said
    contents = [path.read_bytes() for path in here.rglob("*") if path.is_file() and path.name != "list.txt"]
    assert not [content for content in contents if b"Adams" in content or "Zoë".encode() in content or voice in content]
    assert corpus.info["consent"] == "[removed] agreed, Bo Brook agreed"
    assert corpus.info["extra"] == {
        "clips": {"Bo Brook": 2},
        "bad": [["[removed]/3.wav", "empty"], ["film-one", "short"]],
        "seed": 3,
        "removed": {"people": 1, "recordings": 2},
    }
    assert sorted(path.name for path in here.iterdir()) == ["c", "cache", "list.txt"]


def test_what_stays_is_as_if_nobody_else_had_been_there(here: Path) -> None:
    """But for the numbers, every file is that of a corpus made without them."""
    assert remove("Bo Brook") == 0
    write(Path("without"), [row for row in RECORDINGS if row[0] != "Bo Brook"])
    assert Corpus("c").checksum == Corpus("without").checksum


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("film-one", {("Zoë Adams", "00001"), ("Bo Brook", "00001")}),  # whoever speaks in it
        ("-Film_x", {("Zoë Adams", "00002")}),
        ("00003", {("Bo Brook", "00003")}),
        ("Bo Brook/00001", {("Bo Brook", "00001")}),
        ("film-two", {("Cy Clark", "00004")}),  # and with it the person, who has no other
    ],
)
def test_films_and_recordings(name: str, gone: set[tuple[str, str]]) -> None:
    before = recordings()
    assert remove(name) == 0
    assert set(before) - set(recordings()) == gone
    assert [row["speaker"] for row in Corpus("c").speakers] == list(dict.fromkeys(speaker for speaker, _ in recordings()))


def test_lines_that_name_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    old = Corpus("c").checksum
    assert remove("Film_X", "Nobody", "00001") == 1
    said = capsys.readouterr().out
    assert "list.txt: Film_X: is nobody, no film and no recording" in said  # a film's signs and case are its own
    assert "list.txt: 00001: 2 people have a recording of that name: write PERSON/RECORDING" in said
    assert "nothing was removed" in said
    assert Corpus("c").checksum == old
    assert remove("Nobody", "film-3") == 1  # done all the same
    assert ("Di Dale", "00005") not in recordings()


def test_twice_is_counted_together() -> None:
    assert remove("Di Dale") == remove("film-two") == 0
    assert Corpus("c").info["extra"]["removed"] == {"people": 2, "recordings": 2}


def test_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    old = Corpus("c").checksum
    assert remove("Di Dale", options=("--out", "d")) == 0
    assert "c was left as it is" in capsys.readouterr().out
    assert Corpus("c").checksum == old
    assert len(recordings("d")) == 5
    assert remove("Di Dale", options=("--out", "d")) == 2  # it is there
    assert remove("Di Dale", options=("--out", "./c")) == 2


def test_what_is_refused_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    old = Corpus("c").checksum
    assert remove("Zoë Adams", "Bo Brook", "Cy Clark") == 2
    assert "1 people would stay" in capsys.readouterr().err
    assert remove("# nobody") == 2
    assert "list.txt: names nobody" in capsys.readouterr().err
    audio = Path("c/audio-00000.npy")
    audio.write_bytes(audio.read_bytes()[:-2] + b"\0\1")
    assert remove("Zoë Adams") == 2
    assert "audio-00000.npy: checksum" in capsys.readouterr().err
    assert json.loads(Path("c/corpus.json").read_text())["checksum"] == old


def test_left_of_a_stopped_preparation_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path(".c.77.old").mkdir()
    assert remove("Di Dale") == 0
    assert ".c.77.old: left by a preparation that was stopped" in capsys.readouterr().out


def test_two_people_of_one_name_go_together() -> None:
    with CorpusWriter("twice", **ABOUT, face_sizes=(8,)) as writer:  # type: ignore[arg-type]
        for name in ("ana", "ana", "bob", "cy"):
            recording = writer.add_recording(writer.add_speaker(name, "train"), f"r{name}", "train")
            writer.add_clip(recording, np.ones(4, np.int16))
    removal = find(Corpus("twice"), ["Ana"])
    assert (removal.people, removal.recordings) == ({"ana"}, {0, 1})
