"""How far long work has come: a bar on a terminal, elsewhere (a log, a pipe) a line every half minute."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any, TextIO

from tqdm import tqdm

SECONDS = 30
LINE = "{desc}: {n_fmt} of {total_fmt} {unit}s, {rate_fmt}{postfix}, {remaining} left"


class Progress(tqdm):
    """tqdm on standard error. Where that is no terminal, nothing is said of work that takes less than half a minute."""

    monitor_interval = 0  # no thread of tqdm's: the clock is asked at every step of the work

    def __init__(self, *args: Any, **more: Any):
        if not sys.stderr.isatty():
            more |= dict(bar_format=LINE, delay=SECONDS, mininterval=SECONDS, maxinterval=SECONDS, miniters=1, leave=False)
        super().__init__(*args, **more)

    def close(self) -> None:
        if not self.disable and not self.fp.isatty():
            self.delay = math.inf  # as if nothing had been shown yet, so that tqdm wipes no line of the log
        super().close()

    @classmethod
    def write(cls, text: str) -> None:
        """A line on standard error, above the bar where there is one."""
        if sys.stderr.isatty():
            super().write(text, file=sys.stderr)
        else:
            print(text, file=sys.stderr)

    @staticmethod
    def status_printer(file: TextIO) -> Callable[[str], None]:
        if file.isatty():
            return tqdm.status_printer(file)

        def line(text: str) -> None:
            if text.strip():
                file.write(f"{text.strip()}\n")
                file.flush()

        return line
