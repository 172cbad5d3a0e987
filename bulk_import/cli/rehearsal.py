"""What a dry run ends with: taking its customers back where asked, what would differ on live, and what to type next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bulk_import.cli.invocation import typed
from bulk_import.errors import BulkImportError, UsageError
from bulk_import.wording import counted, listed

if TYPE_CHECKING:
    from bulk_import.cli.settling import Given
    from bulk_import.job.undone import Undone
    from bulk_import.options import RunOptions
    from bulk_import.report.summary import Summary

SIGNAL, REFUSED = 128, (2, 4, 5)
"""Exit codes after which nothing is taken back: the person stopped it, or the same refusal would come again."""

Notice = Callable[[str, str], None]


def check_rehearsal(given: Given) -> None:
    """Refuse options of a dry run where there is none; raises `UsageError`."""
    method = given.get("dry_run_payment_method")
    if not given["dry_run"] and (given.get("cleanup") or method is not None):
        name = "--cleanup" if given.get("cleanup") else "--dry-run-payment-method"
        raise UsageError(f"{name} belongs to a rehearsal with a test key; add --dry-run, or leave it out.")
    if method is not None and not method.startswith("pm_"):
        raise UsageError(f"--dry-run-payment-method {method!r} is no payment method; write pm_card_mastercard.")


def closed(options: RunOptions, summary: Summary, notice: Notice, *, cleanup: bool) -> Summary:
    """End a dry run: undo it where asked, and say what a live run would do otherwise."""
    if cleanup and summary.exit_code < SIGNAL and summary.exit_code not in REFUSED:
        summary = _undone(options, summary, notice)
        cleaned = True
    else:
        cleaned = False
    asked = options.preparing.mapping.unmapped is None
    refused = _refused_on_live(options, Path(summary.ledger)) if asked else ""
    for line in differences(options, summary, refused):
        notice("on-live", line)
    if not cleaned and summary.created:
        notice("undo", f"the test account keeps {counted(summary.created, 'customer')}; {_how_to_undo(summary)}")
    return summary


def differences(options: RunOptions, summary: Summary, refused: str = "") -> list[str]:
    """What a live run does otherwise than this rehearsal did; *refused* says which columns it refuses."""
    lines = [
        f"on live: each row's own payment method is sent instead of {options.dry_run_method}, and a declined one fails its row",
        "on live: whoever is in the live account already is found there, not in the test account",
    ]
    if refused:
        lines.append(f"on live: {refused} mapped to nothing, which a live run refuses unless --unmapped says otherwise")
    chosen = {"--limit": options.limit, "--sample": options.sample}
    lines += [f"on live: all rows are sent, not only those of {name} {n:,}" for name, n in chosen.items() if n]
    return lines


def _refused_on_live(options: RunOptions, ledger: Path) -> str:
    """The columns of the source that a live run refuses, in words; nothing where there are none, or no header."""
    from bulk_import.cli.following import purpose_at
    from bulk_import.mapping.settled import left_over
    from bulk_import.reading import Reading

    purpose = purpose_at(ledger)
    columns = Reading.from_json(purpose.reading).columns if purpose is not None else ()
    if not (left := left_over(columns, options.preparing.mapping)):
        return ""
    return f"the column{'s' if len(left) > 1 else ''} {listed(left, 20)} {'are' if len(left) > 1 else 'is'}"


def _undone(options: RunOptions, summary: Summary, notice: Notice) -> Summary:
    """Delete what the dry run created; what is left, or goes wrong, is said and counts for the exit code."""
    from bulk_import.cli.progress import Silent
    from bulk_import.job.undoing import undo_job
    from bulk_import.options import LedgerOptions

    line = typed("undo", Path(summary.ledger))
    undo = LedgerOptions(Path(summary.ledger), options.pacing, options.connecting, options.batch_size, line)
    try:
        done, ended = undo_job(undo, Silent(), lambda listing: True)
    except BulkImportError as error:
        notice("cleanup", f"the cleanup did not happen: {error}; {_how_to_undo(summary)}")
        return replace(summary, exit_code=error.exit_code, next=line)
    notice("cleanup", _told(done))
    if ended.exit_code:
        return replace(summary, exit_code=max(summary.exit_code, ended.exit_code), next=line)
    return summary if summary.exit_code else replace(summary, next=_live(options))


def _live(options: RunOptions) -> str | None:
    """The run that was rehearsed; standard input would have to be piped once more, into a ledger of its own."""
    from bulk_import.job.selection import for_live

    return None if options.source == "-" else for_live(options.command_line)


def _told(done: Undone) -> str:
    left = f", left {done.left_count:,} that were touched since" if done.left_count else ""
    back = f", put {done.restored:,} back" if done.restored else ""
    return f"cleanup: deleted {counted(done.deleted + done.gone, 'customer')} of this dry run{back}{left}"


def _how_to_undo(summary: Summary) -> str:
    return f"delete them with: {typed('undo', Path(summary.ledger))}"
