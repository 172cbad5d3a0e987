"""What commands on a known ledger share: the account they are to reach, who watches them, and how they end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulk_import.cli.carrying import SIGNAL
from bulk_import.cli.events import to_json
from bulk_import.cli.invocation import invocation, next_line
from bulk_import.cli.progress import Count, PlainLines, Silent
from bulk_import.errors import LedgerRefuses, UsageError
from bulk_import.report.table import aligned, duration

if TYPE_CHECKING:
    import click

    from bulk_import.cli.invocation import Invocation
    from bulk_import.cli.settling import Given
    from bulk_import.ledger import Purpose
    from bulk_import.options import Connecting, LedgerOptions
    from bulk_import.report.summary import Summary


COSTS = ("requests", "requests_by_endpoint", "seconds", "next", "reason")
"""What every object of `--json` ends with."""


def purpose_of(path: Path) -> Purpose:
    """What the ledger at *path* is for; raises `LedgerRefuses` where it holds no import."""
    from bulk_import.ledger import Reader, open_for_reading

    reader = Reader(open_for_reading(path), path)
    try:
        purpose = reader.purpose()
    finally:
        reader.close()
    if purpose is None:
        raise LedgerRefuses(f"the ledger {path} holds no import yet; run the import first")
    return purpose


def connecting_of(given: Given, purpose: Purpose) -> Connecting:
    """Key and server for a ledger: server, connected account and kind are the ledger's unless said otherwise."""
    from bulk_import.cli.connecting import settle_connecting

    if purpose.simulated:
        return settle_connecting(given, os.environ, simulate=True)
    known = {
        "api_base": given["api_base"] or purpose.api_base,
        "stripe_account": given["stripe_account"] or purpose.stripe_account,
    }
    return settle_connecting({**given, **known}, os.environ, dry_run=purpose.dry_run, account=purpose.account)


def options_of(ctx: click.Context, given: Given) -> LedgerOptions:
    """Everything that was asked for about a ledger, settled."""
    from bulk_import.cli.settling import batch_size_of, settle_pacing
    from bulk_import.options import LedgerOptions

    connecting = connecting_of(given, purpose_of(given["ledger"]))
    pacing = settle_pacing(ctx, given, connecting)
    return LedgerOptions(given["ledger"], pacing, connecting, batch_size_of(given), invocation(ctx).kept_line)


def reporting_to(call: Invocation, *, json: bool) -> Silent:
    """Who watches a command that is no run: nobody while a program reads, else a line every 30 seconds."""
    if json and call.output.is_closed:
        raise UsageError("standard output is closed, so --json has nowhere to write; open it or leave --json out.")
    return Silent() if json or call.quiet else PlainLines(call.messages, call.verbosity)


@contextmanager
def watched(call: Invocation, *, json: bool) -> Iterator[Silent]:
    """Who watches a command that goes through the rows of a ledger: on a terminal a bar, gone from it at the end."""
    observer = reporting_to(call, json=json)
    if isinstance(observer, PlainLines) and call.messages.draws:
        observer = Count(call.messages, call.verbosity)
    try:
        yield observer
    finally:
        observer.pause()


def tell_ending(call: Invocation, summary: Summary, *, json: bool) -> None:
    """Say why the command ended early, if it did, and to a person what to type next."""
    if summary.reason is not None and summary.exit_code >= SIGNAL:
        call.messages.say(summary.reason)
    elif summary.reason is not None:
        call.messages.complain(summary.reason)
    if summary.next is not None and not json:
        call.tell(next_line(summary.next))


def tell_result(
    call: Invocation, summary: Summary, described: Mapping[str, Any], shown: Sequence[str], *, json: bool
) -> int:
    """Tell a program or show a person what came of it, and how the command ended; its exit code."""
    if json:
        ending = {"ledger": summary.ledger, "exit_code": summary.exit_code}
        costs = {name: getattr(summary, name) for name in COSTS}
        call.output.line(to_json({**ending, **described, **costs}))
    else:
        call.tell(*shown)
    tell_ending(call, summary, json=json)
    return summary.exit_code


def with_costs(pairs: Sequence[tuple[str, str]], summary: Summary) -> list[str]:
    """The lines of a table: *pairs*, and below them what the command took."""
    took = [("requests", f"{summary.requests:,}"), ("time", duration(summary.seconds)), ("ledger", summary.ledger)]
    return aligned([*pairs, *took])
