"""What a process calls now: the wall clock as it was at the start, carried on by the time since boot."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Tells seconds."""


def since_boot() -> float:
    """Seconds since the machine was booted, sleep included; where the system does not tell, of a monotonic clock."""
    try:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    except (AttributeError, OSError):
        return time.monotonic()


def steady(wall: Clock = time.time, boot: Clock = since_boot) -> Clock:
    """A clock in seconds since the epoch that nobody can set.

    Ages of keys and proofs of absence are differences between moments of one process; a wall clock that is set
    meanwhile would make an old key young, or have a proof wait for the day that was skipped.
    """
    offset = wall() - boot()
    return lambda: boot() + offset
