"""`plan`: say what a run would do with SOURCE, row by row if asked for, and do nothing of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bulk_import.cli.events import to_json, values_of
from bulk_import.cli.help import Source, Verb
from bulk_import.cli.invocation import SAYING, Invocation, invocation, next_line, typed
from bulk_import.cli.options import examples, import_options, output_options
from bulk_import.cli.terminal import safe
from bulk_import.errors import UsageError
from bulk_import.report.table import Pair, aligned, duration, number

if TYPE_CHECKING:
    from bulk_import.job.plan import Plan
    from bulk_import.ledger import Planned
    from bulk_import.report.summary import Summary

FIELDS_SHOWN = 12
"""Kinds of changes that the table names; `--json` names all."""


@click.command(
    "plan",
    cls=Verb,
    epilog=examples(
        "bulk-import plan customers.csv",
        "bulk-import plan customers.csv --on-existing update --rows | head",
        "STRIPE_API_KEY=rk_live_... bulk-import plan customers.csv --live",
    ),
)
@click.argument("source", type=Source())
@import_options
@click.option("--rows", is_flag=True, help="Write what would become of each row, one JSON object a line.")
@output_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    """Say what a run of SOURCE would do, how long it would take, and whether the key may; reads only."""
    from bulk_import.cli.carrying import quieten
    from bulk_import.cli.known import reporting_to, tell_ending
    from bulk_import.cli.run import run_options
    from bulk_import.cli.settling import default_ledger
    from bulk_import.job.planning import plan_job

    call = invocation(ctx)
    if given["rows"] and call.output.is_closed:
        raise UsageError("standard output is closed, so --rows has nowhere to write; open it or leave --rows out.")
    options = run_options(ctx, given, writes=False)
    observer = reporting_to(call, json=given["json"])
    quieten()
    plan, summary = plan_job(options, observer, (lambda row: _tell(call, row)) if given["rows"] else None)
    call.output.flush()
    usual = default_ledger(
        Path(options.source), dry_run=options.connecting.dry_run, simulated=options.connecting.simulate
    )
    following = _next(call, plan, options.ledger or usual)
    if given["json"]:
        call.output.line(to_json(described(plan, summary, following)))
    elif summary.reason is None:
        call.tell(*shown(plan))
    tell_ending(call, summary, json=given["json"])
    if summary.reason is None and not given["json"]:
        call.tell(next_line(following))
    return summary.exit_code


def _tell(call: Invocation, row: Planned) -> None:
    call.output.write(to_json(values_of(row)) + "\n")


def described(plan: Plan, summary: Summary, following: str) -> dict[str, Any]:
    """Everything the table shows, as values for JSON."""
    from bulk_import.job.plan import ALLOWANCE, VERDICTS

    return {
        "source": plan.source,
        "account": {
            "id": plan.account,
            "name": plan.account_name,
            "livemode": plan.livemode,
            "simulated": plan.simulated,
        },
        "rows": plan.rows,
        "verdicts": {name: plan.verdicts[name] for name in VERDICTS},
        "settled_before": plan.settled,
        "update_fields": dict(plan.fields),
        "dedupe": plan.dedupe,
        "dedupe_reason": plan.dedupe_reason,
        "requests": sum(plan.requests.values()),
        "requests_by_endpoint": dict(plan.requests),
        "reads": plan.reads,
        "reads_allowed_a_month": ALLOWANCE,
        "seconds": None if plan.seconds is None else round(plan.seconds, 1),
        "rate": plan.rate,
        "binding": plan.binding,
        "key": {"restricted": plan.restricted, "may_read": plan.may_read, "may_write": plan.may_write},
        "warnings": plan.warnings,
        "exit_code": summary.exit_code,
        "reason": summary.reason,
        "next": following,
    }


def shown(plan: Plan) -> list[str]:
    """The table: whose account, what becomes of the rows, what that takes, and what to be warned of."""
    mode = "simulated" if plan.simulated else "LIVE" if plan.livemode else "test mode"
    account = f"{plan.account} ({safe(plan.account_name)})" if plan.account_name else plan.account
    return [
        f"{'standard input' if plan.source == '-' else plan.source} -> {account or 'nobody has to be asked'}{f', {mode}' if account else ''}",
        *aligned([*_rows(plan), *_costs(plan)]),
        *(f"warning: {warning}" for warning in plan.warnings),
        "nothing was sent and no ledger was written",
    ]


def _rows(plan: Plan) -> list[Pair]:
    from bulk_import.job.plan import VERDICTS

    always = ("create", "existing")
    pairs = [(name, f"{plan.verdicts[name]:,}") for name in VERDICTS if plan.verdicts[name] or name in always]
    pairs += [(f"{name.replace('_', ' ')} before", f"{count:,}") for name, count in plan.settled.items()]
    pairs.append(("rows", f"{plan.rows:,}"))
    if plan.fields:
        most = [f"{safe(name)} {count:,}" for name, count in plan.fields.most_common(FIELDS_SHOWN)]
        more = len(plan.fields) - len(most)
        pairs.append(("fields updated", ", ".join(most) + (f" and {more} more" if more else "")))
    return pairs


def _costs(plan: Plan) -> list[Pair]:
    from bulk_import.job.plan import ALLOWANCE

    parts = ", ".join(f"{name} {count:,}" for name, count in plan.requests.items())
    if plan.seconds is None:
        time = "as fast as the server answers"
    else:
        cap = "" if plan.rate is None else f" at {number(plan.rate)} requests/s ({plan.binding})"
        time = f"at least {duration(plan.seconds)}{cap}"
    key = "restricted" if plan.restricted else "secret, may read and write"
    return [
        ("requests", f"{sum(plan.requests.values()):,}" + (f" ({parts})" if parts else "")),
        ("reads", f"{plan.reads:,} of the {ALLOWANCE:,} or more that Stripe allows a month"),
        ("time", time),
        ("dedupe", f"{plan.dedupe}: {plan.dedupe_reason}" if plan.dedupe else "not needed"),
        ("key", "none needed" if plan.simulated else key),
    ]


def _next(call: Invocation, plan: Plan, ledger: Path) -> str:
    """The same words for the run itself; a look at the ledger where nothing is left for it to do."""
    if plan.settled and not plan.verdicts.total() and "in_doubt" not in plan.settled:
        return typed("status", ledger)
    words = list(call.arguments)
    words[words.index("plan")] = "run"
    return typed(*(word for word in words if word not in {"--rows", *SAYING}))
