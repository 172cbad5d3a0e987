"""What was decided about a workbook, and what a person sees otherwise than it is read, as sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bulk_import.reading.header import Header
from bulk_import.reading.settled import Notice
from bulk_import.reading.sheetmarks import SheetMarks
from bulk_import.wording import counted


def say_table(header: Header, filled: list[str]) -> Iterator[Notice]:
    """Which sheet is read and where its table begins."""
    yield Notice("format", f"format is an Excel workbook; sheet {filled[0]!r} is read.")
    if len(filled) > 1:
        yield Notice(
            "sheets",
            f"{counted(len(filled) - 1, 'more sheet is', 'more sheets are')} not read: {', '.join(map(repr, filled[1:4]))}.",
        )
    if header.line:
        yield Notice("skipped", f"the table begins in row {header.line + 1}; what stands above it is skipped.")
    if header.unnamed:
        yield Notice("unnamed", f"columns without a name are called {', '.join(header.unnamed)}.")


def say_zeros(columns: Sequence[str]) -> Iterator[Notice]:
    """The columns whose numbers are read with zeros that they do not have."""
    for column in columns:
        yield Notice(
            "leading-zeros", f"numbers in column {column!r} are read with the zeros in front that their format shows."
        )


def say_marks(marks: SheetMarks, above: int) -> Iterator[Notice]:
    """What a person sees otherwise than it is read: rows that are hidden, errors, cells that share one value."""
    if hidden := [row for row in marks.hidden if row > above]:
        rows = counted(len(hidden), "row is", "rows are")
        yield Notice("hidden-rows", f"{rows} hidden in the sheet and read like the others, first row {hidden[0]}.")
    if errors := [(row, error) for (row, _), error in marks.errors.items() if row > above]:
        yield Notice(
            "error-cells",
            f"{counted(len(errors), 'cell holds', 'cells hold')} an error, read as text, first {errors[0][1]} in row "
            f"{errors[0][0]}; empty such cells, or leave their columns out.",
        )
    if merged := [cells for row, cells in marks.merged if row > above]:
        yield Notice(
            "merged-cells",
            f"merged cells have their value in the first of them only, the others are empty: {merged[0]}.",
        )
