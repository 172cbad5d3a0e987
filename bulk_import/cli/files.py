"""Files that commands write: complete or not at all, private, and never over what an import needs."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bulk_import.cli.invocation import Invocation
from bulk_import.errors import StoppedEarly, UsageError

if TYPE_CHECKING:
    from bulk_import.ledger import Purpose

Write = Callable[[str], bool]
"""Takes text; False once nobody takes it any more."""


def target_of(output: Path | None) -> Path | None:
    """Where the output goes, links followed; None for standard output."""
    return None if output is None or str(output) == "-" else Path(os.path.realpath(output))


def spare(target: Path, ledger: Path, purpose: Purpose | None) -> None:
    """Never write over what the import needs: the ledger, what lies beside it, and its source."""
    beside = [ledger.with_name(ledger.name + ending) for ending in ("", "-wal", "-shm", ".lock", ".source", ".account")]
    for path in [*beside, *([Path(purpose.source)] if purpose and not purpose.spooled else [])]:
        with suppress(OSError):
            if target.samefile(path):
                raise UsageError(f"the output would overwrite {path}, which the import needs; choose another file.")


@contextmanager
def opened(call: Invocation, target: Path | None) -> Iterator[Write]:
    """Write to *target*, or to standard output; a file appears when it is complete, readable by its owner only."""
    if target is None:
        yield from _standard_output(call)
        return
    try:
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            with target.open("wb") as file:
                yield lambda text: bool(file.write(text.encode("utf-8", "backslashreplace")) or True)
        else:
            with _replacing(target) as write:
                yield write
    except OSError as error:
        sentence = f"{target} cannot be written ({error.strerror})"
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
            raise StoppedEarly(f"{sentence}; make room and do it again.") from error
        raise UsageError(f"{sentence}; choose another place.") from error


def _standard_output(call: Invocation) -> Iterator[Write]:
    output = call.output

    def write(text: str) -> bool:
        output.write(text)
        return not output.gone

    yield write
    output.flush()


@contextmanager
def _replacing(target: Path) -> Iterator[Write]:
    """A private file that takes the target's place when it is complete; until then the target stays as it was."""
    handle, name = tempfile.mkstemp(prefix=target.name + ".", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield lambda text: bool(file.write(text.encode("utf-8", "backslashreplace")) or True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)
