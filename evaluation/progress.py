"""How far long work has come: a bar on a terminal, elsewhere (a log, a pipe) a line every half minute."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from tqdm import tqdm

SECONDS = 30
LINE = "{desc}: {n_fmt} of {total_fmt} {unit}s, {rate_fmt}{postfix}, {remaining} left"


class Progress(tqdm):
    """tqdm on standard error. Where that is no terminal, nothing is said of work that takes less than half a minute.

    iterable, desc, unit, total, initial: as tqdm takes them. kept: the bar stays when it is done. silent: nothing is ever said.
    """

    def __init__(
        self,
        iterable: Iterable | None = None,
        *,
        desc: str,
        unit: str,
        kept: bool = False,
        silent: bool = False,
        **more: Any,
    ):
        if not sys.stderr.isatty():
            more |= dict(bar_format=LINE, delay=SECONDS, mininterval=SECONDS, maxinterval=SECONDS, miniters=1)
        super().__init__(iterable, desc=desc, unit=unit, leave=kept and sys.stderr.isatty(), disable=silent, **more)

    def close(self) -> None:
        if not self.disable and not self.fp.isatty():
            self.delay = math.inf  # as if nothing had been shown yet, so that tqdm wipes no line of the log
        super().close()

    @staticmethod
    def status_printer(file: TextIO) -> Callable[[str], None]:
        if file.isatty():
            return tqdm.status_printer(file)

        def line(text: str) -> None:
            if text.strip():
                file.write(f"{text.strip()}\n")
                file.flush()

        return line
