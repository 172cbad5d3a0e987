"""The line in front of the gate: who starts next, woken by one timer.

Requests wait in order within their endpoint. Among the first of each endpoint goes whoever may start
first, and among those that may start now, whoever has been first of its endpoint for longest: endpoints
take turns, so that the one list a batch waits for is not behind a hundred creates. A timer wakes that one
alone, and it starts in its own task: nothing is taken for a waiter that is asleep, so a cancelled one
loses nothing.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

from bulk_import.model import Endpoint

CLOSE_ENOUGH = 0.001
"""A timer is left as it is if it rings no more than this many seconds late; the gate makes up for that."""


@dataclass(eq=False, slots=True)
class Waiter:
    """A request in line; `call` wakes it, and `ticket`, drawn as it becomes the first, tells who was so before."""

    endpoint: Endpoint
    call: asyncio.Future[None]
    ticket: int | None = None


class Line:
    """Calls one waiter at a time to the front.

    `opens_at(endpoint, now)` is when a request may start, infinite if only a later `look()` can tell;
    from `closes_at()` on everyone is let through to find the gate closed.
    """

    def __init__(
        self,
        opens_at: Callable[[Endpoint, float], float],
        closes_at: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._opens_at = opens_at
        self._closes_at = closes_at
        self._clock = clock
        self._waiting: dict[Endpoint, deque[Waiter]] = {endpoint: deque() for endpoint in Endpoint}
        self._length = 0
        self._tickets = count()
        self._called: Waiter | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits."""
        return not self._length

    @asynccontextmanager
    async def front(self, endpoint: Endpoint) -> AsyncIterator[None]:
        """Wait until a request may start; what the block takes, it must take without suspending."""
        waiter = Waiter(endpoint, _new_call())
        line = self._waiting[endpoint]
        line.append(waiter)
        self._length += 1
        try:
            if line[0] is waiter:  # whoever stands before us will look when it leaves
                self.look()
            await waiter.call
            while not self._is_let_through(waiter):
                waiter.call = _new_call()
                self._step_back(waiter)
                await waiter.call
            yield
        finally:
            line.remove(waiter)
            self._length -= 1
            self._step_back(waiter)

    def look(self) -> None:
        """Call whoever may start now, else set the timer; to be called when something has changed."""
        if self.is_empty:
            return
        now = self._clock()
        closes_at = self._closes_at()
        if closes_at <= now:
            self._call_everyone()
        elif self._called is None:
            waiter, opens_at = self._next(now)
            if waiter is not None and opens_at <= now:
                self._call(waiter)
            else:
                self._wake_at(min(opens_at, closes_at), now)

    def _is_let_through(self, waiter: Waiter) -> bool:
        now = self._clock()
        if self._closes_at() <= now:
            return True
        return waiter is self._called and self._opens_at(waiter.endpoint, now) <= now

    def _step_back(self, waiter: Waiter) -> None:
        """Whoever was called and is done, for whatever reason, lets the next one be called."""
        if self._called is waiter:
            self._called = None
        self.look()

    def _next(self, now: float) -> tuple[Waiter | None, float]:
        best: Waiter | None = None
        best_at, best_ticket = math.inf, math.inf
        for waiter in (line[0] for line in self._waiting.values() if line):
            if waiter.ticket is None:
                waiter.ticket = next(self._tickets)
            at = max(self._opens_at(waiter.endpoint, now), now)
            if (at, waiter.ticket) < (best_at, best_ticket):
                best, best_at, best_ticket = waiter, at, waiter.ticket
        return best, best_at

    def _call(self, waiter: Waiter) -> None:
        self._called = waiter
        if not waiter.call.done():
            waiter.call.set_result(None)

    def _call_everyone(self) -> None:
        for line in self._waiting.values():
            for waiter in line:
                if not waiter.call.done():
                    waiter.call.set_result(None)

    def _wake_at(self, at: float, now: float) -> None:
        if self._timer is not None:
            if self._timer_at <= at + CLOSE_ENOUGH:
                return
            self._timer.cancel()
            self._timer = None
        if at < math.inf:
            self._timer_at = at
            self._timer = asyncio.get_running_loop().call_later(at - now, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self.look()


def _new_call() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()
