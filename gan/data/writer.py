"""Writing a corpus: a folder as gan/data/corpus.py reads it, whole or not at all.

A large one can be gone on with after a kill (`resume`). Files of finished arrays are noted with their digests, and a writer that
is given the same things again, in the same order, writes only what is missing. It does not even read the samples of a finished
file, so whoever gives it views of memory-mapped arrays reads nothing twice. The alternative, to link a preparation's own files
of samples into the corpus, would keep in it what was left out, and make its checksum depend on how the work was cut.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from gan.data.corpus import (
    CLIP,
    CLIP_FACTS,
    FACE,
    FACE_FACTS,
    NO_TRACK,
    SAMPLE_RATE_HZ,
    SCHEMA_VERSION,
    SOUND,
    SPEAKER_SPLITS,
    SPLITS,
    stored_mels,
)
from gan.data.pictures import resize
from gan.files import sha256, write_atomically
from gan.lease import Lease

SHARD_BYTES = 4 << 30
FINISHED = "finished.json"


class _GrowingArray:
    """A .npy file written row by row: numpy's header keeps room for its first axis to grow, so it is rewritten at the end.

    finished: rows and digest of the file, where it is whole already; rows are then counted, and not read.
    """

    def __init__(self, path: Path, dtype: np.dtype, row_shape: tuple[int, ...] = (), finished: tuple[int, str] | None = None):
        self.path, self.dtype, self.row_shape, self.rows, self.finished = path, np.dtype(dtype), row_shape, 0, finished
        self.digest = hashlib.sha256()
        self.file: BinaryIO | None = None
        if finished is None:
            self.file = open(path, "wb")  # noqa: SIM115 - the writer closes it, settled or not
            self._write_header(self.file)

    def _write_header(self, file: BinaryIO) -> None:
        npy.write_array_header_1_0(
            file, {"descr": npy.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (self.rows, *self.row_shape)}
        )

    @property
    def payload_bytes(self) -> int:
        return self.rows * self.dtype.itemsize * int(np.prod(self.row_shape, dtype=np.int64))

    def append(self, rows: np.ndarray) -> None:
        if self.file is not None:
            content = np.ascontiguousarray(rows, self.dtype).tobytes()
            self.file.write(content)
            self.digest.update(content)
        self.rows += len(rows)

    def settle(self) -> str:
        """Write the final header, flush to the disk and close; returns the SHA-256 of the array's bytes."""
        if self.finished is not None:
            if self.finished[0] != self.rows:
                raise _differs(self.path)
            return self.finished[1]
        assert self.file is not None
        self.file.seek(0)
        self._write_header(self.file)
        self.file.flush()
        os.fsync(self.file.fileno())
        self.close()
        return self.digest.hexdigest()

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


class _Facts:
    """A side table that grows; what is not said of a thing is unknown. known: is anything?"""

    def __init__(self, thing: str, dtype: np.dtype):
        self.thing, self.dtype, self.known, self._content = thing, dtype, False, bytearray()
        self._unknown = {name: NO_TRACK if name == "track" else np.nan for name in dtype.names or ()}

    def add(self, facts: Mapping[str, float]) -> None:
        if wrong := sorted(facts.keys() - self._unknown.keys()):
            raise ValueError(f"{self.thing} facts: {', '.join(wrong)} came. Allowed: {', '.join(self._unknown)}.")
        self.known |= bool(facts)
        self._content += np.array(tuple((self._unknown | dict(facts)).values()), self.dtype).tobytes()

    def rows(self) -> np.ndarray:
        return np.frombuffer(self._content, self.dtype)


def _differs(path: Path) -> ValueError:
    return ValueError(
        f"{path}: was finished with other content than what is given now, under the same resume key. "
        f"Remove {path.parent.parent} and start again."
    )


def begun_at(path: Path) -> Path:
    """Where a writer with `resume` keeps what it has written of the corpus `path`."""
    return path.with_name(f".{path.name}.partial")


class CorpusWriter:
    """Write a corpus, or nothing: everything goes to a hidden folder beside path, renamed when the with-block ends well.

    face_sizes in px: every face is stored once for each, antialiased from the picture given.
    face_box: see Corpus. mels: of a corpus of mels, the section of features that makes such frames.
    extra: anything JSON can say, kept in corpus.json under "extra".
    resume: what stands for all that will be added, say a hash of the inputs and options. If given, the hidden folder
    (.<name>.partial) outlives a failure or a kill, and a later writer of the same path and key goes on there; with another key it
    starts anew.
    Raises ValueError if path exists already, and on entry if another process is writing there.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        name: str,
        source: str,
        licence: str,
        consent: str,
        face_sizes: Sequence[int] = (64, 128),
        face_box: Sequence[float] = (0.0, 0.0, 1.0, 1.0),
        extra: dict[str, Any] | None = None,
        mels: Mapping[str, Any] | None = None,
        resume: str = "",
    ):
        self.path = Path(path)
        if self.path.exists():
            raise ValueError(f"{self.path}: exists already. Remove it or name another folder.")
        if not face_sizes or min(face_sizes) < 1:
            raise ValueError(f"face sizes: {list(face_sizes)} came. Allowed: one or more, in pixels from 1 on.")
        self._info: dict[str, Any] = dict(
            schema_version=1,  # the lowest that says all
            name=name,
            source=source,
            licence=licence,
            consent=consent,
            sample_rate_hz=SAMPLE_RATE_HZ,
            face_sizes=list(face_sizes),
            face_box=list(face_box),
            extra=extra or {},
        )
        self._stored = stored_mels(mels) if mels else SOUND
        if mels:
            self._info["mels"] = dict(mels)
        self._resume = resume
        self._work = begun_at(self.path) if resume else self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        self._folder = self._work / "corpus"
        self._speakers: list[dict[str, Any]] = []
        self._recordings: list[tuple[int, int, str, str]] = []
        self._clips: list[tuple[int, ...]] = []
        self._faces: list[tuple[int, ...]] = []
        self._clip_facts, self._face_facts = _Facts("clip", CLIP_FACTS), _Facts("face", FACE_FACTS)
        self._audio: list[_GrowingArray] = []
        self._pixels: list[dict[int, _GrowingArray]] = []
        self._open: dict[str, _GrowingArray] = {}
        self._checksums: dict[str, str] = {}
        self._order = hashlib.sha256()  # of the rows so far: are they those that the finished files were made of?
        self._finished: dict[str, tuple[int, str, str]] = {}  # file -> rows, digest, order once it was whole
        self._lease = ExitStack()

    def __enter__(self) -> CorpusWriter:
        if not self._resume:
            shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir(parents=True, exist_ok=True)
        if self._resume:
            if (lease := Lease.take(self._work / "lease")) is None:
                raise ValueError(f"{self.path}: is being written by another process. Wait for it, or end it.")
            self._lease.enter_context(lease)
            self._finished = self._finished_before()
        self._folder.mkdir(exist_ok=True)
        for path in self._folder.iterdir():
            if path.name not in self._finished:
                path.unlink()
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            for array in self._open.values():
                with suppress(OSError):  # of a full disk: what came before it is told
                    array.close()
            self._lease.close()
            if not self._resume or not self._folder.exists():
                shutil.rmtree(self._work, ignore_errors=True)

    def add_speaker(self, name: str, split: str, **attributes: object) -> int:
        if split not in SPEAKER_SPLITS:
            raise ValueError(f"speaker {name}: split {split} is not one of {', '.join(SPEAKER_SPLITS)}.")
        self._speakers.append({"speaker": name, "split": split, **attributes})
        return len(self._speakers) - 1

    def add_recording(self, speaker: int, name: str, split: str, media: str = "") -> int:
        """media: the film that it was cut from, by a name that no other film of the corpus has; "" where there is none.

        Several recordings, of one person or of several, may be cut from one film.
        """
        owner = self._speakers[speaker]["split"]
        allowed = ("train", "val_speech", "unseen_speech") if owner == "train" else (owner,)
        if split not in allowed:
            raise ValueError(
                f"recording {name}: split {split} does not fit a speaker of split {owner}. Allowed: {', '.join(allowed)}."
            )
        self._recordings.append((speaker, SPLITS.index(split), name, media))
        return len(self._recordings) - 1

    def add_clip(
        self, recording: int, waveform: np.ndarray, face: int | None = None, facts: Mapping[str, float] | None = None
    ) -> int:
        """waveform: int16 (S,) mono at 16 kHz; of a corpus of mels float32 (F, M). face: the face seen while this was said,
        if one was.

        facts: what is known of it, by names of CLIP_FACTS.
        """
        stored = self._stored
        if waveform.dtype != stored.dtype or not waveform.ndim or waveform.shape[1:] != stored.row_shape or not len(waveform):
            wanted = f"float32 (frames, {stored.row_shape[0]})" if stored.row_shape else "int16 (samples,)"
            raise ValueError(f"clip: {waveform.dtype} {waveform.shape} came, {wanted} is stored.")
        number = len(self._clips)
        self._clip_facts.add(facts or {})
        name = f"{stored.files}-{max(len(self._audio) - 1, 0):05d}.npy"
        if name not in self._open:
            name = f"{stored.files}-{len(self._audio):05d}.npy"
            self._audio.append(self._new_array(name, stored.dtype, stored.row_shape))
        shard = self._audio[-1]
        speaker, split, *_ = self._recordings[recording]
        self._clips.append(
            (speaker, recording, split, len(self._audio) - 1, shard.rows, len(waveform), -1 if face is None else face)
        )
        shard.append(waveform)
        self._added(self._clips[-1])
        if shard.payload_bytes >= SHARD_BYTES:
            self._settle(name)
        return number

    def add_face(
        self, recording: int, image: np.ndarray | Mapping[int, np.ndarray], facts: Mapping[str, float] | None = None
    ) -> int:
        """image: uint8 (H, W, 3) RGB of any size; stored square. Or for each of face_sizes the picture that is stored as it is.

        facts: what is known of it, by names of FACE_FACTS.
        """
        sizes = self._info["face_sizes"]
        pictures = [image[size] for size in sizes] if isinstance(image, Mapping) else [image]
        for picture in pictures:
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
                raise ValueError(f"face: {picture.dtype} {picture.shape} came, uint8 (height, width, 3) is stored.")
        number = len(self._faces)
        self._face_facts.add(facts or {})
        if not self._pixels or not self._open.keys() & _face_files(sizes, len(self._pixels) - 1).keys():
            files = _face_files(sizes, len(self._pixels))
            self._pixels.append({px: self._new_array(name, np.dtype("u1"), (px, px, 3)) for name, px in files.items()})
        shard = self._pixels[-1]
        speaker, split, *_ = self._recordings[recording]
        self._faces.append((speaker, recording, split, len(self._pixels) - 1, next(iter(shard.values())).rows))
        for size, array in shard.items():
            picture = image[size] if isinstance(image, Mapping) else image
            array.append((picture if array.finished else resize(picture, size))[None])
        self._added(self._faces[-1])
        if max(array.payload_bytes for array in shard.values()) >= SHARD_BYTES:
            self._settle(*_face_files(sizes, len(self._pixels) - 1))
        return number

    def add_file(self, name: str, content: bytes) -> None:
        """A file for people to look at, which the checksum leaves out."""
        write_atomically(self._folder / name, content)

    # -- files of arrays, and which of them are finished ----------------------------------------------------------------

    def _new_array(self, name: str, dtype: np.dtype, row_shape: tuple[int, ...] = ()) -> _GrowingArray:
        before = self._finished.get(name)
        self._open[name] = _GrowingArray(self._folder / name, dtype, row_shape, before[:2] if before else None)
        return self._open[name]

    def _added(self, row: tuple[int, ...]) -> None:
        self._order.update(repr(row).encode())

    def _settle(self, *names: str) -> None:
        """Finish these arrays, and note them: from now on they outlive a kill, where that is wished."""
        for name in names:
            array, order = self._open[name], self._order.hexdigest()
            self._checksums[name] = array.settle()
            del self._open[name]
            if name in self._finished and self._finished[name][2] != order:
                raise _differs(array.path)
            self._finished[name] = array.rows, self._checksums[name], order
        if self._resume:
            write_atomically(self._work / FINISHED, json.dumps(self._about() | {"files": self._finished}).encode())

    def _about(self) -> dict[str, Any]:
        """What two writers must have in common for one to go on where the other was killed."""
        return {"key": self._resume, "shard_bytes": SHARD_BYTES, "face_sizes": self._info["face_sizes"]}

    def _finished_before(self) -> dict[str, tuple[int, str, str]]:
        try:
            noted = json.loads((self._work / FINISHED).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        files = noted.pop("files")
        if noted != self._about():
            return {}
        return {name: tuple(entry) for name, entry in files.items() if (self._folder / name).is_file()}

    def _finish(self) -> None:
        self._settle(*self._open)
        self._write_array("clips.npy", np.array(self._clips, CLIP))
        self._write_array("faces.npy", np.array(self._faces, FACE))
        for name, facts in (("clip_facts.npy", self._clip_facts), ("face_facts.npy", self._face_facts)):
            if facts.known:
                self._write_array(name, facts.rows())
        self._write_csv("speakers.csv", self._speakers)
        films = any(media for *_, media in self._recordings)
        self._write_csv(
            "recordings.csv",
            [
                {"recording": number, "speaker": self._speakers[speaker]["speaker"], "split": SPLITS[split], "source": name}
                | ({"media": media} if films else {})
                for number, (speaker, split, name, media) in enumerate(self._recordings)
            ],
        )
        about = [self._info[key] for key in ("face_box", "mels") if key in self._info]
        content = hashlib.sha256(json.dumps([sorted(self._checksums.items()), *about]).encode())
        self._info |= dict(
            schema_version=SCHEMA_VERSION
            if films or "mels" in self._info or self._clip_facts.known or self._face_facts.known
            else 1,
            num_speakers=len(self._speakers),
            num_recordings=len(self._recordings),
            num_clips=len(self._clips),
            num_faces=len(self._faces),
            audio_shards=len(self._audio),
            face_shards=len(self._pixels),
            files=dict(sorted(self._checksums.items())),
            checksum=content.hexdigest(),
        )
        write_atomically(self._folder / "corpus.json", json.dumps(self._info, indent=1, ensure_ascii=False).encode())
        if self.path.exists():
            raise ValueError(f"{self.path}: appeared while it was being prepared. Nothing was overwritten.")
        os.replace(self._folder, self.path)

    def _write_array(self, name: str, rows: np.ndarray) -> None:
        array = _GrowingArray(self._folder / name, rows.dtype)
        self._open[name] = array
        array.append(rows)
        self._checksums[name] = array.settle()
        del self._open[name]

    def _write_csv(self, name: str, rows: list[dict[str, Any]]) -> None:
        columns = list(dict.fromkeys(key for row in rows for key in row))
        path = self._folder / name
        with open(path, "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, columns, lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        self._checksums[name] = sha256(path)


def _face_files(sizes: Sequence[int], shard: int) -> dict[str, int]:
    return {f"faces-{size}-{shard:05d}.npy": size for size in sizes}
