"""`check`: read, map and judge every row without a network, and show everything that was settled and found."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bulk_import.cli.events import to_json
from bulk_import.cli.help import Source, Verb
from bulk_import.cli.invocation import SAYING, Invocation, invocation, next_line, typed
from bulk_import.cli.options import examples, mapping_options, output_options, reading_options, row_options
from bulk_import.errors import SourceError, UsageError
from bulk_import.wording import counted

if TYPE_CHECKING:
    from bulk_import.cli.settling import Given

PROBLEMS, FINE = 1, 0

PIPED = "standard-input.ledger.db"
"""The ledger to name for a source without a name."""


@click.command(
    "check",
    cls=Verb,
    epilog=examples(
        "bulk-import check customers.csv",
        "bulk-import check export.csv --map 'Mail=email' --unmapped ignore",
        "bulk-import check export.csv --rows | head",
    ),
)
@click.argument("source", type=Source())
@reading_options
@mapping_options
@row_options
@click.option(
    "--rows", is_flag=True, help="Print each record as it was read, one JSON object a line, and judge nothing."
)
@output_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    """Read, map and judge every row of SOURCE; nothing is sent and no key is needed."""
    from bulk_import.cli.settling import check_source

    call = invocation(ctx)
    if (given["rows"] or given["json"]) and call.output.is_closed:
        raise UsageError("standard output is closed, so --rows and --json have nowhere to write; open it.")
    source = check_source(given["source"])
    with _readable(source, given["max_bytes"]) as path:
        return _print_rows(call, path, given) if given["rows"] else _judge(call, source, path, given)


@contextmanager
def _readable(source: str, max_bytes: int | None) -> Iterator[Path]:
    """A file to read twice: SOURCE itself, or what standard input held, for as long as the block lasts."""
    if source != "-":
        yield Path(source)
        return
    from bulk_import.reading import spool
    from bulk_import.reading.passing import passing_folder

    with passing_folder() as folder:
        path = folder / "standard-input"
        try:
            yield spool(sys.stdin.buffer, path, max_bytes)
        except SourceError as error:
            raise SourceError(str(error).replace(str(path), "standard input")) from error


def _print_rows(call: Invocation, path: Path, given: Given) -> int:
    from bulk_import.cli.settling import settle_overrides
    from bulk_import.reading import Remarks, Source, detect, read

    reading, notices = detect(path, settle_overrides(given))
    call.tell(*(notice.message for notice in notices))
    code, remarks, found = FINE, Remarks(), False
    with Source.open(path) as source:
        for record in read(source, reading, remarks):
            found = True
            code = PROBLEMS if record.trouble is not None else code
            facts = {"row": record.number, "line": record.line, "fields": record.fields, "problem": record.trouble}
            call.output.write(to_json(facts) + "\n")
            if call.output.gone:
                break
    call.output.flush()
    if not call.output.gone:
        call.tell(*(notice.message for notice in remarks.notices()))
    if not found:
        raise SourceError(f"{path} holds no rows; give a file with at least one")
    return code


def _judge(call: Invocation, source: str, path: Path, given: Given) -> int:
    from bulk_import.cli.carrying import watcher_for
    from bulk_import.cli.findings import described, shown
    from bulk_import.cli.settling import settle_preparing
    from bulk_import.survey import survey

    preparing = settle_preparing(given)
    watcher = watcher_for(call, events=given["json"], rows=False)
    try:
        found = survey(path, preparing, read_progress=watcher.read)
    finally:
        watcher.pause()
    code = PROBLEMS if found.invalid else FINE
    if given["json"]:
        ending = {"exit_code": code, "next": _next(call, source, found.invalid)}
        call.output.line(to_json({"source": source, **described(found), **ending}))
    else:
        call.tell(*shown(source, found), *_what_next(found.invalid), next_line(_next(call, source, found.invalid)))
    return code


def _what_next(invalid: int) -> tuple[str, ...]:
    """What to do first where rows are invalid."""
    if not invalid:
        return ()
    return (
        f"{counted(invalid, 'row is', 'rows are')} invalid, and a run sends only the others: mend them, then check again",
    )


def _next(call: Invocation, source: str, invalid: int) -> str:
    """The same words, read, mapped and prepared alike, for a rehearsal; the same check while rows are to be mended."""
    words = [word for word in call.arguments if word not in {"--rows", *SAYING}]
    if invalid:
        return typed(*words)
    words[words.index("check")] = "run"
    ledger = ("--ledger", PIPED) if source == "-" else ()
    return typed(*words, *ledger, "--simulate")
