"""Is a corpus that was prepared under kills the corpus of a preparation left alone? Spends kills, compares every checksum.

    python -m benchmarks.preparation_kills --kills 100 --folder /tmp/kills

A small VoxCeleb of the toy world (sound files, pictures, a film of two parts) is prepared once undisturbed; then again and again
under kills until they are spent; and once for each other number of workers and of shards. A preparation that is done is compared,
thrown away and begun anew. A kill is one of SORTS, at a moment drawn over the whole length of a preparation, or soon after the
first thing is read, or after the corpus is begun. kills.jsonl in the folder tells of every kill, and the same command goes on
from there.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.channel import tiny_channel
from benchmarks.record import record
from tests.gan.raw.cases import PEOPLE, TERMS, write_voxceleb

# who is killed, and with what
SORTS = {
    "command, SIGKILL": ("command", signal.SIGKILL),
    "command, SIGTERM": ("command", signal.SIGTERM),
    "job, SIGKILL": ("job", signal.SIGKILL),
    "job, SIGTERM": ("job", signal.SIGTERM),
    "reader, SIGKILL": ("reader", signal.SIGKILL),
    "all, SIGKILL": ("all", signal.SIGKILL),
    "all, SIGTERM": ("all", signal.SIGTERM),
}
MOMENTS = ("any", "reading", "writing")
AFTER_SECONDS = {"reading": 3.0, "writing": 0.5}  # within which the kill comes, once the first row or file is there
LEAST_SECONDS = 15.0  # over which a moment is drawn
POLL_SECONDS = 0.005
SHARDS = 5  # so that a small tree has several shards, for several workers
SETTINGS = ["--set", "faces.most_asymmetry=1", "faces.least_sharpness=-9", "people.least_difference=0", "people.strangers=false"]
SETTINGS += ["parts.seconds=5", "looks.per_second=2", "speech={name: energy}"]
VARIED = ((2, SHARDS), (3, SHARDS), (1, 64), (2, 1))  # workers and shards at most
# As `voxface`, with another number of shards at most: nobody else needs to choose it.
COMMAND = "import sys; import gan.raw.work as work; work.FEWEST_SHARDS = {}; from gan.__main__ import main; sys.exit(main({!r}))"


@dataclass(frozen=True)
class Preparation:
    """A preparation of the tree in root into folder/corpus, by so many workers; shards: of so many."""

    words: list[str]
    folder: Path
    workers: int = 2
    shards: int = SHARDS

    @property
    def corpus(self) -> Path:
        return self.folder / "corpus"

    @property
    def work(self) -> Path:
        return self.folder / "corpus.work"

    def start(self) -> subprocess.Popen[bytes]:
        words = ["prepare", *self.words, "--out", str(self.corpus), "--workers", str(self.workers), *TERMS, *SETTINGS]
        with open(self.folder / "log.txt", "ab") as log:
            command = [sys.executable, "-c", COMMAND.format(self.shards, words)]
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def result(self) -> dict[str, Any]:
        """checksum of the corpus, and how many rows of left_out.csv there are, sorted and whole."""
        rows = (self.work / "left_out.csv").read_text(encoding="utf-8").splitlines()
        checksum = json.loads((self.corpus / "corpus.json").read_text(encoding="utf-8"))["checksum"]
        return {"checksum": checksum, "left_out": rows}

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def size(self) -> int:
        """Bytes of all journals."""
        return sum(path.stat().st_size for path in self.work.glob("shards/*/*.jsonl"))

    def is_writing(self) -> bool:
        return (self.folder / ".corpus.partial").exists()


def write_tree(folder: Path) -> list[str]:
    """The words of the command that prepares it: 16 utterances, 16 pictures, and a film. One that is there is kept."""
    words = folder / "words.json"
    if not words.exists():
        for left in ("tree", "channel"):
            shutil.rmtree(folder / left, ignore_errors=True)
        written = write_voxceleb(folder / "tree", films=2, utterances=2)
        shown = folder / "tree" / "mp4" / next(iter(PEOPLE)) / "seen-film" / "00000.mp4"
        shown.parent.mkdir(parents=True)
        shutil.copy(tiny_channel(folder / "channel")[0], shown)
        words.write_text(json.dumps([str(word) for word in written]))
    return list(json.loads(words.read_text()))


def undisturbed(preparation: Preparation) -> tuple[dict[str, Any], float]:
    """Its result, and the seconds it took; of one that was done before, what it took then. Raises RuntimeError if it fails."""
    timing = preparation.folder / "seconds.json"
    if not timing.exists():
        preparation.clear()
        started = time.perf_counter()
        if (code := preparation.start().wait()) not in (0, 1):
            raise RuntimeError(f"{preparation.folder}: the command ended with {code}; see log.txt there.")
        timing.write_text(json.dumps(time.perf_counter() - started))
    return preparation.result(), float(json.loads(timing.read_text()))


def killed(
    preparation: Preparation, sorts: Sequence[tuple[str, str]], length: float, moments: random.Random
) -> list[dict[str, Any]]:
    """Prepare under kills until it is done, or sorts has no more; then to the end. Returns what is known of each kill.

    sorts: of each kill, its sort and its moment. length: seconds of a preparation. A command that goes on when a job or a reader
    of its own is killed is not started again for the next kill.
    """
    preparation.clear()
    kills: list[dict[str, Any]] = []
    command = preparation.start()
    for sort, moment in sorts:
        if command.poll() is not None:
            command = preparation.start()
        victims = _wait_for(preparation, command, sort, moment, length, moments)
        if not victims:
            break
        kills.append(dict(sort=sort, moment=moment, found=_stage(preparation)))
        for victim in victims:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(victim, SORTS[sort][1])
        if SORTS[sort][0] in ("command", "all"):
            kills[-1]["code"] = command.wait()
        length = max(length / 2, LEAST_SECONDS)  # part of it is done, and is not done again
    command.wait()
    if not preparation.corpus.exists() and (code := preparation.start().wait()) not in (0, 1):
        raise RuntimeError(f"{preparation.folder}: the command ended with {code}; see log.txt there.")
    return kills


def _wait_for(
    preparation: Preparation, command: subprocess.Popen[bytes], sort: str, moment: str, length: float, moments: random.Random
) -> list[int]:
    """Wait for the moment, then say who is to be killed; nobody if the command ends before."""
    size, share = preparation.size(), moments.random()
    if moment != "any":
        while not (preparation.size() != size if moment == "reading" else preparation.is_writing()):
            if command.poll() is not None:
                return []
            time.sleep(POLL_SECONDS)
    last = time.monotonic() + share * AFTER_SECONDS.get(moment, length)
    who = SORTS[sort][0]
    while command.poll() is None:
        victims = [pid for pid, role in family(command.pid).items() if who in (role, "all")]
        if time.monotonic() >= last and victims:
            return victims if who == "all" else [moments.choice(victims)]
        time.sleep(POLL_SECONDS)
    return []


def family(pid: int) -> dict[int, str]:
    """A command's processes: itself, its jobs and their readers; other helpers are "other"."""
    below: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            words = status.read_text().rpartition(")")[2].split()
            if words[0] not in "ZX":
                below.setdefault(int(words[1]), []).append(int(status.parent.name))
    roles = {pid: "command"}
    for job in below.get(pid, []):
        roles[job] = "job"
        for child in below.get(job, []):
            words_of = b""
            with suppress(OSError):
                words_of = Path(f"/proc/{child}/cmdline").read_bytes()
            roles[child] = "reader" if b"spawn_main" in words_of else "other"
    return roles


