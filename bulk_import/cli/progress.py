"""What a person watches while a run goes on: a bar on a terminal, a line every 30 seconds elsewhere, or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from bulk_import.cli.standing import is_shown, opening, standing, worded
from bulk_import.cli.terminal import Messages, safe
from bulk_import.wording import counted

if TYPE_CHECKING:
    from bulk_import.ledger import Line
    from bulk_import.options import Observer, Progress, Start
    from bulk_import.report.summary import Summary

EVERY = 30.0
"""Seconds between two plain lines."""

BAR = 6
"""Columns that the bar itself has at least."""

SHAPE = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix}"
"""A bar of rows."""

if TYPE_CHECKING:

    class Watcher(Observer, Protocol):
        """An observer that a command can take off the screen, and that hears how it all ended."""

        cap: float | None

        def pause(self) -> None:
            """Leave the screen to a question or a message."""

        def finish(self, summary: Summary) -> None:
            """The run is over."""


class Silent:
    """Nobody watches; only errors are said, and not by an observer."""

    wants_rows = False
    cap: float | None = None

    def read(self, bytes_read: int, size: int, rows: int) -> None:
        """Say nothing."""

    def start(self, start: Start) -> None:
        """Say nothing."""

    def notice(self, code: str, message: str) -> None:
        """Say nothing."""

    def progress(self, progress: Progress) -> None:
        """Say nothing."""

    def lines(self, lines: Sequence[Line]) -> None:
        """Say nothing."""

    def pause(self) -> None:
        """Nothing is on the screen."""

    def finish(self, summary: Summary) -> None:
        """Say nothing."""


class PlainLines(Silent):
    """One line now and then, for a log file or a dumb terminal; *tick* is a monotonic clock in seconds."""

    def __init__(self, messages: Messages, verbosity: int = 0, tick: Callable[[], float] = time.monotonic) -> None:
        self._messages = messages
        self._verbosity = verbosity
        self._tick = tick
        self._said_at = tick()

    def read(self, bytes_read: int, size: int, rows: int) -> None:
        """Say how far the first reading has come."""
        if self._is_time():
            self._messages.say(f"reading: {_percent(bytes_read, size)}, {counted(rows, 'row')}")

    def start(self, start: Start) -> None:
        """Say what is about to happen."""
        self.cap = start.rate
        self._said_at = self._tick()
        self._messages.say(*opening(start))

    def notice(self, code: str, message: str) -> None:
        """Say it, unless it is of lesser weight."""
        if is_shown(code, self._verbosity):
            self._messages.say(worded(code, message, self._verbosity))

    def progress(self, progress: Progress) -> None:
        """Say how far it is, when 30 seconds have passed."""
        if self._is_time():
            of_rows = f"{progress.settled:,} of {progress.rows:,} rows ({_percent(progress.settled, progress.rows)})"
            of_rows = of_rows if progress.rows else "no row was sent yet"
            self._messages.say(f"{of_rows}, {standing(progress, self.cap)}")

    def _is_time(self) -> bool:
        if self._tick() - self._said_at < EVERY:
            return False
        self._said_at = self._tick()
        return True


class Bar(Silent):
    """A bar of settled rows out of all rows, with notices above it."""

    def __init__(self, messages: Messages, verbosity: int = 0) -> None:
        self._messages = messages
        self._verbosity = verbosity
        self._bar: Any = None
        self._started = False

    def read(self, bytes_read: int, size: int, rows: int) -> None:
        """Draw how far the first reading has come."""
        if self._bar is None:
            self._bar = self._new(total=size, desc="reading", unit="B", unit_scale=True)
        self._move(bytes_read, f"{counted(rows, 'row')}")

    def start(self, start: Start) -> None:
        """Say what is about to happen and begin the bar where an earlier run left off."""
        self.pause()
        self._started = True
        self.cap = start.rate
        self._messages.say(*opening(start))
        self._bar = self._new(total=start.rows, initial=start.settled, unit="row", bar_format=SHAPE)

    def notice(self, code: str, message: str) -> None:
        """Say it above the bar."""
        if not is_shown(code, self._verbosity):
            return
        if self._bar is None:
            self._messages.say(worded(code, message, self._verbosity))
        else:
            self._bar.write(safe(worded(code, message, self._verbosity)), file=self._messages)

    def progress(self, progress: Progress) -> None:
        """Move the bar; what comes before the start says nothing of rows."""
        if self._bar is None or not self._started:
            return
        counts = f"100%||{progress.settled}/{progress.rows}, "
        self._move(progress.settled, standing(progress, self.cap, self._messages.columns - len(counts) - BAR))

    def pause(self) -> None:
        """Close the bar where it stands."""
        if self._bar is not None:
            self._bar.refresh()
            self._bar.close()
            self._bar = None

    def finish(self, summary: Summary) -> None:
        """Close the bar at what is on disk; the table that follows says the rest."""
        if self._bar is not None and self._started and summary.rows:
            self._bar.set_postfix_str("", refresh=False)
            self._bar.n = summary.rows - summary.pending - summary.in_doubt
        self.pause()

    def _new(self, **shape: Any) -> Any:
        import threading

        from tqdm.std import tqdm

        # Neither a watching thread nor a lock between processes is of use to one bar in one process.
        tqdm.monitor_interval = 0
        tqdm.set_lock(threading.RLock())
        return tqdm(
            file=self._messages,
            ascii=not self._messages.is_unicode,
            smoothing=0.05,
            ncols=self._messages.columns,
            **shape,
        )

    def _move(self, place: int, text: str) -> None:
        # Asked by ourselves, at each move because a window may be resized: where a terminal says 0 columns
        # (as one without a window does), tqdm would draw nothing.
        self._bar.ncols = self._messages.columns
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(place - self._bar.n)


class Count(Bar):
    """The bar of a command that announces no start: it is there as soon as it is known how many rows there are."""

    def progress(self, progress: Progress) -> None:
        """Begin the bar, or move it."""
        if not self._started and progress.rows:
            self._started = True
            self._bar = self._new(total=progress.rows, unit="row", bar_format=SHAPE)
        super().progress(progress)

    def finish(self, summary: Summary) -> None:
        """Close the bar where it stands: a summary counts what the ledger holds, not what was looked at."""
        self.pause()


def _percent(part: int, whole: int) -> str:
    return f"{100 * part // whole if whole else 100} %"
