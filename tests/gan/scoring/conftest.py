import numpy as np
import pytest

from gan.data.corpus import Corpus
from gan.data.writer import CorpusWriter
from gan.scoring.requests import Requests, make_requests


@pytest.fixture(scope="session")
def two_speakers(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Not of the toy world, two training speakers, clips without aligned faces, no unseen_speaker."""
    path = tmp_path_factory.mktemp("corpora") / "two"
    random = np.random.default_rng(0)
    with CorpusWriter(path, name="two", source="noise", licence="none", consent="none", face_sizes=(64,)) as writer:
        for name in ("ana", "bruno"):
            speaker = writer.add_speaker(name, "train")
            for split in ("train", "unseen_speech"):
                recording = writer.add_recording(speaker, f"{name} {split}", split)
                for _ in range(3):
                    writer.add_clip(recording, random.integers(-9_000, 9_000, 8_000).astype(np.int16))
                    writer.add_face(recording, random.integers(0, 255, (64, 64, 3)).astype(np.uint8))
    return Corpus(path)


@pytest.fixture(scope="session")
def asked(tiny: Corpus) -> Requests:
    return make_requests(tiny, "unseen_speech", 0.5, 3, 0)