def _stage(preparation: Preparation) -> str:
    return "writing" if preparation.is_writing() else "reading" if preparation.size() else "starting"


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """What differs between two results, in words."""
    found = []
    if one["checksum"] != other["checksum"]:
        found.append(f"checksum {one['checksum']} against {other['checksum']}")
    for name, a, b in (("lacks", one, other), ("has", other, one)):
        found += [f"left_out.csv {name}: {row}" for row in (Counter(a["left_out"]) - Counter(b["left_out"]))]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.preparation_kills", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="for the tree and the preparations; gone on with")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of sorts and moments")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    words = write_tree(args.folder)
    alone, seconds = undisturbed(Preparation(words, args.folder / "alone", workers=1))
    print(f"alone: {seconds:.1f} s, {alone['checksum']}, {len(alone['left_out']) - 1} left out", flush=True)
    different: list[str] = []
    moments = random.Random(args.seed)
    plan = [(sort, moment) for moment in MOMENTS for sort in SORTS if moment != "writing" or SORTS[sort][0] in ("command", "all")]
    plan = list(itertools.islice(itertools.cycle(plan), args.kills))  # while a corpus is written, no job is left
    moments.shuffle(plan)
    told = args.folder / "kills.jsonl"
    done = [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()] if told.exists() else []
    kills = [kill for preparation in done for kill in preparation["kills"]]
    different += [line for preparation in done for line in preparation["different"]]
    moments.seed(f"{args.seed} {len(done)}")
    while len(kills) < args.kills:
        disturbed = Preparation(words, args.folder / "killed", workers=1 + len(done) % 3)
        new = killed(disturbed, plan[len(kills) :], seconds, moments)
        found = differences(alone, disturbed.result())
        done.append(dict(workers=disturbed.workers, kills=new, different=found))
        with open(told, "a", encoding="utf-8") as file:
            file.write(json.dumps(done[-1]) + "\n")
        different += found
        kills += new
        print(f"{disturbed.workers} workers: {len(new)} kills, {len(kills)} in all; {found or 'the same'}", flush=True)
    for workers, shards in VARIED:
        result, took = undisturbed(Preparation(words, args.folder / f"{workers}-{shards}", workers, shards))
        different += differences(alone, result)
        print(f"{workers} workers, {shards} shards at most: {took:.1f} s, {differences(alone, result) or 'the same'}", flush=True)
    record(
        "preparation_kills",
        dict(
            items=len((args.folder / "alone" / "corpus.work" / "items.jsonl").read_text(encoding="utf-8").splitlines()),
            seconds=round(seconds, 1),
            kills=len(kills),
            sorts=dict(Counter(kill["sort"] for kill in kills)),
            stages=dict(Counter(kill["found"] for kill in kills)),
            preparations=len(done),
            workers=[1, 2, 3],
            shards=sorted({shards for _, shards in VARIED}),
            different=len(different),
        ),
    )
    print("\n".join(different) or "Every corpus is the same.")
    raise SystemExit(1 if different else 0)


if __name__ == "__main__":
    main()
