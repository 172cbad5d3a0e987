"""Opening the ledger file: a lock of its own, private modes, no symlinks, durable pragmas."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import sqlite3
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from bulk_import.errors import LedgerRefuses, LedgerUnwritable
from bulk_import.ledger.schema import APPLICATION_ID, SLICES, TABLES, UPGRADES, VERSION


class Rows(Protocol):
    """What a statement answers."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """All rows left."""

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """All that the ledger asks of a database connection (sqlite3's, or a test's own on a failing disk)."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Any:
        """Run one statement."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:
        """Run one statement for each of *parameters*."""

    def close(self) -> None:
        """Let go of the file."""


LOCK_TRIES = 5
"""Looks at the lock, 20 ms apart, before somebody else is believed to hold it."""

Connect = Callable[[str], Connection]


def connect(path: str) -> Connection:
    """A connection in autocommit mode that any one thread at a time may use."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)


class Lock:
    """One process for each ledger: an OS lock on a file of its own, freed by the kernel when the process dies.

    The lock file is apart from the database because closing any handle of the database file would
    drop SQLite's own locks. Raises `LedgerRefuses` naming the holder's pid and host.
    """

    def __init__(self, ledger: Path) -> None:
        self._path = ledger.with_name(ledger.name + ".lock")
        while True:
            self._handle = self._take(ledger)
            if _is_same_file(self._handle, self._path):
                break
            os.close(self._handle)  # the holder before us removed it as it left; a lock on it protects nothing
        try:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        except OSError as error:
            self.release()
            raise _unwritable(self._path, error) from error

    def _take(self, ledger: Path) -> int:
        handle = _open_private(self._path)
        try:
            _lock(handle)
        except OSError as error:
            holder = os.pread(handle, 300, 0).decode(errors="replace").strip() or "another process"
            os.close(handle)
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise _unwritable(self._path, error) from error
            raise LedgerRefuses(f"the ledger {ledger} is in use by {holder}; wait for it to end or stop it") from None
        return handle

    def release(self) -> None:
        """Remove the lock file and free the lock."""
        self._path.unlink(missing_ok=True)
        os.close(self._handle)


def is_locked(ledger: Path) -> str | None:
    """Who holds the ledger right now (`pid N on HOST`), or None."""
    path = ledger.with_name(ledger.name + ".lock")
    try:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return os.pread(handle, 300, 0).decode(errors="replace").strip() or "another process"
    finally:
        os.close(handle)
    return None


def open_for_writing(path: Path, connect: Connect = connect) -> Connection:
    """Open or make the ledger at *path*, mode 0600, WAL, every commit synced to disk.

    The caller holds the `Lock`. Raises `LedgerRefuses` for a symlink, a damaged file, another kind of file
    or a newer schema, `LedgerUnwritable` where the disk refuses.
    """
    os.close(_open_private(path))
    with translated(path):
        db = connect(str(path))
        try:
            _check_kind(db, path)
            # The one rollback journal of a new file must be gone for good: brought back by a power cut it would empty it.
            db.execute("PRAGMA synchronous = EXTRA")
            db.execute("PRAGMA journal_mode = WAL").fetchone()
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON").fetchone()
            db.execute("PRAGMA cache_size = -8000")
            if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                _create(db)
            _upgrade(db)
            db.execute(SLICES)
            busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                _check_whole(db, path)
        except BaseException:
            db.close()
            raise
    return db


def open_for_reading(path: Path, connect: Connect = connect) -> Connection:
    """Open an existing ledger for a look, also while another process works on it."""
    if path.is_symlink() or not path.is_file():
        kind = "a symbolic link" if path.is_symlink() else "not there"
        raise LedgerRefuses(f"the ledger {path} is {kind}; give the path of a ledger that a run has written")
    with translated(path):
        db = connect(str(path)) if _can_be_shared(path) else _connect_unchanging(path)
        try:
            _check_kind(db, path)
            if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise LedgerRefuses(f"{path} is not a ledger of this tool; give the path of the ledger itself")
            if not path.with_name(path.name + "-wal").exists():
                _check_whole(db, path)
            db.execute("PRAGMA query_only = ON")
        except BaseException:
            db.close()
            raise
    return db


