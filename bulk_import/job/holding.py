"""The ledger that a job works on: locked, open, and closed at the end."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path

from bulk_import.job.clock import steady
from bulk_import.ledger import (
    Connection,
    Lock,
    Pairings,
    Purpose,
    Reader,
    Writer,
    check_sqlite,
    is_begun,
    open_for_writing,
)


class Holding:
    """A job's hold on its ledger; `stack` lets go of everything that was taken, the lock last.

    `now` is the process's clock and `process_started` when the lock was taken (wall clock, seconds).
    """

    def __init__(self) -> None:
        self.stack = ExitStack()
        self.path = Path()
        self.purpose: Purpose | None = None
        self.now = steady()
        self.process_started = self.now()
        self._writer: Writer | None = None
        self._pairings: Pairings | None = None
        self._reader: Reader | None = None

    def take_ledger(self, path: Path) -> None:
        """Lock the ledger and, where it exists, open it."""
        check_sqlite()  # a new ledger is not opened before the account has answered
        self.path = path
        lock = Lock(path)
        self.stack.callback(lock.release)
        self.process_started = self.now()
        if is_begun(path):
            self.open_ledger()
            self.purpose = self.reader.purpose()

    def open_ledger(self) -> None:
        """Open or make the ledger file; the lock is held."""
        db = self.open_database()
        self._writer, self._reader = Writer(db, self.path, self.now), Reader(db, self.path)
        self._pairings = Pairings(db, self.path, self.now)
        self.stack.callback(self._close_ledger)

    def open_database(self) -> Connection:
        """Open the file; a plan's has no name."""
        return open_for_writing(self.path)

    @property
    def named(self) -> Path:
        """The ledger as a person knows it."""
        return self.path

    @property
    def is_open(self) -> bool:
        """Whether there is a ledger to ask yet."""
        return self._reader is not None

    @property
    def writer(self) -> Writer:
        """The open ledger, to change it."""
        if self._writer is None:
            raise RuntimeError("the ledger is not open")
        return self._writer

    @property
    def reader(self) -> Reader:
        """The open ledger, to ask it."""
        if self._reader is None:
            raise RuntimeError("the ledger is not open")
        return self._reader

    @property
    def pairings(self) -> Pairings:
        """The open ledger's rows and their customers."""
        if self._pairings is None:
            raise RuntimeError("the ledger is not open")
        return self._pairings

    def _close_ledger(self) -> None:
        with suppress(Exception):  # everything that counts was committed; the next start truncates the log
            self.writer.close()
