"""`undo`: delete the customers that a ledger created and nobody has touched since, and put back those it updated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bulk_import.cli.help import Verb
from bulk_import.cli.invocation import Invocation, invocation
from bulk_import.cli.options import examples, ledger_options
from bulk_import.cli.terminal import safe
from bulk_import.report.table import grid
from bulk_import.wording import counted

if TYPE_CHECKING:
    from bulk_import.job.undone import Agree, Listing, Undone
    from bulk_import.report.summary import Summary

SHOWN = 20
"""Customers left that the table names; `--json` names more and `export --what all` every one."""


@click.command(
    "undo",
    cls=Verb,
    epilog=examples(
        "bulk-import undo customers.csv.ledger.db",
        "bulk-import undo customers.csv.dry-run.db --yes",
    ),
)
@ledger_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    """Delete the customers that LEDGER created and nobody has touched since, restore those it updated; asks first."""
    from bulk_import.cli.carrying import quieten
    from bulk_import.cli.known import options_of, tell_result, watched
    from bulk_import.job.undoing import undo_job

    call = invocation(ctx)
    quieten()
    with watched(call, json=given["json"]) as observer:
        undone, summary = undo_job(options_of(ctx, given), observer, agreeing(call, yes=given["yes"]))
    return tell_result(call, summary, described(undone, summary), shown(undone, summary), json=given["json"])


def agreeing(call: Invocation, *, yes: bool) -> Agree:
    """What lists the customers and then asks, unless *yes* was said beforehand."""

    def agree(listing: Listing) -> bool:
        from bulk_import.cli.asking import asked

        call.tell(*opening(listing))
        return yes or asked(question(listing))

    return agree


def question(listing: Listing) -> str:
    """What a person agrees to."""
    delete = f"Delete {_these(listing.customers, 'customer')} for good" if listing.customers else ""
    restore = (
        f"ut {_these(listing.updated, 'updated customer')} back to what {'it was' if listing.updated == 1 else 'they were'}"
        if listing.updated
        else ""
    )
    return f"{delete}{' and p' if delete and restore else 'P' if restore else ''}{restore}?"


def _these(count: int, name: str) -> str:
    return f"this {name}" if count == 1 else f"these {count:,} {name}s"


def opening(listing: Listing) -> list[str]:
    """What is about to be deleted, and where."""
    mode = "simulated" if listing.simulated else "LIVE" if listing.livemode else "test mode"
    name = f"{listing.account} ({safe(listing.account_name)})" if listing.account_name else listing.account
    lines = [f"{listing.ledger}: created {counted(listing.customers, 'customer')} in {name}, {mode}"]
    lines += [f"  row {row} -> {customer}" for row, customer in listing.first]
    if listing.customers > len(listing.first):
        lines.append(f"  and {listing.customers - len(listing.first):,} more")
    if listing.updated:
        lines.append(f"and updated {listing.updated:,} who were there before:")
        lines += [f"  row {row} -> {customer}" for row, customer in listing.updated_first]
        if listing.updated > len(listing.updated_first):
            lines.append(f"  and {listing.updated - len(listing.updated_first):,} more")
    if listing.attaching:
        lines.append(
            f"{counted(listing.attaching, 'update')} attached a payment method: that is detached, and Stripe lets nobody "
            "attach it again"
        )
    if listing.mended:
        lines.append(
            "rows of it were mended with retry --with: undone, they begin anew as the source has them, so keep the mended file"
        )
    if listing.unfinished:
        undone = " or ".join(
            what for what, there in (("deleted", listing.customers), ("put back", listing.updated)) if there
        )
        lines.append(f"{listing.unfinished:,} of them may be {undone} already: an earlier undo was cut short")
    if listing.in_doubt:
        lines.append(
            f"{counted(listing.in_doubt, 'row is in doubt and stays as it is', 'rows are in doubt and stay as they are')}: settle that first, then undo again"
        )
    return [*lines, "whoever was touched since is left and named"]


def described(undone: Undone, summary: Summary) -> dict[str, Any]:
    """What the table shows of it, as values for JSON."""
    return {
        "customers": undone.customers,
        "deleted": undone.deleted,
        "already_deleted": undone.gone,
        "updated": undone.updated,
        "restored": undone.restored,
        "left": undone.left_count,
        "left_because": dict(undone.left),
        "left_first": [{"row": row, "customer_id": customer, "why": why} for row, customer, why in undone.left_first],
        "in_doubt": summary.in_doubt,
    }


def shown(undone: Undone, summary: Summary) -> list[str]:
    """The table: what was deleted, what was left, and the first of those by name."""
    from bulk_import.cli.known import with_costs

    pairs = [("customers", f"{undone.customers:,}"), ("deleted", f"{undone.deleted:,}")]
    if undone.gone:
        pairs.append(("deleted before", f"{undone.gone:,}"))
    if undone.updated:
        pairs += [("updated", f"{undone.updated:,}"), ("put back", f"{undone.restored:,}")]
    pairs.append(("left", f"{undone.left_count:,}"))
    if summary.in_doubt:
        pairs.append(("in doubt", f"{summary.in_doubt:,}"))
    lines = with_costs(pairs, summary)
    if undone.left_count:
        cells = [(f"{row}", customer, why) for row, customer, why in undone.left_first[:SHOWN]]
        more = f", the first {SHOWN}" if undone.left_count > SHOWN else ""
        lines += [f"what is left{more}:", *grid(("row", "customer", "because"), cells)]
    return lines
