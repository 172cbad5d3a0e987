"""`verify`: prove from Stripe that every row has its customer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bulk_import.cli.events import values_of
from bulk_import.cli.help import Verb
from bulk_import.cli.invocation import invocation
from bulk_import.cli.options import examples, ledger_options
from bulk_import.report.table import grid

if TYPE_CHECKING:
    from bulk_import.report.summary import Summary
    from bulk_import.verify import Proof

SHOWN = 20
"""Findings that the table names; `--json` names many more."""


@click.command(
    "verify",
    cls=Verb,
    epilog=examples(
        "bulk-import verify customers.csv.ledger.db",
        "bulk-import verify customers.csv.ledger.db --json",
    ),
)
@ledger_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    """Re-read Stripe and prove every pairing of LEDGER; exits with 1 when anything is off. Changes nothing."""
    from bulk_import.cli.carrying import quieten
    from bulk_import.cli.following import in_this_folder
    from bulk_import.cli.known import options_of, tell_result, watched
    from bulk_import.job.verifying import verify_job

    call = invocation(ctx)
    quieten()
    with watched(call, json=given["json"]) as observer:
        # Nothing is written, so there is nothing to ask.
        proof, summary = verify_job(options_of(ctx, {**given, "yes": True}), observer)
    summary = in_this_folder(summary)
    return tell_result(call, summary, described(proof), shown(proof, summary), json=given["json"])


def described(proof: Proof) -> dict[str, Any]:
    """What the table shows of it, as values for JSON."""
    from bulk_import.verify import Kind

    return {
        "customers": proof.rows,
        "proven": proof.proven,
        **{kind.value: proof.counts[kind] for kind in Kind},
        "findings": [values_of(finding) for finding in proof.findings],
        "complete": proof.judged == proof.rows,
    }


def shown(proof: Proof, summary: Summary) -> list[str]:
    """The table: what was proven, what is off, and the first findings."""
    from bulk_import.cli.known import with_costs

    total = proof.counts.total()
    pairs = [("customers", f"{proof.rows:,}"), ("proven", f"{proof.proven:,}")]
    pairs += [(kind.value.replace("_", " "), f"{count:,}") for kind, count in proof.counts.items()]
    lines = with_costs(pairs, summary)
    if total:
        first = sorted(proof.findings, key=lambda f: (f.row or 0, f.kind))[:SHOWN]
        cells = [(f.kind.value.replace("_", " "), f"{f.row or ''}", f.customer_id, f.detail) for f in first]
        lines += [f"what is off{f', the first {SHOWN} of {total:,}' if total > SHOWN else ''}:"]
        lines += grid(("finding", "row", "customer", "what it is"), cells)
    return lines
