"""What to type next on a ledger: the same from whichever command says it, and right in the folder one is in now."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulk_import.cli.invocation import PROGRAM, SAYING, typed
from bulk_import.errors import BulkImportError
from bulk_import.report.table import STATUSES

if TYPE_CHECKING:
    from bulk_import.ledger import Purpose, Reader, Tally
    from bulk_import.report.summary import Summary

PATHS = ("--ledger", "--mapping", "--api-key-file")
"""Options of a run whose values are paths."""


CHOOSING = ("LIMIT", "SAMPLE")
REHEARSING = ("DRY_RUN", "DRY_RUN_PAYMENT_METHOD", "CLEANUP", "LEDGER", "API_BASE")
"""What the environment may say to `run` (`BULK_IMPORT_RUN_...`) and the next command may be meant to leave out."""


def unhindered(line: str | None, environ: Mapping[str, str]) -> str | None:
    """A command that leaves out options which the environment would add again: it takes them from there first."""
    if line is None or not line.startswith(f"{PROGRAM} run "):
        return line
    words = {word.partition("=")[0] for word in shlex.split(line)}
    left_out = (*CHOOSING, *REHEARSING) if "--live" in words else CHOOSING
    named = [
        variable
        for name in left_out
        if environ.get(variable := f"BULK_IMPORT_RUN_{name}") and f"--{name.lower().replace('_', '-')}" not in words
    ]
    return (
        shlex.join(["env", *(word for variable in named for word in ("-u", variable))]) + f" {line}" if named else line
    )


def next_of(path: Path, reader: Reader, purpose: Purpose | None, tally: Tally) -> str | None:
    """What to type next on this ledger: to end an undo that was cut short, or what its rows ask for."""
    return unhindered(_next_of(path, reader, purpose, tally), os.environ)


def _next_of(path: Path, reader: Reader, purpose: Purpose | None, tally: Tally) -> str | None:
    from bulk_import.job.history import import_line, retry_line, run_cut_short, undone_last
    from bulk_import.ledger import MENDED
    from bulk_import.model import Status

    if purpose is None:
        return None
    if reader.begun_undos():
        return typed("undo", path, *live(purpose))
    counts = {status: tally.count(Status(status)) for status in STATUSES}
    commands = reader.commands()
    line = import_line(commands)
    here = seen_from_here(line, path, purpose) if line else None
    if (counts["in_doubt"] or counts["pending"]) and run_cut_short(commands):
        return here or continuing(path, purpose)
    if (again := retry_line(commands)) and _holds(shlex.split(again), path.absolute()):
        return again
    if reader.has_mended() and not undone_last(commands):
        return typed("retry", path, "--code", MENDED, *live(purpose))
    return next_command(path, purpose, counts, tally.orphans, here)


def next_command(
    path: Path, purpose: Purpose | None, counts: Mapping[str, int], orphans: int, line: str | None = None
) -> str | None:
    """Go on as *line* says, look for doubtful rows, mend what failed, or fetch the result."""
    from bulk_import.report.summary import TO_MEND

    if purpose is None:
        return None
    if counts["pending"]:
        return line or continuing(path, purpose)
    if counts["in_doubt"]:
        return typed("retry", path, *live(purpose))
    if counts["failed"] or counts["invalid"] or orphans:
        return typed("export", path, *TO_MEND)
    return typed("export", path, "--what", "map")


def live(purpose: Purpose) -> tuple[str, ...]:
    """What a command on this ledger needs beside its name, where it writes to a live account."""
    return ("--live",) if purpose.livemode else ()


def in_this_folder(summary: Summary) -> Summary:
    """A summary whose next command, where that is the import, names its files as they are from this folder."""
    if summary.next is None or not summary.next.startswith(f"{PROGRAM} run "):
        return summary
    path = Path(summary.ledger)
    if (purpose := purpose_at(path)) is None:
        return summary
    return replace(summary, next=seen_from_here(summary.next, path, purpose) or continuing(path, purpose))


def purpose_at(path: Path) -> Purpose | None:
    """What the ledger is for; None where it does not say, or cannot be asked: advice is no reason to fail."""
    from bulk_import.ledger import Reader, open_for_reading

    try:
        reader = Reader(open_for_reading(path), path)
        try:
            return reader.purpose()
        finally:
            reader.close()
    except BulkImportError:
        return None


def seen_from_here(line: str, ledger: Path, purpose: Purpose) -> str | None:
    """A run as it was typed, its paths as they are from this folder; None where that folder cannot be told.

    What only changed what was said, such as -q, is left out.
    """
    words = [word for word in shlex.split(line) if word not in SAYING]
    if purpose.spooled:
        return shlex.join(words) if _holds(words, ledger.absolute()) else None
    source = Path(purpose.source)
    if _holds(words, source):
        return shlex.join(words)
    at = next((index for index, word in enumerate(words) if index > 1 and _ends_with(source, word)), None)
    if at is None:
        return None
    folder = Path(str(source)[: -len(os.path.normpath(words[at]))])
    words[at] = _as_path(_shortest(source))
    return shlex.join(_moved(words, folder))


def _holds(words: Sequence[str], path: Path) -> bool:
    """Whether one of the words names that file from this folder."""
    return any(os.path.abspath(word) == str(path) for word in words[2:] if word)


def _ends_with(source: Path, word: str) -> bool:
    tail = os.path.normpath(word)
    return not os.path.isabs(tail) and not tail.startswith("..") and str(source).endswith(os.sep + tail)


def _moved(words: Sequence[str], folder: Path) -> list[str]:
    """The words with the paths among their options taken from *folder*."""
    moved: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if moved and moved[-1] in PATHS:
            moved.append(_as_path(_shortest(folder / word)))
        elif equals and name in PATHS:
            moved.append(f"{name}={_shortest(folder / value)}")
        else:
            moved.append(word)
    return moved


def continuing(path: Path, purpose: Purpose) -> str:
    """The command that goes on with an import where it stopped, with every option that the ledger remembers."""
    from bulk_import.cli.settling import default_ledger

    options = remembered(purpose)
    if purpose.spooled:
        return typed("run", "-", "--ledger", path, *options)
    source = Path(purpose.source)
    usual = default_ledger(source, dry_run=purpose.dry_run, simulated=purpose.simulated)
    named: list[str | Path] = [] if usual.absolute() == path.absolute() else ["--ledger", path]
    return typed("run", _shortest(source), *named, *options)


def remembered(purpose: Purpose) -> list[str]:
    """The options of the import that are not as they are by default; rate and reading are not among them."""
    stored = purpose.options
    mapping = stored.get("mapping", {})
    flags = (
        ("--simulate", purpose.simulated),
        ("--dry-run", purpose.dry_run),
        ("--live", purpose.livemode),
        ("--allow-no-email", stored.get("allow_no_email", False)),
        ("--no-default-payment-method", not stored.get("default_payment_method", True)),
        ("--no-marker", not stored.get("marker", True)),
        ("--hash-emails", purpose.hash_emails),
    )
    values = (
        *(("--map", f"{column}={field}") for column, field in mapping.get("maps", ())),
        *(("--set", f"{field}={value}") for field, value in mapping.get("sets", ())),
        ("--unmapped", mapping.get("unmapped")),
        ("--key", mapping.get("key")),
        ("--email-check", _unless(stored.get("email_check"), "strict")),
        ("--dedupe", _unless(stored.get("dedupe"), "auto")),
        ("--on-existing", _unless(stored.get("on_existing"), "skip")),
        ("--dry-run-payment-method", _unless(stored.get("dry_run_method"), "pm_card_visa")),
        ("--api-base", None if purpose.simulated else _unless(purpose.api_base, "https://api.stripe.com")),
        ("--stripe-account", purpose.stripe_account),
    )
    given = [word for name, value in values if value is not None for word in (name, str(value))]
    return [name for name, wanted in flags if wanted] + given


def _unless(value: Any, usual: str) -> Any:
    return None if value == usual else value


def _shortest(path: Path) -> Path:
    """The path as it is seen from here, where that is shorter."""
    path = Path(os.path.abspath(path))
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _as_path(path: Path) -> str:
    """A path that no command takes for an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)
