"""Signals that come before a run listens for them: each is noted, so that none is lost, and interrupts what goes on.

An interrupt alone can be swallowed: Python drops one that strikes within an import's own bookkeeping, and makes an
error of another name of one that strikes while a class is being made. While the program itself is being loaded, a
signal is therefore noted and nothing more.
"""

from __future__ import annotations

import signal
import sys

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

caught: list[int] = []
"""The signals noted so far; whoever begins to listen takes them over."""

heard: list[int] = []
"""The signals that came while somebody listened, known even where the loop that is to act on them is kept from it."""


def heed() -> None:
    """Note signals from now on; one that was ignored at the start stays ignored."""
    sys.unraisablehook = _ignored
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _note)


def interrupt() -> None:
    """Let whatever signal comes from now on interrupt, too; raises `KeyboardInterrupt` if one was noted already."""
    for number in SIGNALS:
        if signal.getsignal(number) is _note:
            signal.signal(number, note_and_interrupt)
    if caught:
        raise KeyboardInterrupt


def is_interruption(error: BaseException | None) -> bool:
    """Whether an error is an interrupt, or what Python made of one on its way."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def ignore() -> None:
    """One more impatient signal must not change how the process ends."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def hear(number: int, frame: object) -> None:
    """The handler beneath a loop's own way of listening, which hears of a signal by other means."""
    heard.append(number)


def came() -> bool:
    """Whether any signal came so far."""
    return bool(caught or heard)


def exit_code() -> int:
    """What a process ends with that a signal interrupted."""
    return 128 + (caught[0] if caught else signal.SIGINT)


def _note(number: int, frame: object) -> None:
    caught.append(number)


def note_and_interrupt(number: int, frame: object) -> None:
    """The handler of a signal that is noted and interrupts what goes on."""
    caught.append(number)
    raise KeyboardInterrupt


def _ignored(error: sys.UnraisableHookArgs) -> None:
    """What Python drops after a signal is no news: the interrupt, which was noted, and the end of what it left half made."""
    if not caught:
        sys.__unraisablehook__(error)
