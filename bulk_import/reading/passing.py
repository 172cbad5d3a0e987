"""A folder for what a command keeps only while it works, such as a copy of standard input: personal data.

It is gone when the command ends. One that was killed leaves its folder behind; the next command of the same user
removes it, and tells it from that of a living one by the lock that a living one holds.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bulk_import.temporary import needing_room

PREFIX = "bulk-import-"
LOCK = "in-use"


@contextmanager
def passing_folder() -> Iterator[Path]:
    """A private folder for as long as the block lasts; those that killed commands left are removed first."""
    with needing_room():
        remove_left_behind(Path(tempfile.gettempdir()))
        folder, lock = _made()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_left_behind(temporary: Path) -> None:
    """Remove every folder of ours, and of this user, that nobody works in any more."""
    for folder in temporary.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.lstat().st_uid != os.getuid():
                continue
            lock = _locked(folder, os.O_RDWR)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _made() -> tuple[Path, int]:
    """A new folder, locked; another command may take it for left behind in the moment before it is."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        with suppress(FileNotFoundError):  # nothing else comes to an end by trying again
            lock = _locked(folder, os.O_RDWR | os.O_CREAT)
            if lock is not None and (folder / LOCK).exists():
                return folder, lock


def _locked(folder: Path, flags: int) -> int | None:
    """The folder's lock, None while somebody else holds it; raises OSError where there is none to take."""
    handle = os.open(folder / LOCK, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
