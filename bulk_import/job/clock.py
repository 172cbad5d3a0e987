"""What a process calls now: the wall clock as it was at the start, carried on by the time since boot; and whether it was set."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bulk_import.age import has_jumped
from bulk_import.ledger import Command

LONGEST_ATTEMPT = 30.0
"""Seconds for which a server may go on acting on a request, however early we stopped listening to it."""

Clock = Callable[[], float]
"""Tells seconds."""


def _clock_since_boot() -> Clock:
    try:
        time.clock_gettime(time.CLOCK_BOOTTIME)
    except (AttributeError, OSError):
        return time.monotonic
    return partial(time.clock_gettime, time.CLOCK_BOOTTIME)


since_boot = _clock_since_boot()
"""Seconds since the machine was booted, sleep included; where the system does not tell, of a monotonic clock."""


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


@dataclass(frozen=True, slots=True)
class Boot:
    """Which boot this is, and how far the wall clock is from boot time; None where the system does not tell."""

    id: str | None
    offset: float | None


def this_boot() -> Boot:
    """Read the system's boot id and the wall clock's distance from boot time, in seconds."""
    try:
        found = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return Boot(found, time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))
    except (OSError, AttributeError):
        return Boot(None, None)


def clock_jumped(commands: Sequence[Command], boot: Boot) -> bool:
    """Tell whether the wall clock was moved since any earlier command of this same boot."""
    return boot.offset is not None and any(
        command.boot == boot.id and command.boot_offset is not None and has_jumped(command.boot_offset, boot.offset)
        for command in commands
    )
