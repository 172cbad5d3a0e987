"""Files that commands write: complete or not at all, private, and never over what an import needs."""

from __future__ import annotations

import errno
import filecmp
import itertools
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
    return (
        None if output is None or str(output) in ("-", "/dev/stdout", "/dev/fd/1") else Path(os.path.realpath(output))
    )


def spare(target: Path, ledger: Path, purpose: Purpose | None) -> None:
    """Never write over what the import needs: the ledger, what lies beside it, and its source."""
    beside = [ledger.with_name(ledger.name + ending) for ending in ("", "-wal", "-shm", ".lock", ".source", ".account")]
    for path in [*beside, *([Path(purpose.source)] if purpose and not purpose.spooled else [])]:
        with suppress(OSError):
            if target.samefile(path):
                raise UsageError(f"the output would overwrite {path}, which the import needs; choose another file.")


Keep = Callable[[Path], bool]
"""Whether a file that is there is somebody's work, not to be lost when another takes its place."""


def always_replaced(target: Path) -> bool:
    """What can be written again at any time is nobody's work."""
    return False


@contextmanager
def opened(call: Invocation, target: Path | None, keep: Keep = always_replaced) -> Iterator[Write]:
    """Write to *target*, or to standard output; a file appears when it is complete, readable by its owner only.

    What stood there before makes room, under another name if it is to be kept, which is then said.
    """
    if target is None:
        yield from _standard_output(call)
        return
    try:
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            with target.open("wb") as file:
                yield lambda text: bool(file.write(text.encode("utf-8", "backslashreplace")) or True)
        else:
            with _replacing(target) as (write, new):
                yield write
            _put_in_place(call, new, target, keep)
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
def _replacing(target: Path) -> Iterator[tuple[Write, Path]]:
    """A private file beside the target, complete and on disk at the end; gone if it never gets so far."""
    handle, name = tempfile.mkstemp(prefix=target.name + ".", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield lambda text: bool(file.write(text.encode("utf-8", "backslashreplace")) or True), Path(name)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise


def _put_in_place(call: Invocation, new: Path, target: Path, keep: Keep) -> None:
    try:
        if target.exists() and keep(target) and not filecmp.cmp(new, target, shallow=False):
            kept = _spare_name(target)
            os.rename(target, kept)
            call.tell(f"the {target.name} that was there is kept as {kept}: it may have been mended")
        os.replace(new, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(new)


def _spare_name(target: Path) -> Path:
    numbered = (target.with_name(f"{target.stem}.{number}{target.suffix}") for number in itertools.count(1))
    return next(path for path in numbered if not os.path.lexists(path))
