"""A small corpus without a fault, made of the toy world, and room to plant faults in it."""

from pathlib import Path
from typing import Any

import numpy as np

from gan.data.corpus import Corpus
from gan.data.writer import CorpusWriter

ABOUT = dict(name="planted", source="a test", licence="CC0-1.0", consent="none needed")
SPLITS = ("train", "train", "val_speech", "unseen_speech")  # of a training speaker's recordings
SAMPLES = 32_000  # of a clip


class Planted:
    """A corpus being written: four training speakers of four recordings, two held-out ones of three.

    names, clips, faces: by (speaker, recording), both counted from 0, what will be stored; faults are planted there.
    films, clip_facts, face_facts: by the same, what a preparation from films knows; nothing at first.
    clip_numbers, face_numbers: where it went, once written.
    """

    def __init__(self, source: Corpus):
        self._source = source
        self.speakers = [(f"s{number}", "train") for number in range(4)] + [("s4", "val_speaker"), ("s5", "unseen_speaker")]
        # The toy world's speakers 0 to 3, and two of those it holds out; five recordings each, of two clips and faces.
        self.names: dict[tuple[int, int], str] = {}
        self.clips: dict[tuple[int, int], np.ndarray] = {}
        self.faces: dict[tuple[int, int], np.ndarray] = {}
        self.films: dict[tuple[int, int], str] = {}
        self.clip_facts: dict[tuple[int, int], dict[str, float]] = {}
        self.face_facts: dict[tuple[int, int], dict[str, float]] = {}
        self.extra: dict[str, Any] = {}
        self.clip_numbers: dict[tuple[int, int], int] = {}
        self.face_numbers: dict[tuple[int, int], int] = {}
        for number, theirs in enumerate((0, 1, 2, 3, 12, 16)):
            for recording in range(self.num_recordings(number)):
                at = theirs * 10 + 2 * recording
                self.names[number, recording] = f"talk{recording}"
                self.clips[number, recording] = source.waveform(at)[:SAMPLES].copy()
                self.faces[number, recording] = source.pixels([at], 128)[0]

    def num_recordings(self, speaker: int) -> int:
        return 4 if self.speakers[speaker][1] == "train" else 3

    def split(self, speaker: int, recording: int) -> str:
        return SPLITS[recording] if self.speakers[speaker][1] == "train" else self.speakers[speaker][1]

    def write(self, path: Path) -> Corpus:
        box = self._source.face_box
        with CorpusWriter(path, **ABOUT, face_box=box, extra=self.extra) as writer:  # type: ignore[arg-type]
            for number, (name, split) in enumerate(self.speakers):
                row = writer.add_speaker(name, split)
                for recording in range(self.num_recordings(number)):
                    key = number, recording
                    stored = writer.add_recording(row, self.names[key], self.split(*key), self.films.get(key, ""))
                    if key in self.faces:
                        self.face_numbers[key] = writer.add_face(stored, self.faces[key], self.face_facts.get(key))
                    if key in self.clips:
                        self.clip_numbers[key] = writer.add_clip(
                            stored, self.clips[key], self.face_numbers.get(key), self.clip_facts.get(key)
                        )
        return Corpus(path)
