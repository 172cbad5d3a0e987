"""`retry --with`: the failed export, mended in a spreadsheet, read back and held against the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulk_import.errors import BulkImportError, UsageError
from bulk_import.job.closing import doubtful_command
from bulk_import.job.mended_columns import check_columns, filled
from bulk_import.job.mended_lines import MendedLine, lines_of
from bulk_import.job.own_ids import has_own_id, id_of, must_be_told_apart
from bulk_import.job.respelt_cells import must_be_whole, put_back
from bulk_import.ledger import Mended, Purpose, Reader
from bulk_import.mapping.aliases import OWN_COLUMNS
from bulk_import.model import Record, Status
from bulk_import.prepare.keeping import HIDDEN, NOT_AS_GIVEN
from bulk_import.prepare.rows import Preparation
from bulk_import.reading import Overrides
from bulk_import.wording import counted, listed

CHUNK = 500
"""Rows that are looked at together."""

Notify = Callable[[str, str], None]


def digest_of(path: Path, overrides: Overrides) -> str | None:
    """What tells a mended file, read as *overrides* say, from any other; None for what can be read only once."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        told = hashlib.file_digest(file, "sha256")
    told.update(repr(overrides).encode())
    return told.hexdigest()


def read_corrections(
    path: Path,
    overrides: Overrides,
    purpose: Purpose,
    reader: Reader,
    how: Preparation,
    notify: Notify,
    *,
    goes_on: bool = False,
) -> Mended:
    """The corrected fields of each row that *path* names; the caller closes them.

    Where that *goes_on* with a file that the ledger has taken over before, what came of its rows since is left as it is.

    *path* is read as *overrides* say; columns that its rows did not have before are told to *notify*.

    A line that was never a customer's, such as a total, is left out and said.
    Raises `UsageError` for the whole file when any line of it does not belong to this ledger, or when a column that
    was sent is missing: nothing is guessed about which row a line means, or about whether a field was to go.
    """
    with ExitStack() as undone:
        found = undone.enter_context(closing(Mended()))
        taken = _read_lines(found, path, overrides, purpose, reader, notify, goes_on=goes_on)
        if taken.unsigned:
            lines = "its line is" if taken.unsigned == 1 else f"its {taken.unsigned:,} lines are"
            notify(
                "unsigned",
                f"{path} has no column _ledger, so only the row numbers in _row say whose {lines}; an export --what failed has both",
            )
        if taken.done:
            settled = counted(taken.done, "row of it was", "rows of it were")
            notify("with", f"{path} was taken over before; {settled} settled or sent since and not again now")
        if not found and not taken.done:
            raise UsageError(
                f"{path} names no {'customers' if taken.nobodys else 'rows'}; give the file that export --what failed wrote, mended"
            )
        check_columns(path, found, _before(found, reader), how, notify)
        put_back(found, _before(found, reader), path, how, notify)
        _leave_as_kept(found, path, reader, notify, goes_on=goes_on)
        undone.pop_all()
    return found


@dataclass(slots=True)
class _Taken:
    """What the lines so far came to: rows that were never a customer's, how many are done, how many do not belong here.

    Of the latter, `doubtful` ones may have been sent: what came of them is to be seen first.

    `unsigned` lines have no column that tells which ledger they are of, `respelt` ones their row's own id as a spreadsheet has
    it.
    """

    nobodys: set[int] = field(default_factory=set)
    unsigned: int = 0
    done: int = 0
    respelt: int = 0
    misplaced: int = 0
    doubtful: int = 0
    first_misplaced: str = ""


def _read_lines(
    found: Mended, path: Path, overrides: Overrides, purpose: Purpose, reader: Reader, notify: Notify, *, goes_on: bool
) -> _Taken:
    """Put the fields of every row into *found*, and answer what else the lines came to."""
    taken = _Taken()
    key = (purpose.options.get("mapping") or {}).get("key")
    for piece in _pieces(lines_of(path, overrides, purpose)):
        fates = reader.fates([line.number for line in piece if line.number <= purpose.rows])
        must_be_whole(piece, reader)
        for line in piece:
            fate = fates.get(line.number)
            if fate is not None and fate.is_refused:
                _take(line, key, fate.source_id, found, taken, notify)
            # What an undo took back has no fields any more but the source's.
            elif goes_on and fate is not None and fate.status is not Status.PENDING:
                taken.done += 1
            else:
                taken.misplaced += 1
                if fate is not None and fate.status in (Status.CLAIMED, Status.IN_DOUBT):
                    taken.doubtful += 1
                if taken.misplaced == 1:
                    why = _why_not(line.number, purpose, reader)
                    taken.first_misplaced = f"{line.where} names row {line.number}, {why}"
    if taken.misplaced:
        raise UsageError(_misplaced(taken, reader, purpose))
    if taken.respelt and key is not None:
        must_be_told_apart(found, reader, path, key)
    return taken


