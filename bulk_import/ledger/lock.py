"""The lock of a ledger: one process for each, and who it is."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

from bulk_import.errors import LedgerRefuses
from bulk_import.ledger.database import open_private, unwritable

LOCK_TRIES = 5
"""Looks at the lock, 20 ms apart, before somebody else is believed to hold it."""


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
            raise unwritable(self._path, error) from error

    def _take(self, ledger: Path) -> int:
        handle = open_private(self._path)
        try:
            _lock(handle)
        except OSError as error:
            holder = os.pread(handle, 300, 0).decode(errors="replace").strip() or "another process"
            os.close(handle)
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise unwritable(self._path, error) from error
            raise LedgerRefuses(f"the ledger {ledger} is in use by {holder}; wait for it to end or stop it") from None
        return handle

    def release(self) -> None:
        """Remove the lock file and free the lock; a file that cannot be removed locks nobody out once it is free."""
        with suppress(OSError):
            self._path.unlink()
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
