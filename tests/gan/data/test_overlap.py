from pathlib import Path

import numpy as np
import pytest

from gan.data.corpus import SPLITS, Corpus
from gan.data.overlap import Overlap, overlap
from gan.data.writer import CorpusWriter


def corpus(path: Path, recordings: list[tuple[str, str, str, bool]]) -> Corpus:
    """recordings: speaker, source, split, and whether it has a clip; else only a face."""
    with CorpusWriter(path, name=path.name, source="noise", licence="none", consent="none", face_sizes=(8,)) as writer:
        speakers: dict[str, int] = {}
        for speaker, source, split, heard in recordings:
            if speaker not in speakers:
                speakers[speaker] = writer.add_speaker(speaker, split if split.endswith("speaker") else "train")
            recording = writer.add_recording(speakers[speaker], source, split)
            if heard:
                writer.add_clip(recording, np.ones(10, np.int16))
            else:
                writer.add_face(recording, np.zeros((8, 8, 3), np.uint8))
    return Corpus(path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return corpus(
        tmp_path_factory.mktemp("corpora") / "trained",
        [
            ("ana", "a1", "train", True),
            ("ana", "a2", "train", False),
            ("ana", "a3", "unseen_speech", True),
            ("bob", "b1", "train", True),
            ("cy", "c1", "unseen_speaker", True),
        ],
    )


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return corpus(
        tmp_path_factory.mktemp("corpora") / "scored",
        [
            ("ana", "a2", "unseen_speech", True),
            ("ana", "a3", "unseen_speech", True),
            ("ana", "a4", "train", True),
            ("dan", "a1", "unseen_speech", True),  # another person's recording of the same name
            ("bob", "b9", "unseen_speaker", True),
            ("cy", "c1", "unseen_speaker", True),
        ],
    )


def test_what_a_split_shares_by_hand(trained: Corpus, scored: Corpus) -> None:
    speech = overlap(trained, scored, "unseen_speech")
    assert speech == Overlap("unseen_speech", speakers=2, shared_speakers=1, recordings=3, shared_recordings=1)
    assert speech.leak == "1 of 3 recordings of unseen_speech were trained on"  # a face of it is enough
    assert speech.strangers == "1 of 2 speakers of unseen_speech were not trained on"
    people = overlap(trained, scored, "unseen_speaker")
    assert people.leak == "1 of 2 speakers of unseen_speaker were trained on"  # bob, in whatever recording; cy was not
    assert people.strangers == ""
    assert overlap(trained, scored, "train").leak == overlap(trained, scored, "train").strangers == ""
    assert overlap(trained, scored, "val_speaker") == Overlap("val_speaker", 0, 0, 0, 0)


@pytest.mark.parametrize("split", SPLITS)
def test_a_corpus_shares_nothing_with_its_own_held_out_splits(split: str, tiny: Corpus) -> None:
    found = overlap(tiny, tiny, split)
    assert found.speakers > 0
    assert (found.leak, found.strangers) == ("", "")


def filmed(path: Path, recordings: list[tuple[str, str, str, str]]) -> Corpus:
    """recordings: speaker, source, split, film; a clip each."""
    with CorpusWriter(path, name=path.name, source="noise", licence="none", consent="none", face_sizes=(8,)) as writer:
        for speaker, source, split, media in recordings:
            number = writer.add_speaker(speaker, split if split.endswith("speaker") else "train")
            writer.add_clip(writer.add_recording(number, source, split, media), np.ones(10, np.int16))
    return Corpus(path)


def test_a_film_is_the_same_whoever_speaks_in_it(tmp_path: Path) -> None:
    trained = filmed(
        tmp_path / "trained", [("ana", "1", "train", "f1"), ("bob", "2", "train", "f2"), ("cy", "c", "train", "")]
    )
    scored = filmed(
        tmp_path / "scored",
        [
            ("dan", "7", "unseen_speaker", "f1"),  # a stranger, in a film that was trained on
            ("eva", "8", "unseen_speaker", "f8"),
            ("ana", "1", "unseen_speech", "f9"),  # of that name, from another film
            ("bob", "x", "unseen_speech", "f2"),
            ("cy", "c", "unseen_speech", "f7"),  # its film was not known then
            ("bob", "2", "unseen_speech", ""),  # nor is it here
        ],
    )
    people, speech = (overlap(trained, scored, split) for split in ("unseen_speaker", "unseen_speech"))
    assert (people.shared_speakers, people.shared_recordings) == (0, 1)
    assert people.leak == "1 of 2 recordings of unseen_speaker were trained on"
    assert (speech.recordings, speech.shared_recordings) == (4, 3)
