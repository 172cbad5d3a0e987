"""Opening a ledger: for its one writer, for a look while that works, or as a copy that nobody sees."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from bulk_import.errors import LedgerRefuses
from bulk_import.ledger.database import (
    Connect,
    Connection,
    check_sqlite,
    connect,
    open_private,
    transaction,
    translate,
    translated,
)
from bulk_import.ledger.founding import check_not_emptied, create, execute_all, found, is_begun
from bulk_import.ledger.schema import APPLICATION_ID, SLICES, UPGRADES, VERSION

THOROUGH, QUICK = 4 << 20, 64 << 20
"""Bytes of ledgers that are looked through whenever they are opened: some 10,000 and 150,000 rows, 0.1 s each."""

AMPLE = 1 << 30
"""Free bytes of a disk on which the ledger's log may be long."""


def open_for_writing(path: Path, connect: Connect = connect) -> Connection:
    """Open or make the ledger at *path*, mode 0600, WAL, every commit synced to disk.

    The caller holds the `Lock`. Raises `LedgerRefuses` for a symlink, a damaged file, another kind of file
    or a newer schema, `LedgerUnwritable` where the disk refuses.
    """
    check_sqlite()
    if not is_begun(path):
        found(path, connect)
    os.close(open_private(path))
    with translated(path):
        db = connect(str(path))
        try:
            _check_kind(db, path)
            # A file that is not in WAL mode yet has one rollback journal, which must be gone for good: brought back by a
            # power cut it would take back what the file holds by then.
            db.execute("PRAGMA synchronous = EXTRA")
            db.execute("PRAGMA journal_mode = WAL").fetchone()
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON").fetchone()
            # Each claim touches the index of e-mails anywhere: with 4 MB, the last of a million rows take a fifth more CPU.
            db.execute("PRAGMA cache_size = -8000")
            db.execute(f"PRAGMA wal_autocheckpoint = {_log_pages(path)}").fetchone()
            if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                create(db)
            _upgrade(db)
            db.execute(SLICES)
            busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                _check_whole(db, path)
            _check_at_once(db, path)
        except BaseException:
            db.close()
            raise
    return db


def open_for_reading(path: Path, connect: Connect = connect) -> Connection:
    """Open an existing ledger for a look, also while another process works on it."""
    check_sqlite()
    if path.is_symlink() or not path.is_file():
        what = "a folder" if path.is_dir() else "no file" if path.exists() else "not there"
        kind = "a symbolic link" if path.is_symlink() else what
        raise LedgerRefuses(f"the ledger {path} is {kind}; give the path of a ledger that a run has written")
    check_not_emptied(path)
    with translated(path):
        db = connect(str(path)) if _can_be_shared(path) else _connect_unchanging(path)
        try:
            if not _answers(db):
                db.close()
                db = _connect_unchanging(path)
            _check_kind(db, path)
            if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise LedgerRefuses(
                    f"{path} is empty: not a ledger of this tool, or one whose run was ended before it sent anything; "
                    "give the path of the ledger itself, or run the import again"
                )
            if not path.with_name(path.name + "-wal").exists():
                _check_whole(db, path)
            _check_at_once(db, path)
            db.execute("PRAGMA query_only = ON")
        except BaseException:
            db.close()
            raise
    return db


def open_scratch(path: Path | None) -> Connection:
    """Open a ledger that no file shows, whatever ends the process: a copy of the one at *path* as it is now, or an empty one.

    SQLite keeps what does not fit into its cache in a file without a name, which the system frees with the process.
    """
    check_sqlite()
    scratch = connect("")
    with translated(path or Path("the temporary ledger")):
        try:
            if path is None:
                create(scratch)
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
    """Whether SQLite can keep its own files beside the ledger, as it does to read beside a writer, and take them away.

    They get the ledger's own mode: beside one that may not be written they stay, and hold up whoever may write it again.
    """
    writable = os.access(path.parent, os.W_OK) and os.access(path, os.W_OK)
    return writable and not os.statvfs(path.parent).f_flag & os.ST_RDONLY


def _answers(db: Connection) -> bool:
    """Whether SQLite found room for its own file beside the ledger; where somebody works on it, that file is there."""
    try:
        db.execute("PRAGMA application_id").fetchone()
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL):
            return False
        raise
    return True


def _connect_unchanging(path: Path) -> Connection:
    """A ledger, or a disk, that nobody can write: an archive, a backup, or one that was made read-only after a trouble.

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


def _log_pages(path: Path) -> int:
    """How long the log may become before it is folded into the ledger.

    What lies all over the file is not to be brought there every 4 MB: with 64, the last of a million rows take 7 % less
    CPU, and up to a second more passes before a killed run goes on. On a small disk the log must leave the ledger room.
    """
    disk = os.statvfs(path.parent)
    return 16_000 if disk.f_bavail * disk.f_frsize >= AMPLE else 1000


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


def check_pages(db: Connection, path: Path, how: str = "quick_check") -> None:
    """See that no page of the ledger is damaged: an index may tell how many rows there are where the rows are gone.

    A million rows take 0.8 s; *how* `integrity_check` also holds each row against every index, which takes 12.
    """
    (said,) = db.execute(f"PRAGMA {how}(1)").fetchone()
    if said != "ok":
        raise translate(path, "SQLITE_CORRUPT", said.splitlines()[-1])


def _check_at_once(db: Connection, path: Path) -> None:
    """Look through a ledger as it is opened, as far as nobody has to wait for that."""
    size = path.stat().st_size
    if size <= QUICK:
        check_pages(db, path, "integrity_check" if size <= THOROUGH else "quick_check")


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
            execute_all(db, UPGRADES[version])
            db.execute(f"PRAGMA user_version = {version + 1}")
