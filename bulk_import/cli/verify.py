"""`verify`: prove from Stripe that every row has its customer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bulk_import.cli.events import to_json, values_of
from bulk_import.cli.help import Verb
from bulk_import.cli.invocation import invocation
from bulk_import.cli.options import PATH, connecting_options, examples, output_options, pacing_options
from bulk_import.report.table import aligned, duration, grid

if TYPE_CHECKING:
    from bulk_import.job.verifying import VerifyOptions
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
@click.argument("ledger", type=PATH)
@pacing_options
@connecting_options
@output_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    """Re-read Stripe and prove every pairing of LEDGER; exits with 1 when anything is off. Changes nothing."""
    from bulk_import.cli.carrying import quieten
    from bulk_import.cli.known import reporting_to, tell_ending
    from bulk_import.job.verifying import verify_job

    call = invocation(ctx)
    observer = reporting_to(call, json=given["json"])
    quieten()
    proof, summary = verify_job(_options(ctx, given), observer)
    if given["json"]:
        call.output.line(to_json(described(proof, summary)))
    else:
        call.tell(*shown(proof, summary))
    tell_ending(call, summary, json=given["json"])
    return summary.exit_code


def _options(ctx: click.Context, given: dict[str, Any]) -> VerifyOptions:
    from bulk_import.cli.known import connecting_of, purpose_of
    from bulk_import.cli.settling import settle_pacing
    from bulk_import.job.verifying import VerifyOptions

    # Nothing is written, so there is nothing to ask.
    connecting = connecting_of({**given, "yes": True}, purpose_of(given["ledger"]))
    return VerifyOptions(
        given["ledger"], settle_pacing(ctx, given, connecting), connecting, given["batch_size"],
        invocation(ctx).command_line,
    )  # fmt: skip


def described(proof: Proof, summary: Summary) -> dict[str, Any]:
    """Everything the table shows, as values for JSON."""
    from bulk_import.verify import Kind

    return {
        "ledger": summary.ledger,
        "exit_code": summary.exit_code,
        "customers": proof.rows,
        "proven": proof.proven,
        **{kind.value: proof.counts[kind] for kind in Kind},
        "findings": [values_of(finding) for finding in proof.findings],
        "complete": proof.judged == proof.rows,
        "requests": summary.requests,
        "requests_by_endpoint": summary.requests_by_endpoint,
        "seconds": summary.seconds,
        "next": summary.next,
        "reason": summary.reason,
    }


def shown(proof: Proof, summary: Summary) -> list[str]:
    """The table: what was proven, what is off, and the first findings."""
    total = proof.counts.total()
    pairs = [("customers", f"{proof.rows:,}"), ("proven", f"{proof.proven:,}")]
    pairs += [(kind.value.replace("_", " "), f"{count:,}") for kind, count in proof.counts.items()]
    pairs += [("requests", f"{summary.requests:,}"), ("time", duration(summary.seconds)), ("ledger", summary.ledger)]
    lines = aligned(pairs)
    if total:
        first = sorted(proof.findings, key=lambda f: (f.row or 0, f.kind))[:SHOWN]
        cells = [(f.kind.value.replace("_", " "), f"{f.row or ''}", f.customer_id, f.detail) for f in first]
        lines += [f"what is off{f', the first {SHOWN} of {total:,}' if total > SHOWN else ''}:"]
        lines += grid(("finding", "row", "customer", "what it is"), cells)
    return lines
