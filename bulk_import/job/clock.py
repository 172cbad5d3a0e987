"""What a process calls now: the wall clock as it was at the start, carried on by the time since boot."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_ATTEMPT = 30.0
"""Seconds for which a server may go on acting on a request, however early we stopped listening to it."""

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


def longest_attempt(timeout: float) -> float:
    """How long after an attempt began it may still act, in seconds; what proves absence must be later than that.

    `--timeout` says how long we listen. A short one must not make the proof any weaker.
    """
    return max(timeout, LONGEST_ATTEMPT)
