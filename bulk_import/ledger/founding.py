"""How a ledger comes into being: whole, or not at all.

It is made under a name of its own and takes its place once it is on disk. So an empty file in that place is never what a
process has left that died as it began: it is what is left of a ledger, and nobody may take it for a new one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from bulk_import.errors import LedgerRefuses
from bulk_import.ledger.database import Connect, Connection, transaction, translated, unwritable
from bulk_import.ledger.schema import APPLICATION_ID, TABLES, VERSION

EMPTY = 1
"""SQLite takes a file of so many bytes for an empty database."""
_PARTS = ("-wal", "-shm", "-journal", "")
"""What there may be of a database, the file itself last."""


def is_begun(path: Path) -> bool:
    """Whether there is a ledger at *path*; raises `LedgerRefuses` for what is left of one."""
    if not os.path.lexists(path):
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise LedgerRefuses(
                f"the ledger {path} is gone, but its log {log} is there and may hold the last rows of it; put the ledger "
                "back beside its log, or delete the log, too, to start anew"
            )
        return False
    check_not_emptied(path)
    return True


def check_not_emptied(path: Path) -> None:
    """Refuse a ledger that was cut down to nothing, which SQLite would take for a new one."""
    if path.is_file() and path.stat().st_size <= EMPTY:
        raise LedgerRefuses(
            f"the ledger {path} is empty, as a copy that was cut short leaves it and a run never does; restore it from a "
            "backup, or delete it to start anew"
        )


def found(path: Path, connect: Connect) -> None:
    """Make the ledger that is not there yet, mode 0600; what a process has left that died at this is made anew."""
    new = path.with_name(path.name + ".new")
    try:
        _remove(new)
        os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        with translated(path):
            _make(connect(str(new)))
        os.rename(new, path)
        _sync(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    except Exception:
        with suppress(OSError):
            _remove(new)
        raise


def create(db: Connection) -> None:
    """Lay out an empty database as a ledger, in one commit."""
    with transaction(db):
        execute_all(db, TABLES)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")


def execute_all(db: Connection, statements: str) -> None:
    """Run statements that have a semicolon between them."""
    for statement in statements.split(";"):
        if statement.strip():
            db.execute(statement)


def _make(db: Connection) -> None:
    try:
        db.execute("PRAGMA journal_mode = WAL").fetchone()
        db.execute("PRAGMA synchronous = FULL")
        create(db)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        db.close()


def _remove(path: Path) -> None:
    for part in _PARTS:
        path.with_name(path.name + part).unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """A name is on disk once its folder is; some systems do not let a folder be opened or synced, and SQLite minds neither."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