def _pieces(lines: Iterable[MendedLine]) -> Iterator[Sequence[MendedLine]]:
    """Some lines at a time; those before one that cannot be read come first, so that the first mistake is the one that is told."""
    piece: list[MendedLine] = []
    try:
        for line in lines:
            piece.append(line)
            if len(piece) == CHUNK:
                yield piece
                piece = []
    except BulkImportError:
        yield piece
        raise
    yield piece


def _take(line: MendedLine, key: str | None, own_id: str | None, found: Mended, taken: _Taken, notify: Notify) -> None:
    """Keep the fields of a row, unless its line was never a customer's."""
    number = line.number
    if number in found or number in taken.nobodys:
        raise UsageError(f"{line.where} names row {number} a second time; keep one line for each row")
    has_own = has_own_id(line, key, own_id)
    taken.respelt += has_own and id_of(line.fields, key) != own_id
    if line.problem is not None:
        notify("no-customer", f"{line.where}: {line.problem.partition('; ')[0]}, so row {number} stays as it is")
        taken.nobodys.add(number)
    elif line.is_signed or has_own or "_ledger" not in line.fields:  # written by hand, as one may
        taken.unsigned += not (line.is_signed or has_own)
        found.put(number, {column: cell for column, cell in line.fields.items() if column not in OWN_COLUMNS})
    else:
        raise UsageError(
            f"{line.where} does not say in its column _ledger which ledger its row number is of, and may be about another "
            f"person; give the export with all its columns{'' if key is None else f', or at least with {listed([key])}'}"
        )


def _leave_as_kept(found: Mended, path: Path, reader: Reader, notify: Notify, *, goes_on: bool) -> None:
    """Say which rows are as they were, and leave out those that nobody may send like that."""
    unchanged = [each.number for each in _before(found, reader) if filled(each.fields) == filled(found[each.number])]
    if unchanged and not goes_on:
        are = "is as it was" if len(unchanged) == 1 else "are as they were"
        rows = counted(len(found), "row")
        notify("unchanged", f"{len(unchanged):,} of the {rows} {are}; what was invalid there stays so")
    if as_kept := _still_as_kept(found, reader):
        found.discard(as_kept)
        if masked := set(as_kept).difference(unchanged):
            stay = counted(len(masked), "row has a cell", "rows have cells")
            notify("masked", f"{stay} that the export had to mask and that {path} still has so; they stay invalid")


def _still_as_kept(found: Mended, reader: Reader) -> list[int]:
    """Rows that are torn or masked in the ledger, and in the file still: whose the cells are, or what they held, is lost."""
    torn = [number for number in reader.numbers((Status.INVALID,), sorted(NOT_AS_GIVEN)) if number in found]
    before = (each for start in range(0, len(torn), CHUNK) for each in reader.records(torn[start : start + CHUNK]))
    return [each.number for each in before if _is_as_kept(each.fields, found[each.number])]


def _is_as_kept(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    masked = any(HIDDEN in str(cell) and now.get(column) == cell for column, cell in before.items())
    return masked or filled(before) == filled(now)


def _misplaced(taken: _Taken, reader: Reader, purpose: Purpose) -> str:
    """What to do about lines of rows that are not to be mended: the first, and so many more."""
    more = taken.misplaced - 1
    others = f", and {counted(more, 'more line names such a row', 'more lines name such rows')}" if more else ""
    if taken.doubtful:
        settle = doubtful_command(str(reader.path), live=purpose.livemode)
        return (
            f"{taken.first_misplaced}{others}; of rows in doubt ({taken.doubtful:,} here) it is to be seen first what came of "
            f"them: type {settle}, then give this file again"
        )
    return (
        f"{taken.first_misplaced}{others}; take {'them' if more else 'the line'} out, or mend a new export: it has the rows that "
        "are left, as they were mended before"
    )


def _before(found: Mended, reader: Reader) -> Iterator[Record]:
    """The records of these rows as they were read at first."""
    numbers = found.numbers()
    for start in range(0, len(numbers), CHUNK):
        yield from reader.records(numbers[start : start + CHUNK])


def _why_not(number: int, purpose: Purpose, reader: Reader) -> str:
    """Why this row is not mended."""
    if not 1 <= number <= purpose.rows:
        return f"and there is no such row: the source has {purpose.rows:,}"
    line = next(iter(reader.lines([number])), None)
    if line is not None and (line.error_message or "").startswith("undone: "):
        return "which was undone: run sends it again, as the source has it"
    if line is None or line.status == Status.PENDING.value:
        return "which was never sent: run sends it"
    has = f" and has its customer {line.customer_id}" if line.customer_id else ""
    return f"which is {line.status.replace('_', ' ')}{has}, neither failed nor invalid"
