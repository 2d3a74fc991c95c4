import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.data import writer as module
from gan.data.corpus import Corpus
from gan.data.writer import CorpusWriter
from gan.files import write_atomically
from tests.properties import examples

ABOUT = dict(name="small", source="a test", licence="CC0-1.0", consent="none needed")


def picture(seed: int, size: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


def write(path: Path, lengths: tuple[int, ...] = (5, 9, 2)) -> None:
    with CorpusWriter(path, **ABOUT, face_sizes=(16, 40), face_box=(0.1, 0.2, 0.9, 0.8)) as writer:
        for speaker, split in enumerate(("train", "unseen_speaker")):
            number = writer.add_speaker(f"s{speaker}", split, sex="f", age=31.5)
            recording = writer.add_recording(number, f"r{speaker}", split)
            face = writer.add_face(recording, picture(speaker))
            for length in lengths:
                writer.add_clip(recording, np.arange(length, dtype=np.int16) + 100 * speaker, face=face)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(tmp_path / "c")
    corpus = Corpus(tmp_path / "c")
    assert [list(corpus.waveform(i)) for i in range(3)] == [list(range(n)) for n in (5, 9, 2)]
    assert list(corpus.waveform(4)) == list(range(100, 109))
    assert np.array_equal(corpus.pixels([1, 0], 40), np.stack([picture(1), picture(0)]))
    assert corpus.pixels([0], 16).shape == (1, 16, 16, 3)
    assert list(corpus.in_split(corpus.clips, "unseen_speaker")) == [3, 4, 5]
    assert corpus.speakers[1] == {"speaker": "s1", "split": "unseen_speaker", "sex": "f", "age": "31.5"}
    assert corpus.face_box == (0.1, 0.2, 0.9, 0.8)
    corpus.verify()


@examples(20)
@given(lengths=st.lists(st.integers(1, 50), min_size=1, max_size=8), limit=st.integers(1, 200))
def test_shards_change_nothing(lengths: list[int], limit: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("shards")
    write(folder / "one", tuple(lengths))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SHARD_BYTES", limit)
        write(folder / "many", tuple(lengths))
    one, many = Corpus(folder / "one"), Corpus(folder / "many")
    assert many.info["audio_shards"] >= one.info["audio_shards"]
    for clip in range(2 * len(lengths)):
        assert np.array_equal(one.waveform(clip), many.waveform(clip))
    assert np.array_equal(one.pixels([0, 1], 16), many.pixels([0, 1], 16))
    many.verify()


def test_equal_content_has_equal_checksums(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b")
    write(tmp_path / "other", (5, 9, 3))
    checksums = [Corpus(tmp_path / name).checksum for name in ("a", "b", "other")]
    assert checksums[0] == checksums[1] != checksums[2]


def test_without_films_nothing_is_other_than_before(tmp_path: Path) -> None:
    """Pinned: the very bytes that a writer of schema 1 alone wrote."""
    write(tmp_path / "c")
    corpus = Corpus(tmp_path / "c")
    assert corpus.info["schema_version"] == 1
    assert corpus.clip_facts is None
    assert corpus.face_facts is None
    contents = b"".join(path.read_bytes() for path in sorted((tmp_path / "c").iterdir()))
    assert hashlib.sha256(contents).hexdigest() == "fce53dbaa39861cc734f774f505ea7fe73a09b948620359683007289291667b2"


def test_films_and_facts_are_kept(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "c", **ABOUT) as writer:
        recordings = [
            writer.add_recording(writer.add_speaker(name, "train"), name, "train", film)
            for name, film in (("ana", "f1"), ("bob", "f1"), ("cy", ""))
        ]
        for recording, facts in zip(recordings, ({"start_s": 36_000.04, "track": 3}, None, {"lag_ms": -40.0}), strict=True):
            writer.add_clip(recording, np.ones(4, np.int16), facts=facts)
        writer.add_face(recordings[0], picture(0))
    corpus = Corpus(tmp_path / "c")
    corpus.verify()
    assert corpus.info["schema_version"] == 2
    assert [row["media"] for row in corpus.recordings] == ["f1", "f1", ""]
    assert corpus.clip_facts is not None
    assert corpus.clip_facts["start_s"][0] == 36_000.04
    assert list(corpus.clip_facts["track"]) == [3, -1, -1]
    assert np.array_equal(np.isnan(corpus.clip_facts["lag_ms"]), [True, True, False])
    assert corpus.face_facts is None


def test_an_unknown_fact_is_refused(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "c", **ABOUT) as writer:
        recording = writer.add_recording(writer.add_speaker("s", "train"), "r", "train")
        with pytest.raises(ValueError, match=r"face facts: beauty came\. Allowed: seconds, pupil_distance_px"):
            writer.add_face(recording, picture(0), {"beauty": 1.0})


@pytest.mark.parametrize("name", ["clip_facts.npy", "face_facts.npy"])
def test_facts_of_another_length_are_refused(name: str, tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "c", **ABOUT) as writer:
        recording = writer.add_recording(writer.add_speaker("s", "train"), "r", "train")
        writer.add_clip(recording, np.ones(4, np.int16), facts={"track": 1})
        writer.add_face(recording, picture(0), {"track": 1})
    path = tmp_path / "c" / name
    np.save(path, np.repeat(np.load(path), 2))
    with pytest.raises(ValueError, match=rf"{name}: 2 rows, the index has 1"):
        Corpus(tmp_path / "c")


def test_pictures_of_every_size_are_stored_as_they_are(tmp_path: Path) -> None:
    pictures = {16: picture(1, 16), 40: picture(2, 40)}
    with CorpusWriter(tmp_path / "c", **ABOUT, face_sizes=(16, 40)) as writer:
        writer.add_face(writer.add_recording(writer.add_speaker("s", "train"), "r", "train"), pictures)
    for size, stored in pictures.items():
        assert np.array_equal(Corpus(tmp_path / "c").pixels([0], size)[0], stored)


def test_a_failed_preparation_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), CorpusWriter(tmp_path / "c", **ABOUT) as writer:
        recording = writer.add_recording(writer.add_speaker("s", "train"), "r", "train")
        writer.add_clip(recording, np.ones(4, np.int16))
        raise RuntimeError("killed")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_corpus_is_not_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "c")
    with pytest.raises(ValueError, match="exists already"):
        write(tmp_path / "c")


@pytest.mark.parametrize("name", ["clips.npy", "audio-00000.npy", "faces-16-00000.npy"])
def test_a_file_cut_short_is_named(name: str, tmp_path: Path) -> None:
    write(tmp_path / "c")
    path = tmp_path / "c" / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=rf"{name}: cut short or damaged") as error:
        Corpus(tmp_path / "c")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["clips.npy", "audio-00000.npy", "faces-40-00000.npy", "speakers.csv"])
def test_verify_finds_one_changed_byte(name: str, tmp_path: Path) -> None:
    write(tmp_path / "c")
    path = tmp_path / "c" / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{name}: checksum"):
        Corpus(tmp_path / "c").verify()


def test_other_folders_and_versions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no corpus.json.*voxface prepare"):
        Corpus(tmp_path)
    write(tmp_path / "c")
    about = tmp_path / "c" / "corpus.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"schema_version": 99}))
    with pytest.raises(ValueError, match="schema version 99"):
        Corpus(tmp_path / "c")


def test_a_recording_fits_its_speaker(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "c", **ABOUT) as writer:
        unseen = writer.add_speaker("s", "unseen_speaker")
        with pytest.raises(ValueError, match="speaker of split unseen_speaker"):
            writer.add_recording(unseen, "r", "train")
        with pytest.raises(ValueError, match="split nobody is not one of"):
            writer.add_speaker("t", "nobody")


def test_write_atomically_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    monkeypatch.setattr(module.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
