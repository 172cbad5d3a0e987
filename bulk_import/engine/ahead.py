"""How far claims are ahead of sending: a batch is claimed when it is needed, and no earlier."""

from __future__ import annotations

from math import ceil, inf

import anyio

from bulk_import.engine.stopping import Stop
from bulk_import.model import Endpoint
from bulk_import.pace import Gate

RECONSIDER = 0.25
"""Seconds between two looks at whether another batch is needed, where no start asks for one."""


class Ahead:
    """Claims that have not had their turn yet."""

    def __init__(self, gate: Gate, stop: Stop) -> None:
        self._gate = gate
        self._stop = stop
        self._unstarted: set[int] = set()
        self._few = 0
        self._few_left = anyio.Event()

    def add(self, row: int) -> None:
        """One more claim waits for its turn."""
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

    def _enough_for_now(self) -> int:
        """As many as may start within a second; without a rate, as many as may be in flight."""
        rate = self._gate.current_rate(Endpoint.CREATE)
        return max(1, ceil(rate)) if rate < inf else self._gate.max_in_flight
