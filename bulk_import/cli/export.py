"""`export`: write a ledger's rows as CSV or JSON Lines."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bulk_import.cli.events import to_json
from bulk_import.cli.invocation import Invocation, invocation
from bulk_import.cli.options import PATH, examples, output_options
from bulk_import.errors import StoppedEarly, UsageError

if TYPE_CHECKING:
    from bulk_import.ledger import Reader

BOM = "\ufeff"
BUFFER = 1 << 18

Write = Callable[[str], bool]
"""Takes text; False once nobody takes it any more."""


@click.command(
    "export",
    epilog=examples(
        "bulk-import export customers.csv.ledger.db --output customers-in-stripe.csv",
        "bulk-import export customers.csv.ledger.db --what failed --output to-mend.csv",
        "bulk-import export customers.csv.ledger.db --what all | jq .customer_id",
    ),
)
@click.argument("ledger", type=PATH)
@click.option(
    "--what",
    type=click.Choice(["map", "failed", "all"]),
    default="map",
    show_default=True,
    help="Rows with their customers, rows to mend, or every row with everything known of it.",
)
@click.option("--format", type=click.Choice(["csv", "jsonl"]), help="How to write them.  [csv; all: jsonl]")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to.  [standard output]")
@click.option("--bom", is_flag=True, help="Begin CSV with a byte order mark, for Excel.")
@output_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    """Write the rows of LEDGER, also while a run goes on."""
    from bulk_import.ledger import Reader, open_for_reading
    from bulk_import.report.export import default_format, exported

    call, path = invocation(ctx), given["ledger"]
    what, target = given["what"], _target(given["output"])
    form = given["format"] or default_format(what)
    _check(call, form, target, given)
    reader = Reader(open_for_reading(path), path)
    try:
        purpose = reader.purpose()
        if target is not None:
            _spare(target, path, reader)
        lines = exported(what, form, reader.lines(), reader.failures, purpose.token if purpose else "")
        with _opened(call, target) as write:
            count = _copy(lines, write, BOM if given["bom"] else "") - (form == "csv")
    finally:
        reader.close()
    _tell(call, count, {"what": what, "format": form, "output": str(target) if target else None}, as_json=given["json"])
    return 0


def _target(output: Path | None) -> Path | None:
    return None if output is None or str(output) == "-" else Path(os.path.realpath(output))


def _check(call: Invocation, form: str, target: Path | None, given: dict[str, Any]) -> None:
    if given["bom"] and form != "csv":
        raise UsageError("--bom is for CSV only; leave it out, or add --format csv.")
    if target is None and given["json"]:
        raise UsageError("--json describes an export that goes to a file; add --output FILE.")
    if target is None and call.output.is_closed:
        raise UsageError("standard output is closed; add --output FILE.")


def _spare(target: Path, ledger: Path, reader: Reader) -> None:
    """Never write over what the import needs: the ledger and its source."""
    purpose = reader.purpose()
    needed = [ledger, *([Path(purpose.source)] if purpose and not purpose.spooled else [])]
    for path in needed:
        with suppress(OSError):
            if target.samefile(path):
                raise UsageError(f"--output would overwrite {path}, which the import needs; choose another file.")


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


@contextmanager
def _opened(call: Invocation, target: Path | None) -> Iterator[Write]:
    if target is None:
        yield from _standard_output(call)
        return
    try:
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            with target.open("wb") as file:
                yield lambda text: bool(file.write(text.encode("utf-8", "backslashreplace")) or True)
        else:
            with _replacing(target) as write:
                yield write
    except OSError as error:
        sentence = f"{target} cannot be written ({error.strerror})"
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
            raise StoppedEarly(f"{sentence}; make room and export again.") from error
        raise UsageError(f"{sentence}; choose another --output.") from error


def _standard_output(call: Invocation) -> Iterator[Write]:
    output = call.output

    def write(text: str) -> bool:
        output.write(text)
        return not output.gone

    yield write
    output.flush()
    if output.error is not None:
        raise StoppedEarly(f"standard output cannot be written ({output.error.strerror}); make room and export again.")


@contextmanager
def _replacing(target: Path) -> Iterator[Write]:
    """A private file that takes the target's place when it is complete; until then the target stays as it was."""
    handle, name = tempfile.mkstemp(prefix=target.name + ".", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield lambda text: bool(file.write(text.encode("utf-8", "backslashreplace")) or True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def _tell(call: Invocation, count: int, facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        call.output.line(to_json({**facts, "rows": count}))
    elif facts["output"] is not None:
        call.tell(f"{count:,} rows written to {facts['output']}")
