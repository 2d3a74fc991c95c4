"""A job that counts to a number, a step in STEP_SECONDS, and keeps count in a file: python worker.py FOLDER STEPS [STEP_SECONDS].

Asked to stop it saves and exits with 143; started again it goes on. FOLDER/history.txt says how each start began and ended.
"""

import os
import signal
import sys
import time
from pathlib import Path

SAVE_EVERY = 10


def main() -> int:
    folder, steps, step_seconds = Path(sys.argv[1]), int(sys.argv[2]), float((*sys.argv, "0.05")[3])
    received = []
    signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    folder.mkdir(parents=True, exist_ok=True)
    count = folder / "count.txt"
    step, total = map(int, count.read_text().split()) if count.exists() else (0, 0)
    note(folder, f"from {step} on {os.environ.get('SLURMD_NODENAME')}")
    while step < steps and not received:
        time.sleep(step_seconds)
        step += 1
        total += step
        if step % SAVE_EVERY == 0 or step == steps or received:
            save(count, f"{step} {total}")
    if step < steps:
        save(count, f"{step} {total}")
        note(folder, f"saved {step}")
        return 128 + received[0]
    note(folder, f"done {step}")
    return 0


def save(path: Path, text: str) -> None:
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_text(text)
    beside.replace(path)


def note(folder: Path, line: str) -> None:
    with (folder / "history.txt").open("a") as file:
        file.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
