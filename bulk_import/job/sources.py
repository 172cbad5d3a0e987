"""Where a run's ledger lies and what it reads: a file that must stay as it was, or standard input, kept beside the ledger."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TextIO

from bulk_import.errors import LedgerRefuses, SourceError, UsageError
from bulk_import.ledger import Purpose
from bulk_import.options import RunOptions
from bulk_import.reading import Fingerprint, spool


def ledger_path(options: RunOptions) -> Path:
    """Where the ledger of this run lies: as given, else beside the source under its full name."""
    if options.ledger is not None:
        return options.ledger
    if options.source == "-":
        raise UsageError("standard input needs a ledger of its own: pass --ledger PATH")
    kind = "simulated" if options.connecting.simulate else "dry-run" if options.connecting.dry_run else "ledger"
    source = Path(options.source)
    return source.with_name(f"{source.name}.{kind}.db")


def spool_path(ledger: Path) -> Path:
    """Where standard input is kept until every row is settled."""
    return ledger.with_name(ledger.name + ".source")


def check_source(purpose: Purpose, path: Path) -> Fingerprint:
    """The stored fingerprint, if the source still has the same size and SHA-256; naming what differs if not."""
    size = path.stat().st_size
    if size != purpose.size:
        raise LedgerRefuses(_another(purpose, path, f"{purpose.size:,} bytes", f"{size:,} bytes"))
    found = sha256_of(path)
    if found != purpose.sha256:
        raise LedgerRefuses(_another(purpose, path, f"SHA-256 {purpose.sha256[:12]}…", f"{found[:12]}…"))
    return Fingerprint(purpose.size, purpose.sha256, purpose.chunks)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_file(path: Path) -> None:
    """Refuse a source that is not a readable regular file."""
    if not path.exists():
        raise SourceError(f"{path} does not exist; give the path of a CSV or JSONL file, or - for standard input")
    if path.is_dir():
        raise SourceError(f"{path} is a folder; give the path of a file in it")


def spooled_source(stream: TextIO | None, target: Path, max_bytes: int | None) -> Path:
    """Keep standard input beside the ledger; raises `SourceError` when there is nothing to read."""
    if stream is None:
        raise SourceError("standard input is closed; give a path, or pipe the file in")
    if stream.isatty():
        raise SourceError("standard input is a terminal; give a path, or pipe the file in")
    spool(stream.buffer, target, max_bytes)
    if not target.stat().st_size:
        target.unlink()
        raise SourceError("standard input is empty; pipe a file with at least one row")
    return target


def check_piped(stream: TextIO | None, spooled: Path, purpose: Purpose, *, needed: bool) -> None:
    """What is piped into a continued ledger must be what was piped before; nothing at all is fine, too.

    It is kept once more where it is still *needed* and the spool is gone or no longer what it was.
    """
    if stream is None or stream.isatty():
        return
    again = spooled.with_name(spooled.name + ".again")
    try:
        spool(stream.buffer, again, None)
        if not again.stat().st_size:
            return
        if sha256_of(again) != purpose.sha256:
            raise LedgerRefuses(
                "the ledger belongs to another source: standard input holds something else than it did; "
                "pipe the same again, or start a new ledger with --ledger"
            )
        if needed and not (spooled.exists() and spooled.stat().st_size == purpose.size):
            again.replace(spooled)
    except SourceError:
        return  # nothing was piped: the spool is read
    finally:
        again.unlink(missing_ok=True)


def _another(purpose: Purpose, path: Path, was: str, now: str) -> str:
    if str(path.resolve()) == purpose.source:
        return (
            f"{path} was changed since this ledger was begun, so it is another source now ({was} then, {now} now); "
            "put it back as it was, or start a new ledger with --ledger"
        )
    return (
        f"the ledger belongs to another source: it was begun on {purpose.source} ({was}), but {path} has {now}; "
        "give the source it was begun on, or start a new ledger with --ledger"
    )
