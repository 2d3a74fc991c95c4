"""How far a preparation is: done, failed by reason, speed, time left."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from gan.lease import holder
from gan.raw.work import Tally, Work

RENEW_SECONDS = 2.0
HOME_AND_CLEAR = "\x1b[H\x1b[J"


def show(folder: Path) -> None:
    """Print it; on a terminal, again and again while somebody is at it, until Ctrl-C. Raises ValueError for another folder."""
    live, first, tally = sys.stdout.isatty(), None, None
    while True:
        work = Work.open(folder)
        tally = tally or Tally(work.shard(0).parent)
        now = time.monotonic(), tally.look()
        first = first or now
        busy = holder(work.lease)
        print((HOME_AND_CLEAR if live else "") + table(work, first, now, busy is not None), end="", flush=True)
        if not live or busy is None:
            return
        time.sleep(RENEW_SECONDS)


Look = tuple[float, tuple[int, dict[str, int], float]]


def table(work: Work, first: Look, now: Look, busy: bool) -> str:
    """first, now: (clock, what Tally gave) when somebody began to look, and now: what lies between gives the speed."""
    total = work.num_items
    done, failed, seconds = now[1]
    ended = done + sum(failed.values())
    rest = max(0, total - ended)  # of items that are listed no more, what was read stays
    lines = [
        f"{work.about['source']}: {done} of {total} items read ({seconds / 3600:.2f} h of media), "
        f"{sum(failed.values())} failed, {rest} left. {'At work.' if busy else 'Nobody is at it.'}"
    ]
    lines += [f"failed, {kind}: {count}" for kind, count in sorted(failed.items(), key=lambda entry: -entry[1])]
    passed = now[0] - first[0]
    gained = ended - first[1][0] - sum(first[1][1].values())
    if passed > 0 and gained > 0:
        left = rest * passed / gained
        speed = (seconds - first[1][2]) / passed
        lines.append(f"{gained / passed:.2g} items a second, {speed:.1f} times real time, about {_told(left)} left.")
    return "\n".join(lines) + "\n"


def _told(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds > 5400 else f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"
