"""What one item may cost, and how it is cut into parts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one item may cost; beyond it the item is listed as failed. hours: of stated length. part_minutes: to read one part.

    Raises ValueError for a value that is not above 0.
    """

    memory_gb: float = 4.0
    part_minutes: float = 20.0
    hours: float = 12.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"limits.{name}: {value} came. Allowed: above 0.")


@dataclass(frozen=True)
class Partition:
    """seconds: of a part. least_share: of the stated length that must come, else the film counts as cut short.

    Raises ValueError for an impossible value.
    """

    seconds: float = 60.0
    least_share: float = 0.95

    def __post_init__(self) -> None:
        if not self.seconds >= 5:
            raise ValueError(f"parts.seconds: {self.seconds} came. Allowed: 5 or more.")
        if not 0 <= self.least_share <= 1:
            raise ValueError(f"parts.least_share: {self.least_share} came. Allowed: 0 to 1.")
