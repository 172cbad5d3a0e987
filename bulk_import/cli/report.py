"""`report`: look back on an import, in the terminal, as a page to look at, or held against its rehearsal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bulk_import.cli.events import to_json
from bulk_import.cli.files import opened, spare, target_of
from bulk_import.cli.help import Verb
from bulk_import.cli.invocation import Invocation, invocation, next_line
from bulk_import.cli.options import PATH, examples, output_options
from bulk_import.errors import UsageError

if TYPE_CHECKING:
    from bulk_import.report.review import Review


@click.command(
    "report",
    cls=Verb,
    epilog=examples(
        "bulk-import report customers.csv.ledger.db",
        "bulk-import report customers.csv.ledger.db --html report.html",
        "bulk-import report customers.csv.ledger.db --against customers.csv.dry-run.db",
    ),
)
@click.argument("ledger", type=PATH)
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="FILE", help="Write one self-contained page with plots."
)
@click.option("--against", type=PATH, metavar="LEDGER", help="Hold it against the ledger of a rehearsal.")
@click.option("--include-data", is_flag=True, help="Tell e-mail addresses and messages, too: personal data.")
@output_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    """Say what became of the import of LEDGER: rows, requests, pace, problems and what to do about them."""
    call, path = invocation(ctx), given["ledger"]
    if given["against"] is not None:
        if given["html"] is not None:
            raise UsageError("--against and --html are two reports; ask for one of them.")
        return _compare(call, path, given["against"], as_json=given["json"])
    found, following = _review(path)
    if given["html"] is not None:
        _write(call, path, given["html"], found, following, include_data=given["include_data"], as_json=given["json"])
    elif given["json"]:
        from bulk_import.report.described import described

        call.output.line(
            to_json({**described(found, include_data=given["include_data"]), "exit_code": 0, "next": following})
        )
    else:
        _show(call, found, following, include_data=given["include_data"])
    return 0


def _review(path: Path) -> tuple[Review, str | None]:
    from bulk_import.cli.following import next_of
    from bulk_import.ledger import Reader, open_for_reading
    from bulk_import.report.review import review

    reader = Reader(open_for_reading(path), path)
    try:
        reader.check()
        found = review(str(path), reader)
        return found, next_of(path, reader, found.purpose, found.tally)
    finally:
        reader.close()


def _show(call: Invocation, found: Review, following: str | None, *, include_data: bool) -> None:
    from bulk_import.report.described import tabled

    call.tell(*tabled(found, include_data=include_data))
    if following is not None:
        call.tell(next_line(following))


def _write(
    call: Invocation,
    ledger: Path,
    html: Path,
    found: Review,
    following: str | None,
    *,
    include_data: bool,
    as_json: bool,
) -> None:
    from bulk_import.report.page import page

    target = target_of(html)
    if target is None and as_json:
        raise UsageError("--json describes a page that goes to a file; give --html a path.")
    if target is not None:
        spare(target, ledger, found.purpose)
    text = page(found, include_data=include_data, now=time.time())
    with opened(call, target) as write:
        write(text)
    if as_json:
        call.output.line(
            to_json(
                {
                    "html": str(target),
                    "bytes": len(text.encode()),
                    "include_data": include_data,
                    "exit_code": 0,
                    "next": following,
                }
            )
        )
    elif target is not None:
        call.tell(f"report written to {target}; open it in a browser", *([next_line(following)] if following else []))


def _compare(call: Invocation, live: Path, rehearsal: Path, *, as_json: bool) -> int:
    from bulk_import.cli.following import next_of
    from bulk_import.ledger import Reader, open_for_reading
    from bulk_import.report.against import compare, described, tabled

    first = Reader(open_for_reading(live), live)
    try:
        second = Reader(open_for_reading(rehearsal), rehearsal)
        try:
            found = compare(str(live), first, str(rehearsal), second)
            following = next_of(live, first, first.purpose(), first.tally())
        finally:
            second.close()
    finally:
        first.close()
    if as_json:
        call.output.line(to_json({**described(found), "exit_code": 0, "next": following}))
    else:
        call.tell(*tabled(found), *([next_line(following)] if following is not None else []))
    return 0
