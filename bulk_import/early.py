"""Signals that come before a run listens for them: each is noted, so that none is lost, and interrupts what goes on.

An interrupt alone can be swallowed: Python drops one that strikes within an import's own bookkeeping.
"""

from __future__ import annotations

import signal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

caught: list[int] = []
"""The signals noted so far; whoever begins to listen takes them over."""


def heed() -> None:
    """Note and interrupt from now on; a signal that was ignored at the start stays ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _note)


def ignore() -> None:
    """One more impatient signal must not change how the process ends."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def exit_code() -> int:
    """What a process ends with that a signal interrupted."""
    return 128 + (caught[0] if caught else signal.SIGINT)


def _note(number: int, frame: object) -> None:
    caught.append(number)
    raise KeyboardInterrupt
