"""A run or a retry, from its start to its closing table."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bulk_import import early
from bulk_import.cli.events import Events
from bulk_import.cli.following import unhindered
from bulk_import.cli.invocation import Invocation, next_line
from bulk_import.cli.progress import Bar, PlainLines, Silent
from bulk_import.errors import BulkImportError, StoppedEarly, UsageError
from bulk_import.report.summary import COUNTS, DOUBT, Summary
from bulk_import.report.table import STATUSES, closing_table

if TYPE_CHECKING:
    from bulk_import.cli.progress import Watcher

LOUD = ("stripe", "aiohttp", "asyncio")
"""Loggers whose chatter quotes e-mail addresses; they stay quiet however often -v is given."""

SIGNAL, UNEXPECTED = 128, 3

HOLD = 0.001
"""Seconds for which one thread may keep the others from running Python, a fifth of what is usual.

The ledger's thread works while requests wait for their turn: at 500 a second the event loop comes late so often that 97.4 %
of the cap goes to creates, and with this 98.3. Where there is no cap to use up it would cost a tenth of the pace.
"""


def watcher_for(invocation: Invocation, *, events: bool, rows: bool) -> Watcher:
    """Who watches: a program, nobody, a person at a terminal, or a log file."""
    if events or rows:
        if invocation.output.is_closed:
            raise UsageError("standard output is closed, so --json has nowhere to write; open it or leave --json out.")
        return Events(invocation.output, invocation.messages.say, rows=rows)
    if invocation.quiet:
        return Silent()
    if invocation.messages.draws:
        return Bar(invocation.messages, invocation.verbosity)
    return PlainLines(invocation.messages, invocation.verbosity)


class Partings:
    """What a command says at its end: to a person below the closing table, to a program before `finish`."""

    def __init__(self, watcher: Watcher) -> None:
        self.lines: list[str] = []
        self._watcher = watcher

    def notice(self, code: str, message: str) -> None:
        """Say one thing at the end."""
        if isinstance(self._watcher, Events):
            self._watcher.notice(code, message)
        else:
            self.lines.append(message)


def carry_out(
    invocation: Invocation,
    watcher: Watcher,
    ledger: Path,
    work: Callable[[], Summary],
    partings: Partings | None = None,
) -> int:
    """Do *work* and tell how it ended; whatever happens, `finish` is the last event of a program that watches."""
    quieten()
    try:
        summary = work()
    except BaseException as error:
        watcher.finish(_never_begun(invocation, watcher, ledger, error))
        raise
    summary = replace(summary, next=unhindered(summary.next, os.environ))
    watcher.finish(summary)
    tell(invocation, watcher, summary, partings.lines if partings else ())
    return summary.exit_code


def tell(invocation: Invocation, watcher: Watcher, summary: Summary, partings: Sequence[str] = ()) -> None:
    """Say why the run ended, the closing table unless a program watches, its *partings*, and what to type next."""
    messages = invocation.messages
    aloud = not isinstance(watcher, Events) and not invocation.quiet
    if aloud:
        messages.say(*closing_table(summary, watcher.cap))
    if summary.reason is not None and summary.exit_code >= SIGNAL:
        messages.say(summary.reason)
    elif summary.reason is not None and summary.exit_code != DOUBT:
        messages.complain(summary.reason)
    messages.say(*(f"row {row} -> {customer}" for row, customer in summary.unwritten))
    if aloud:
        messages.say(*partings)
    if aloud and summary.next is not None:
        messages.say(next_line(summary.next))
    if summary.exit_code == DOUBT and summary.reason is not None:
        messages.say(summary.reason)  # what settles the doubt is the last thing said


def be_punctual(rate: float | None) -> None:
    """Have requests start when they may, whatever the ledger's thread is at."""
    if rate is not None:
        sys.setswitchinterval(HOLD)


def quieten() -> None:
    """Keep the libraries from logging what is personal, also where the environment asks them to."""
    os.environ.pop("STRIPE_LOG", None)
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.WARNING)


def _never_begun(invocation: Invocation, watcher: Watcher, ledger: Path, error: BaseException) -> Summary:
    """The figures of a command that ended before it sent anything."""
    match error:
        case BulkImportError():
            code, reason = error.exit_code, str(error)
        case _ if isinstance(error, click.Abort) or early.is_interruption(error):
            code, reason = early.exit_code(), "interrupted"
        case _:
            code, reason = UNEXPECTED, f"met an error that is not known ({type(error).__name__})"
    again = (
        invocation.command_line if isinstance(error, StoppedEarly) or code in (early.exit_code(), UNEXPECTED) else None
    )
    counts = _counts(ledger) if isinstance(watcher, Events) else {}
    n = (counts or dict.fromkeys(COUNTS, 0)).__getitem__
    return Summary(
        code, n("rows"), n("created"), n("existing"), n("updated"), n("duplicate"), n("invalid"), n("failed"),
        n("in_doubt"), n("pending"), is_counted=counts is not None, requests=0, requests_by_endpoint={}, rate_limited=0, seconds=0.0,
        requests_per_second=0.0, rows_per_second=0.0, ledger=str(ledger), next=again, reason=reason,
    )  # fmt: skip


def _counts(ledger: Path) -> dict[str, int] | None:
    """What became of the rows by the ledger as it is, nothing where there is none; None where it cannot be asked."""
    from bulk_import.ledger import Reader, open_for_reading
    from bulk_import.model import Status

    if not ledger.exists():
        return {}
    try:
        reader = Reader(open_for_reading(ledger), ledger)
        try:
            tally = reader.tally()
        finally:
            reader.close()
    except (BulkImportError, OSError, KeyboardInterrupt):
        return None
    return {"rows": tally.rows, **{status: tally.count(Status(status)) for status in STATUSES}}
