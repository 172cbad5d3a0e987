"""What the ledger's log of commands says of the import: which one counts, and how it was typed (pure)."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from bulk_import.job.selection import for_all_rows
from bulk_import.ledger import Command
from bulk_import.report.summary import DOUBT, LEDGER, OK, SOME_FAILED, USAGE

FINISHED = (OK, SOME_FAILED, DOUBT)
"""Exit codes of a run that has come to the end of the rows it was to send."""

REFUSED = (USAGE, LEDGER)
"""Exit codes of a command that was not allowed to do anything: how it was typed is no advice."""

AT_WORK = ("run", "retry", "undo")
"""Commands that change what a ledger holds; `verify` only looks."""


def last_at_work(commands: Sequence[Command]) -> Command | None:
    """The last command that changed anything; where none did, the last of all."""
    worked = [c for c in commands if c.verb in AT_WORK and c.exit_code not in REFUSED]
    return worked[-1] if worked else commands[-1] if commands else None


def run_cut_short(commands: Sequence[Command]) -> bool:
    """Whether the last command that changed anything was a run that has not come to its end."""
    last = last_at_work(commands)
    return last is not None and last.verb == "run" and last.exit_code not in FINISHED


def last_import(commands: Sequence[Command]) -> Command | None:
    """The last run that was let in."""
    runs = [c for c in commands if c.verb == "run" and c.exit_code not in REFUSED]
    return runs[-1] if runs else None


def last_deciding(commands: Sequence[Command]) -> Command | None:
    """The last run or undo that was let in: it decides which rows have no customer, and why."""
    decided = [c for c in commands if c.verb in ("run", "undo") and c.exit_code not in REFUSED]
    return decided[-1] if decided else None


def has_mended(commands: Sequence[Command]) -> bool:
    """Whether a mended file was ever taken over."""
    return any("with" in command.facts for command in commands)


def last_file(commands: Sequence[Command]) -> str | None:
    """The digest of the mended file that was taken over last; None where none was, or it had none."""
    taken: list[str | None] = [c.facts["with"] for c in commands if "with" in c.facts]
    return taken[-1] if taken else None


def undone_last(commands: Sequence[Command]) -> bool:
    """Whether the last command that changed anything took customers back: nobody then means to send what is left of a retry."""
    last = last_at_work(commands)
    return last is not None and last.verb == "undo"


def retry_line(commands: Sequence[Command]) -> str | None:
    """The retry as it was typed last, if it was cut off before the ledger had taken over its mended file."""
    last = last_at_work(commands)
    if last is None or last.verb != "retry" or last.exit_code in FINISHED or "with" in last.facts:
        return None
    line = str(last.facts.get("line") or "")
    return line if any(word.partition("=")[0] == "--with" for word in shlex.split(line)) else None


def import_line(commands: Sequence[Command]) -> str | None:
    """The import as it was typed last; for all rows, once those that were chosen are done and not undone."""
    last = last_import(commands)
    line = str(last.facts.get("line") or "") if last is not None else ""
    is_done = last is not None and last.exit_code in FINISHED and last_deciding(commands) is last
    return (for_all_rows(line) if is_done else line) if line else None
