"""How far claims are ahead of sending: a batch is claimed when it is needed, and no earlier."""

from __future__ import annotations

import math
from collections.abc import Callable

import anyio

from bulk_import.engine.stopping import Stop
from bulk_import.model import Endpoint
from bulk_import.pace import Gate

RECONSIDER = 0.25
"""Seconds between two looks at whether another batch is needed, where no start asks for one."""


MARGIN = 1.0
"""Seconds for which the claims left must last once a batch that takes as long as lately is there."""

LONGEST_LEAD = 5.0
"""The most seconds that a batch is begun early because batches take long; an outage is no reason to claim more."""

LEAD_HALVES_IN = 20.0
"""Seconds in which what a slow batch took counts half: the newest customers are read for one batch of many."""


def lead_after(lead: float, took: float, passed: float) -> float:
    """How long the next batch may take, in seconds, once one *took* so long, *passed* seconds after the last one."""
    return min(max(took, lead * math.pow(0.5, passed / LEAD_HALVES_IN)), LONGEST_LEAD)


class Ahead:
    """Claims that have not had their turn yet, and how long a batch takes from being needed to waiting for its turn.

    `tick` is a monotonic clock in seconds.
    """

    def __init__(self, gate: Gate, stop: Stop, tick: Callable[[], float]) -> None:
        self._gate = gate
        self._stop = stop
        self._tick = tick
        self._unstarted: set[int] = set()
        self._few = 0
        self._few_left = anyio.Event()
        self._lead = gate.first_lead
        self._needed_at: float | None = None
        self._measured_at = tick()

    def add(self, row: int) -> None:
        """One more claim waits for its turn."""
        if self._needed_at is not None:
            now = self._tick()
            self._lead = lead_after(self._lead, now - self._needed_at, now - self._measured_at)
            self._needed_at, self._measured_at = None, now
        self._unstarted.add(row)

    def has_started(self, row: int) -> None:
        """A claim had its turn, or never will."""
        self._unstarted.discard(row)
        if len(self._unstarted) < self._few:
            self._few_left.set()

    async def until_needed(self) -> None:
        """Wait until so few claims have not had their turn that another batch is needed to keep the gate busy.

        Whoever claims earlier than that claims rows in ignorance of who signs up meanwhile, and leaves them in doubt if killed.
        """
        while len(self._unstarted) >= (few := self._enough_for_now()):
            self._few, self._few_left = few, anyio.Event()
            with anyio.move_on_after(RECONSIDER), self._stop.cuts_short():  # the rate and the number in flight change
                await self._few_left.wait()
            self._stop.check()
        self._needed_at = self._tick()

    def _enough_for_now(self) -> int:
        """As many as may start until the next batch is there, and a second longer; without a rate, what is to be at hand."""
        rate = self._gate.current_rate(Endpoint.CREATE)
        return max(1, math.ceil(rate * (MARGIN + self._lead))) if rate < math.inf else self._gate.claims_ahead
