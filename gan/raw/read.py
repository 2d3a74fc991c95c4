"""An item of media -> what is heard and seen in it, part after part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gan.raw.item import Item
from gan.raw.profile import Profile
from gan.raw.store import Row


class Failed(ValueError):
    """An item cannot be used. stage: where it failed. kind: a few words by which failures are counted."""

    def __init__(self, stage: str, kind: str, reason: str):
        super().__init__(reason)
        self.stage, self.kind = stage, kind


def read_item(item: Item, profile: Profile, done: int) -> Iterator[tuple[Row, dict[str, np.ndarray]]]:
    raise NotImplementedError


Part = tuple[Row, dict[str, Any]]
