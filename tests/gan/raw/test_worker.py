"""A job reads item after item, whatever one of them does to the process that reads it, or the disk to the job."""

import errno
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gan.data.pictures import write_face
from gan.raw import worker
from gan.raw.item import Item, Listing
from gan.raw.profile import Profile, load_profile
from gan.raw.store import Writer
from gan.raw.work import Tally, Work, ended, forget_failed
from tests.gan.raw.hostile import WIDTH
from tests.sound import write_wav

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_shard")]


def profile(detector: str, *overrides: str) -> Profile:
    section = {"name": f"tests.gan.raw.hostile.{detector}"}
    plain = load_profile("plain", ["speech={name: energy}", *overrides])
    return replace(plain, looks=replace(plain.looks, detector=section))


def work(folder: Path, settings: Profile) -> Work:
    """A sound, a picture that does harm, another sound."""
    for name in ("a", "c"):
        write_wav(folder / f"{name}.wav", np.zeros(8000, np.float32))
    write_face(folder / "b.png", np.zeros((20, WIDTH, 3), np.uint8))
    items = [Item(name, folder / name, "film", "id1") for name in ("a.wav", "b.png", "c.wav")]
    return Work.make(folder / "w", "voxceleb", Listing(items), settings, {})


def tally(made: Work) -> tuple[int, dict[str, int]]:
    done, failed, _ = Tally(made.shard(0).parent).look()
    return done, failed


def rows(made: Work) -> dict[str, dict[str, object]]:
    with Writer(made.shard(0)) as writer:
        return ended(writer.rows())


def test_a_file_that_kills_its_process_is_tried_three_times_and_the_rest_is_read(tmp_path: Path) -> None:
    made = work(tmp_path, profile("Killer"))
    worker.perform(made.path, 0, 1)
    found = rows(made)
    assert found["b.png"]["failed"] == "ended its process by signal 9 (too much memory?), 3 times"
    assert (found["b.png"]["kind"], found["b.png"]["stage"]) == ("killed its process", "read")
    assert tally(made) == (2, {"killed its process": 1})

    before = made.shard(0).with_suffix(".jsonl").read_bytes()
    worker.perform(made.path, 0, 1)  # not tried again
    assert made.shard(0).with_suffix(".jsonl").read_bytes() == before
    write_face(tmp_path / "b.png", np.zeros((20, WIDTH + 1, 3), np.uint8))  # mended, of another size
    forget_failed(made.shard(0).parent)
    worker.perform(made.path, 0, 1)
    assert tally(made) == (3, {})


def test_a_file_that_takes_all_memory_is_too_large(tmp_path: Path) -> None:
    made = work(tmp_path, profile("Glutton"))
    worker.perform(made.path, 0, 1)
    assert rows(made)["b.png"]["failed"] == "needs more than 4 GB (limits.memory_gb)"
    assert tally(made) == (2, {"too large": 1})


def test_a_file_that_never_ends_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "ATTEMPTS", 1)
    made = work(tmp_path, profile("Hanger", "limits.part_minutes=0.1"))
    worker.perform(made.path, 0, 1)
    assert rows(made)["b.png"]["failed"] == "gave nothing for 0.1 minutes, 1 times"
    assert tally(made)[0] == 2


def test_too_little_memory_to_begin_is_no_fault_of_an_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "ATTEMPTS", 1)
    made = work(tmp_path, profile("Killer", "limits.memory_gb=0.01"))
    with pytest.raises(ValueError, match=r"ends before it begins.*limits.memory_gb is 0.01"):
        worker.perform(made.path, 0, 1)
    assert rows(made) == {}


def test_a_full_disk_ends_the_job_and_keeps_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = work(tmp_path, profile("Killer"))
    write_face(tmp_path / "b.png", np.zeros((20, 20, 3), np.uint8))
    append, left = Writer._append, [2]

    def full(self: Writer, row: dict[str, object], arrays: dict[str, np.ndarray]) -> None:
        if not left[0]:
            self._arrays.write(b"half of it")
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] -= 1
        append(self, row, arrays)

    monkeypatch.setattr(Writer, "_append", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*00000.jsonl'"):
        worker.perform(made.path, 0, 1)
    assert rows(made).keys() == {"a.wav"}
    monkeypatch.undo()
    worker.perform(made.path, 0, 1)
    assert tally(made) == (3, {})


def test_a_job_that_is_asked_to_stop_does_not_wait_for_a_part_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "GRACE_SECONDS", 0.0)
    made = work(tmp_path, profile("Hanger"))
    with worker._Reader(made.profile) as reader, pytest.raises(worker.Stopped) as stopped:
        list(reader.read(made.listing().items[1], None, [signal.SIGTERM]))
    assert stopped.value.exit_code == 143


def test_a_job_that_gets_a_signal_ends_after_its_part_and_another_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = work(tmp_path, profile("Killer"))
    append = Writer.append

    def then_stop(self: Writer, row: dict[str, object], arrays: dict[str, np.ndarray] | None = None) -> None:
        append(self, row, arrays)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Writer, "append", then_stop)
    with pytest.raises(worker.Stopped) as stopped:
        worker.perform(made.path, 0, 1)
    assert stopped.value.exit_code == 143
    assert rows(made) == {}  # a part of a.wav, and not its end
    monkeypatch.undo()
    worker.perform(made.path, 0, 1)
    assert tally(made) == (2, {"killed its process": 1})
