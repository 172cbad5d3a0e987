"""How a run stops: by a signal or an error, at once for whoever waits, and only after landing for whoever flies."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from bulk_import.engine.parts import Ended, Stopped
from bulk_import.errors import BulkImportError


class Stop:
    """Whether the run is on its way out, why, and who is to be told; `flights` is what a second signal cancels."""

    def __init__(self, ended: Ended) -> None:
        self._ended = ended
        self._stop = anyio.Event()
        self._waiting: set[anyio.CancelScope] = set()
        self.flights: anyio.CancelScope | None = None

    @property
    def stopping(self) -> bool:
        """Whether the run is on its way out."""
        return self._stop.is_set()

    @contextmanager
    def cuts_short(self, patience: float = math.inf) -> Iterator[anyio.CancelScope]:
        """What waits in this block is cancelled by a stop, or after so many seconds, unless the scope `takes_off` before."""
        with anyio.CancelScope(deadline=anyio.current_time() + patience) as waiting:
            self._waiting.add(waiting)
            try:
                yield waiting
            finally:
                self._waiting.discard(waiting)

    def takes_off(self, waiting: anyio.CancelScope) -> bool:
        """From here on it is a flight, and flights land; False where it has been cut short just before."""
        self._waiting.discard(waiting)
        waiting.deadline = math.inf
        return not waiting.cancel_called

    async def nap(self, seconds: float) -> None:
        """Sleep, but no longer than the run goes on."""
        with anyio.move_on_after(seconds):
            await self._stop.wait()

    def check(self) -> None:
        """Raise `Stopped` when the run is on its way out."""
        if self.stopping:
            raise Stopped

    def halt(self, error: BulkImportError) -> None:
        """Stop the run because of *error*; the first one is the one that is reported."""
        if self._ended.error is None:
            self._ended.error = error
        self._wind_down()

    def signalled(self, number: int) -> None:
        """The first signal stops the script and lets flights land; a second one cancels the flights."""
        if self._ended.signal is not None and self.flights is not None:
            self.flights.cancel()
        self._ended.signal = self._ended.signal or int(number)
        self._wind_down()

    def _wind_down(self) -> None:
        """Whoever waits for a turn gives up; who has begun goes on."""
        self._stop.set()
        for waiting in tuple(self._waiting):
            waiting.cancel()
