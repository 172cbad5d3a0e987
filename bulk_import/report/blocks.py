"""Rows of an export as text, some hundreds at once and a column at a time (pure).

In a column nearly all cells are of one kind, and many columns hold one and the same cell in row after row: asked once for a
block, such questions cost a row next to nothing, and a line is written in half the time that it takes on its own.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, repeat
from json.encoder import encode_basestring
from typing import Any

from bulk_import.formulas import defuse

BLOCK = 500
"""Rows that are written together: enough to forget what a block costs, few enough to stay in the processor's cache."""

DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
"""First characters that make a spreadsheet run a cell."""

Column = Sequence[Any]
Spelled = Callable[[Column], Column]
Table = Mapping[str, Column]
"""Some rows, as the cells of each named column."""

_SUSPICIOUS = frozenset((*DANGEROUS, "'"))
_to_json = json.JSONEncoder(ensure_ascii=False).encode


def blocks(names: Sequence[str], rows: Iterable[Sequence[Any]], size: int = BLOCK) -> Iterator[Table]:
    """The rows, so many at once; each row has a cell for every name."""
    left = iter(rows)
    while block := tuple(islice(left, size)):
        yield dict(zip(names, zip(*block, strict=True), strict=True))


def json_lines(table: Table) -> Iterable[str]:
    """One object a line; the cells are texts, whole numbers and None."""
    return _filled([f"{_to_json(name)}: " for name in table], table.values(), _as_json, "{", ", ", "}\n")


def csv_lines(table: Table) -> Iterable[str]:
    """CSV for people, without a header; the cells are texts, whole numbers that are never negative, and None."""
    return csv_text({name: _harmless(cells) for name, cells in table.items()})


def csv_text(table: Table) -> Iterable[str]:
    """CSV for a program, without a header: the cells as they are."""
    lines = list(_filled([""] * len(table), table.values(), _as_text, "", ",", "\n"))
    return lines if _is_plain("".join(lines), len(table), len(lines)) else _quoted(zip(*table.values(), strict=True))


def _is_plain(text: str, columns: int, rows: int) -> bool:
    """Whether lines written without any quotes are what the csv module would write."""
    return (
        columns > 1  # an empty cell that is alone on its line is quoted
        and '"' not in text
        and "\r" not in text
        and text.count(",") == (columns - 1) * rows
        and text.count("\n") == rows
    )


def _filled(
    heads: Sequence[str], columns: Iterable[Column], spelled: Spelled, begin: str, between: str, end: str
) -> Iterator[str]:
    """Lines of one shape: in each column's place its head and its cell."""
    # The heads are the same on every line, and so are many cells: they become the shape that the others fill.
    shape: list[str] = []
    varying: list[Column] = []
    rows = 0
    for head, cells in zip(heads, columns, strict=True):
        rows = len(cells)
        same = cells.count(cells[0]) == rows
        shape.append((head + str(spelled(cells[:1])[0])).replace("%", "%%") if same else head.replace("%", "%%") + "%s")
        if not same:
            varying.append(spelled(cells))
    line = begin + between.join(shape) + end
    return map(line.__mod__, zip(*varying, strict=True)) if varying else repeat(line % (), rows)


def _as_json(cells: Column) -> Column:
    """Each cell's JSON, or a number, which is its own."""
    kinds = set(map(type, cells))
    if kinds == {int}:
        return cells
    if kinds == {str}:
        return tuple(map(encode_basestring, cells))
    return ["null" if cell is None else encode_basestring(cell) if type(cell) is str else cell for cell in cells]


def _as_text(cells: Column) -> Column:
    return ["" if cell is None else cell for cell in cells] if None in cells else cells


def _harmless(cells: Column) -> Column:
    """The column without formulas; hardly any has a cell that begins like one."""
    begins = {cell[:1] for cell in cells if type(cell) is str}
    if _SUSPICIOUS.isdisjoint(begins):
        return cells
    return [defuse(cell) if type(cell) is str else cell for cell in cells]


def _quoted(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    # The module quotes a lone CR only if CR is part of its own line end, so that end is written and then replaced.
    sink = _Sink()
    csv.writer(sink, lineterminator="\r\n").writerows(rows)
    return (line[:-2] + "\n" for line in sink.lines)


class _Sink:
    """Keeps the lines of the csv module, which hands over one row at a time."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.write = self.lines.append