def open_scratch(path: Path | None) -> Connection:
    """Open a ledger that no file shows, whatever ends the process: a copy of the one at *path* as it is now, or an empty one.

    SQLite keeps what does not fit into its cache in a file without a name, which the system frees with the process.
    """
    scratch = connect("")
    with translated(path or Path("the temporary ledger")):
        try:
            if path is None:
                _create(scratch)
            else:
                _copy(path, scratch)
            _upgrade(scratch)
            scratch.execute(SLICES)
        except BaseException:
            scratch.close()
            raise
    return scratch


def _copy(path: Path, scratch: Connection) -> None:
    """Copy a ledger, whether or not a process works on it."""
    source = open_for_reading(path)
    try:
        assert isinstance(source, sqlite3.Connection)  # noqa: S101 - only a test connects otherwise
        assert isinstance(scratch, sqlite3.Connection)  # noqa: S101 - made by `connect`
        source.backup(scratch)
    finally:
        source.close()


def _can_be_shared(path: Path) -> bool:
    """Whether SQLite can keep its own files beside the ledger, as it does to read beside a writer."""
    return os.access(path.parent, os.W_OK) and not os.statvfs(path.parent).f_flag & os.ST_RDONLY


def _connect_unchanging(path: Path) -> Connection:
    """A ledger on a disk that nobody can write: an archive, a backup, or one that was made read-only after a trouble.

    Commits that its last writer left in the log are read, too: with nobody to share it with, SQLite keeps the log's
    index in memory, and needs no lock.
    """
    log = path.with_name(path.name + "-wal")
    has_log = log.exists() and log.stat().st_size > 0
    way = "mode=ro&vfs=unix-none" if has_log else "immutable=1"
    db = sqlite3.connect(f"file:{quote(str(path))}?{way}", uri=True, isolation_level=None, check_same_thread=False)
    if has_log:
        db.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
    return db


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
def translated(path: Path) -> Iterator[None]:
    """Turn the database's own errors into ours, one sentence each."""
    try:
        yield
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


def _check_kind(db: Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    kind = db.execute("PRAGMA application_id").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if kind != APPLICATION_ID and tables:
        raise LedgerRefuses(f"{path} is an SQLite file but no ledger of this tool; choose another path with --ledger")
    if kind == APPLICATION_ID and version > VERSION:
        raise LedgerRefuses(
            f"the ledger {path} was written by a newer bulk-import (schema {version}, this one knows {VERSION}); "
            "upgrade bulk-import"
        )


def _check_whole(db: Connection, path: Path) -> None:
    """SQLite takes a last page that was cut short for a whole one; the log is in the file by now."""
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    size = db.execute("PRAGMA page_size").fetchone()[0]
    if path.stat().st_size < pages * size:
        raise translate(path, "SQLITE_CORRUPT", "its end is missing")


def _upgrade(db: Connection) -> None:
    """Bring a ledger of an older version up to this one, a version in each commit."""
    while (version := db.execute("PRAGMA user_version").fetchone()[0]) < VERSION:
        with transaction(db):
            _execute_all(db, UPGRADES[version])
            db.execute(f"PRAGMA user_version = {version + 1}")


def _execute_all(db: Connection, statements: str) -> None:
    for statement in statements.split(";"):
        if statement.strip():
            db.execute(statement)


def _create(db: Connection) -> None:
    with transaction(db):
        _execute_all(db, TABLES)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")


def _open_private(path: Path) -> int:
    """Open *path* for reading and writing, made 0600 if it is new; a symlink is refused."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise LedgerRefuses(f"{path} is a symbolic link, which is never followed; name the file itself") from None
        raise _unwritable(path, error) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise LedgerRefuses(f"{path} is not a regular file; choose another path with --ledger")
    return handle


def _lock(handle: int) -> None:
    """Take the lock; `status` may hold it for a moment to see whether anybody does, so one refusal proves nothing."""
    for _ in range(LOCK_TRIES):
        with suppress(BlockingIOError):
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(0.02)
    return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_same_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _unwritable(path: Path, error: OSError) -> LedgerUnwritable:
    return LedgerUnwritable(
        f"{path} cannot be written ({error.strerror}); make its folder writable, or keep the ledger in another: "
        "run has --ledger for that"
    )


def _roll_back(db: Connection) -> None:
    try:
        db.execute("ROLLBACK")
    except Exception:
        # The error that led here is the one to report, and SQLite may have rolled back by itself.
        return
