"""`run`: import a source, or go on with an import."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from bulk_import.cli.help import Source, Verb
from bulk_import.cli.invocation import invocation
from bulk_import.cli.options import (
    examples,
    import_options,
    output_options,
)
from bulk_import.errors import UsageError

if TYPE_CHECKING:
    from bulk_import.cli.settling import Given
    from bulk_import.options import RunOptions


@click.command(
    "run",
    cls=Verb,
    epilog=examples(
        "bulk-import run customers.csv --simulate",
        "bulk-import run customers.csv --key user_id --dry-run --sample 200 --cleanup",
        "STRIPE_API_KEY=rk_live_... bulk-import run customers.csv --key user_id --live",
    ),
)
@click.argument("source", type=Source())
@import_options
@click.option("--dry-run-payment-method", metavar="PM", help="What they become instead, such as pm_card_mastercard.")
@click.option("--cleanup", is_flag=True, help="At the end of a dry run, delete the customers it created.")
@output_options
@click.option("--json-rows", is_flag=True, help="Like --json, with an event for every row.")
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    """Import SOURCE, a file or - for standard input; run it again to continue where it stopped."""
    from bulk_import.cli.carrying import Partings, be_punctual, carry_out, watcher_for
    from bulk_import.cli.connecting import confirming
    from bulk_import.cli.rehearsal import closed
    from bulk_import.cli.settling import check_source, ledger_path

    call = invocation(ctx)
    source = check_source(given["source"])
    ledger = ledger_path(source, given)
    watcher = watcher_for(call, events=given["json"], rows=given["json_rows"])

    partings = Partings(watcher)

    def work() -> Any:
        options = run_options(ctx, given)
        be_punctual(options.pacing.rate)
        from bulk_import.job.importing import run_job

        summary = run_job(options, watcher, confirming(call, given["yes"], watcher.pause))
        if not given["dry_run"]:
            return summary
        watcher.pause()
        return closed(options, summary, partings.notice, cleanup=given["cleanup"])

    return carry_out(call, watcher, ledger, work, partings)


def run_options(ctx: click.Context, given: Given, *, writes: bool = True) -> RunOptions:
    """Everything that was asked for, settled; raises `UsageError` for what contradicts itself."""
    from bulk_import.cli.connecting import settle_connecting
    from bulk_import.cli.rehearsal import check_rehearsal
    from bulk_import.cli.settling import batch_size_of, check_source, ledger_path, settle_pacing, settle_preparing
    from bulk_import.options import DRY_RUN_METHOD, RunOptions

    if given["limit"] is not None and given["sample"] is not None:
        raise UsageError("--limit and --sample both choose rows; give one of them.")
    check_rehearsal(given)
    connecting = settle_connecting(
        given, os.environ, dry_run=given["dry_run"], simulate=given["simulate"], writes=writes
    )
    livemode = connecting.key is not None and connecting.key.livemode
    return RunOptions(
        source=check_source(given["source"]),
        ledger=ledger_path(given["source"], given),
        pacing=settle_pacing(ctx, given, connecting),
        connecting=connecting,
        preparing=settle_preparing(given, livemode=livemode),
        dedupe=given["dedupe"],
        on_existing=given["on_existing"],
        batch_size=batch_size_of(given),
        limit=given["limit"],
        sample=given["sample"],
        marker=not given["no_marker"],
        hash_emails=given["hash_emails"],
        dry_run_method=given.get("dry_run_payment_method") or DRY_RUN_METHOD,
        command_line=invocation(ctx).kept_line,
    )
