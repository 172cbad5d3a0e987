"""Signals, and the clock by which progress is told."""

from __future__ import annotations

import signal
from collections.abc import Callable

import anyio
from anyio.abc import TaskStatus

from bulk_import import early
from bulk_import.engine.parts import Ended
from bulk_import.engine.stopping import Stop

REPORT_EVERY = 0.25
"""Seconds between two looks at the progress."""

SIGNALS = early.SIGNALS


async def report(progress: Callable[[], None]) -> None:
    """Look at the progress, a few times a second, until cancelled."""
    while True:
        await anyio.sleep(REPORT_EVERY)
        progress()


async def listen(
    signals: tuple[signal.Signals, ...], stop: Stop, ended: Ended, *, task_status: TaskStatus[None]
) -> None:
    """Hand every signal to *stop*, those included that came before anybody listened, until cancelled.

    Whoever heeded them before does so again afterwards: left to itself, asyncio would let SIGTERM kill the process there.
    """
    before = {s: signal.getsignal(s) for s in signals}
    heeded = [s for s in signals if before[s] is not signal.SIG_IGN]
    if not heeded:
        task_status.started()
        return
    try:
        with anyio.open_signal_receiver(*heeded) as received:
            for each in heeded:  # the loop learns of signals through its wake-up descriptor; what blocks it does not
                signal.signal(each, early.hear)
                signal.siginterrupt(each, False)  # as the loop has it: no sync of the ledger's thread is cut short
            for number in early.caught:
                stop.signalled(number)
            task_status.started()
            async for number in received:
                stop.signalled(number)
    finally:
        for number in heeded:
            # Where one came, what it asked for is done: an impatient Ctrl-C must not cut off the closing of the ledger.
            signal.signal(number, (before[number] or signal.SIG_DFL) if ended.signal is None else signal.SIG_IGN)
