"""A corpus is written whole or not at all, and gone on with after a kill."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gan.data import writer as module
from gan.data.corpus import Corpus
from gan.data.prepare import new_corpus_path
from gan.data.writer import CorpusWriter

ABOUT = dict(name="small", source="a test", licence="CC0-1.0", consent="none needed", face_sizes=(8, 16))
# Kills itself at the call whose number it is given.
KILLED = """
import sys
from pathlib import Path
from tests.gan.data.test_writer import Calls
Calls(Path(sys.argv[1]), kill_at=int(sys.argv[2])).write("key")
"""


class Calls:
    """The same calls each time: three people, six clips and faces each, in shards of 400 bytes.

    kill_at: the number of the call at which the process kills itself; calls of the file system count as well.
    """

    def __init__(self, path: Path, kill_at: int | None = None, clips: int = 6):
        self.path, self.kill_at, self.clips, self.number = path, kill_at, clips, 0

    def _call(self) -> None:
        if self.number == self.kill_at:
            signal.raise_signal(signal.SIGKILL)
        self.number += 1

    def write(self, key: str) -> int:
        """Returns how many calls there were."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "SHARD_BYTES", 400)
            for name in ("fsync", "replace"):
                patch.setattr(module.os, name, self._counted(getattr(module.os, name)))
            with CorpusWriter(self.path, **ABOUT, resume=key) as writer:  # type: ignore[arg-type]
                for speaker in range(3):
                    recording = writer.add_recording(writer.add_speaker(f"s{speaker}", "train"), "r", "train", "film")
                    for number in range(self.clips):
                        random = np.random.default_rng([speaker, number])
                        self._call()
                        face = writer.add_face(recording, random.integers(0, 256, (16, 16, 3), np.uint8), {"track": number})
                        self._call()
                        writer.add_clip(recording, random.integers(-9, 9, 70 + number, np.int16), face, {"lag_ms": number})
        return self.number

    def _counted(self, function):
        def counted(*args):
            self._call()
            function(*args)
            self._call()

        return counted


def kill(path: Path, at: int) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(at)], capture_output=True, text=True, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr  # one that goes on has fewer calls, and may end before that one


@pytest.mark.slow
def test_killed_again_and_again_it_is_the_same_corpus(tmp_path: Path) -> None:
    calls = Calls(tmp_path / "whole").write("key")
    for at in np.random.default_rng(0).integers(0, calls - 1, 6).tolist():
        kill(tmp_path / "c", at)
        if (tmp_path / "c").exists():  # killed after its last step
            break
    else:
        Calls(tmp_path / "c").write("key")
    corpus = Corpus(tmp_path / "c")
    corpus.verify()
    assert corpus.checksum == Corpus(tmp_path / "whole").checksum
    assert corpus.info["audio_shards"] > 3


def test_what_is_finished_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARD_BYTES", 400)
    clips = [np.full(150, number, np.int16) for number in range(3)]
    for given in (clips, [np.zeros_like(clips[0]), np.zeros_like(clips[1]), clips[2]]):
        try:
            with CorpusWriter(tmp_path / "c", **ABOUT, resume="key") as writer:  # type: ignore[arg-type]
                recording = writer.add_recording(writer.add_speaker("s", "train"), "r", "train")
                for clip in given:
                    writer.add_clip(recording, clip)
                if given is clips:
                    raise OSError(28, "No space left on device")
        except OSError:
            assert [path.name for path in tmp_path.iterdir()] == [".c.partial"]
    # The first file, of the two first clips, is the first writer's: the second's samples were not looked at.
    corpus = Corpus(tmp_path / "c")
    assert [int(corpus.waveform(clip)[0]) for clip in range(3)] == [0, 1, 2]
    corpus.verify()
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def interrupted(path: Path, key: str) -> None:
    """A writer that fails at its last call."""
    calls = Calls(path)
    calls._call = lambda: setattr(calls, "number", calls.number + 1)  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CorpusWriter, "_write_csv", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(OSError, match="full"):
            calls.write(key)


def test_another_key_starts_anew(tmp_path: Path) -> None:
    interrupted(tmp_path / "c", "key")
    Calls(tmp_path / "c", clips=5).write("other")
    Calls(tmp_path / "whole", clips=5).write("other")
    assert Corpus(tmp_path / "c").checksum == Corpus(tmp_path / "whole").checksum


def test_other_calls_under_the_same_key_are_refused(tmp_path: Path) -> None:
    interrupted(tmp_path / "c", "key")
    with pytest.raises(ValueError, match="was finished with other content") as error:
        Calls(tmp_path / "c", clips=5).write("key")
    assert "\n" not in str(error.value)


def test_two_writers_of_one_corpus(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "c", **ABOUT, resume="key") as first:  # type: ignore[arg-type]
        with (
            pytest.raises(ValueError, match="is being written by another process"),
            CorpusWriter(tmp_path / "c", **ABOUT, resume="key"),  # type: ignore[arg-type]
        ):
            pass
        first.add_recording(first.add_speaker("s", "train"), "r", "train")
    assert len(Corpus(tmp_path / "c").speakers) == 1


def test_a_corpus_that_is_replaced_is_gone_on_with_too(tmp_path: Path) -> None:
    path = tmp_path / "c"
    Calls(path, clips=2).write("old")
    old = Corpus(path).checksum
    with pytest.raises(AssertionError), new_corpus_path(path, overwrite=True, resume=True) as target:
        interrupted(target, "key")
        raise AssertionError("as if killed")
    assert Corpus(path).checksum == old
    assert list(tmp_path.glob("*/finished.json"))
    with new_corpus_path(path, overwrite=True, resume=True) as target:
        Calls(target).write("key")
    Calls(tmp_path / "whole").write("key")
    assert Corpus(path).checksum == Corpus(tmp_path / "whole").checksum != old
    assert sorted(each.name for each in tmp_path.iterdir()) == ["c", "whole"]


def test_a_file_for_people_to_look_at_leaves_the_checksum_alone(tmp_path: Path) -> None:
    found = []
    for name in ("with", "without"):
        with CorpusWriter(tmp_path / name, **ABOUT, resume="key") as writer:  # type: ignore[arg-type]
            recording = writer.add_recording(writer.add_speaker("s", "train"), "r", "train")
            writer.add_clip(recording, np.ones(100, np.int16), writer.add_face(recording, np.ones((8, 8, 3), np.uint8)))
            if name == "with":
                writer.add_file("sheet.png", b"seen")
        found.append(Corpus(tmp_path / name))
    assert (tmp_path / "with" / "sheet.png").read_bytes() == b"seen"
    assert found[0].checksum == found[1].checksum
    found[0].verify()
