"""What all of the ledger asks of its file: a connection, private modes, one commit at a time, errors in our words."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from bulk_import.errors import LedgerRefuses, LedgerUnwritable, StoppedEarly

OLDEST_SQLITE = (3, 33, 0)
"""The first SQLite that knows `UPDATE ... FROM`, by which rows are settled; Python 3.11 runs on older ones, too."""


class Connection(Protocol):
    """All that the ledger asks of a database connection (sqlite3's, or a test's own on a failing disk)."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Any:
        """Run one statement."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:
        """Run one statement for each of *parameters*."""

    def close(self) -> None:
        """Let go of the file."""


Connect = Callable[[str], Connection]
Query = Callable[[str, Sequence[Any]], list[Any]]
"""Carries out one query with its values."""


class Disagrees(Exception):
    """What rows of the ledger are does not allow what was to be done, as its text says; never leaves `ledger`."""


def check_sqlite(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> None:
    """See, before any file is opened, that SQLite in this *version* knows all that the ledger asks of it.

    Raises `StoppedEarly` where it does not: found out at the first commit, customers would have been made by then.
    """
    if version < OLDEST_SQLITE:
        there, needed = (".".join(map(str, each)) for each in (version, OLDEST_SQLITE))
        raise StoppedEarly(
            f"this Python works with SQLite {there}, and the ledger needs {needed} or later, so nothing was opened or "
            "sent; use a Python with a newer SQLite, then give the same command again"
        )


def connect(path: str) -> Connection:
    """A connection in autocommit mode that any one thread at a time may use."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)


def open_private(path: Path) -> int:
    """Open *path* for reading and writing, made 0600 if it is new; a symlink, and a file with a second name, is refused.

    The lock of a ledger and SQLite's log go by its name, so that under another one nothing would keep two processes apart.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise LedgerRefuses(f"{path} is a symbolic link, which is never followed; name the file itself") from None
        raise unwritable(path, error) from error
    found = os.fstat(handle)
    if stat.S_ISREG(found.st_mode) and found.st_nlink < 2:
        return handle
    os.close(handle)
    if not stat.S_ISREG(found.st_mode):
        raise LedgerRefuses(f"{path} is not a regular file; choose another path with --ledger")
    raise LedgerRefuses(
        f"{path} has a second name (a hard link), under which another process could work on it unseen; "
        "delete the other name, or put a copy in its place"
    )


def unwritable(path: Path, error: OSError) -> LedgerUnwritable:
    """Our error for a file that the system will not let us write."""
    there = "make its folder" if error.errno == errno.ENOENT else "make its folder writable"
    return LedgerUnwritable(
        f"{path} cannot be written ({error.strerror}); {there}, or keep the ledger in another: "
        "run has --ledger for that"
    )


@contextmanager
def transaction(db: Connection) -> Iterator[None]:
    """One commit: all of it is on disk afterwards, or none of it is."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        _roll_back(db)
        raise


@contextmanager
def changing(db: Connection, count: int, agreed: str) -> Iterator[None]:
    """See that just so many rows change; else the ledger does not agree that what *agreed* says may be done."""
    before = changes(db)
    yield
    if changes(db) - before != count:
        raise Disagrees(agreed)


def changes(db: Connection) -> int:
    """How many rows this connection has changed so far."""
    return int(db.execute("SELECT total_changes()").fetchone()[0])


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn the database's own errors into ours, one sentence each."""
    try:
        yield
    except Disagrees as error:
        raise LedgerRefuses(
            f"the ledger {path} does not agree that {error}; nothing of this was written; keep the file and report this"
        ) from None
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", None) or type(error).__name__
        raise translate(path, name, str(error)) from error


@contextmanager
def sound(path: Path) -> Iterator[None]:
    """Turn what cannot be made of the texts in the database into ours: SQLite does not notice every bit that has changed."""
    try:
        with translated(path):
            yield
    except (ValueError, TypeError, KeyError) as error:
        raise translate(path, "SQLITE_CORRUPT", f"what it holds cannot be read: {type(error).__name__}") from error


def translate(path: Path, name: str, text: str) -> LedgerRefuses | LedgerUnwritable:
    """Which of our errors SQLite's error *name* means."""
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
        return LedgerUnwritable(
            f"the ledger {path} cannot be written ({text}); free or fix the disk, then run the same command again"
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return LedgerRefuses(f"the ledger {path} is held open by another program; close it and try again")
    if name.startswith("SQLITE_NOTADB") and (beside := _ledgers_beside(path)):
        return LedgerRefuses(f"{path} is no ledger; the ledger of {path} is {' or '.join(beside)}, so give that one")
    otherwise = "give that of the import instead" if name.startswith("SQLITE_NOTADB") else "move it away to start anew"
    return LedgerRefuses(
        f"the ledger {path} is damaged or no ledger ({text}); restore it from a backup, or {otherwise}"
    )


def _ledgers_beside(path: Path) -> list[str]:
    """The ledgers there are of a source that was given in place of one."""
    named = (path.with_name(path.name + ending) for ending in (".ledger.db", ".dry-run.db", ".simulated.db"))
    return [str(each) for each in named if each.exists()]


def _roll_back(db: Connection) -> None:
    try:
        db.execute("ROLLBACK")
    except Exception:
        # The error that led here is the one to report, and SQLite may have rolled back by itself.
        return
