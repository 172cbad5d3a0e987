"""`export`: write a ledger's rows as CSV or JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bulk_import.cli.events import to_json
from bulk_import.cli.files import Write, always_replaced, opened, spare, target_of
from bulk_import.cli.help import Verb
from bulk_import.cli.invocation import Invocation, invocation, next_line, typed
from bulk_import.cli.options import PATH, examples, output_options
from bulk_import.cli.quantities import Choice
from bulk_import.errors import UsageError
from bulk_import.wording import counted

if TYPE_CHECKING:
    from bulk_import.ledger import Purpose

BOM = "\ufeff"
BUFFER = 1 << 16
"""Characters written at once: larger pieces are given back to the system one by one, which costs more than they save."""


@click.command(
    "export",
    cls=Verb,
    epilog=examples(
        "bulk-import export customers.csv.ledger.db --output customers-in-stripe.csv",
        "bulk-import export customers.csv.ledger.db --what failed --output to-mend.csv",
        "bulk-import export customers.csv.ledger.db --what all | jq .customer_id",
        "bulk-import export customers.csv.ledger.db --what stripe-map --output for-stripe.csv",
    ),
)
@click.argument("ledger", type=PATH)
@click.option(
    "--what",
    type=Choice(["map", "failed", "all", "stripe-map"]),
    default="map",
    show_default=True,
    help="Rows with their customers, rows to mend, every row with everything known of it, or your ids (--key) with "
    "Stripe's, as its migration team takes them.",
)
@click.option("--format", type=Choice(["csv", "jsonl"]), help="How to write them.  [csv; all: jsonl]")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to.  [standard output]")
@click.option("--bom", is_flag=True, help="Begin CSV with a byte order mark, for Excel.")
@output_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    """Write the rows of LEDGER, also while a run goes on."""
    from bulk_import.cli.status import begun_undo
    from bulk_import.ledger import Reader, is_locked, open_for_reading
    from bulk_import.report.export import default_format, exported

    call, path = invocation(ctx), given["ledger"]
    what, target = given["what"], target_of(given["output"])
    form = given["format"] or default_format(what)
    _check(call, form, target, given)
    reader = Reader(open_for_reading(path), path)
    try:
        if what != "all":  # those rows are counted as they are read
            reader.check()
        warning = None if is_locked(path) else begun_undo(path, reader)
        purpose = reader.purpose()
        if what == "stripe-map" and not _has_key(purpose):
            raise UsageError(
                f"{path} was imported without --key, so no row has an id of its own to map; use --what map instead."
            )
        if target is not None:
            spare(target, path, purpose)
        lines = exported(what, form, purpose.token if purpose else "", reader.lines, reader.mapped, reader.failures)
        with opened(call, target, _may_be_mended if what == "failed" else always_replaced) as write:
            count = _copy(lines, write, BOM if given["bom"] else "") - (form == "csv")
    finally:
        reader.close()
    if warning is not None:
        call.tell(warning)
    following = _give_back(path, given["output"]) if what == "failed" and target is not None and count else None
    facts = {"what": what, "format": form, "output": str(target) if target else None}
    _tell(call, count, facts, following, as_json=given["json"])
    return 0


def _may_be_mended(target: Path) -> bool:
    """Whether a file is an earlier export of rows to be mended: what somebody wrote into it is in no ledger."""
    with target.open("rb") as file:
        head = file.read(BUFFER)
    return b"_ledger" in head and b"_row" in head


def _check(call: Invocation, form: str, target: Path | None, given: dict[str, Any]) -> None:
    if given["bom"] and form != "csv":
        raise UsageError("--bom is for CSV only; leave it out, or add --format csv.")
    if target is None and given["json"]:
        raise UsageError("--json describes an export that goes to a file; add --output FILE.")
    if target is None and call.output.is_closed:
        raise UsageError("standard output is closed; add --output FILE.")


def _give_back(ledger: Path, output: Path) -> str:
    return typed("retry", ledger, "--with", output)


def _has_key(purpose: Purpose | None) -> bool:
    return purpose is not None and (purpose.options.get("mapping") or {}).get("key") is not None


def _copy(lines: Iterator[str], write: Write, first: str) -> int:
    """Hand the lines on in large pieces; how many there were."""
    count, pieces, size = 0, [first], 0
    for line in lines:
        count += 1
        pieces.append(line)
        size += len(line)
        if size > BUFFER:
            if not write("".join(pieces)):
                return count
            pieces, size = [], 0
    write("".join(pieces))
    return count


def _tell(call: Invocation, count: int, facts: dict[str, Any], following: str | None, *, as_json: bool) -> None:
    if as_json:
        call.output.line(to_json({**facts, "rows": count, "exit_code": 0, "next": following}))
    elif facts["output"] is not None:
        call.tell(f"{counted(count, 'row')} written to {facts['output']}")
        if following is not None:
            call.tell("mend the rows there, every column kept, and give them back", next_line(following))
