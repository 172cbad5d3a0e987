"""An asyncio loop whose clock jumps to the next timer, so that an hour of waiting takes no time.

The clock stands still while Python runs and moves only between two steps of the loop: by at least a
nanosecond, because code that re-arms a timer for an instant that rounding has already reached would
otherwise wait for ever, and to the next timer when nothing else is left to do.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

Result = TypeVar("Result")

CREEP = 1e-9
STUCK_AFTER = 10.0
"""Real seconds without a timer or a thread's answer after which the test is told that it hangs."""


def no_lag() -> float:
    """Timers fire exactly when they are due."""
    return 0.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop on virtual seconds, which begin at `start`.

    `lag` is asked how many seconds late each jump to a timer arrives. `steps` counts turns of the
    loop. Time stands still while a function given to `run_in_executor` (`asyncio.to_thread`) works.
    """

    def __init__(self, lag: Callable[[], float] = no_lag, start: float = 1000.0) -> None:
        self._now = start
        self._threads = 0
        self.lag = lag
        self.steps = 0
        super().__init__(_JumpingSelector(self._advance))

    def time(self) -> float:
        """Virtual seconds."""
        return self._now

    def stall(self, seconds: float) -> None:
        """Let time pass as if the process had been busy or stopped: no callback runs meanwhile."""
        self._now += seconds

    def run_in_executor(  # type: ignore[override]  # the stub names the arguments with type variables of its own
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> Awaitable[Any]:
        """As usual, and the clock waits for the answer."""
        self._threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_is_done)
        return future

    async def shutdown_default_executor(self, *patience: float | None) -> None:
        """As usual, and the clock waits for the threads to end: from Python 3.12 on, `Runner` gives them five minutes."""
        self._threads += 1
        try:
            await super().shutdown_default_executor(*patience)
        finally:
            self._threads -= 1

    def _thread_is_done(self, _: asyncio.Future[Any]) -> None:
        self._threads -= 1

    def _advance(self, timeout: float | None) -> float | None:
        """Move the clock for one step; returns how many real seconds the selector may block."""
        self.steps += 1
        self._now += CREEP
        if timeout == 0 or (timeout is not None and timeout <= CREEP):
            return 0.0
        if self._threads or timeout is None:
            return STUCK_AFTER
        self._now += timeout + self.lag()
        return 0.0


class _JumpingSelector(selectors.DefaultSelector):
    """Asks the clock how long to block instead of blocking for as long as the loop says."""

    def __init__(self, advance: Callable[[float | None], float | None]) -> None:
        super().__init__()
        self._advance = advance

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        wait = 0.0 if events else self._advance(timeout)
        if wait:
            events = super().select(wait)
            if not events:
                raise RuntimeError("the virtual loop hangs: no timer is set and no thread answers")
        return list(events)


def run_virtual(
    coro_fn: Callable[[], Coroutine[Any, Any, Result]],
    *,
    lag: Callable[[], float] = no_lag,
    start: float = 1000.0,
) -> Result:
    """Run `coro_fn()` to its end on a new virtual loop, at once whatever it waits for."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(lag, start)) as runner:
        return runner.run(coro_fn())


def virtual_loop() -> VirtualLoop:
    """The virtual loop that runs the caller."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop
