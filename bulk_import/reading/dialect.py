"""Which delimiter, quote and escape style a delimited text has, judged by how its rows come out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bulk_import.reading.cells import Dialect, split_record
from bulk_import.reading.kinds import holds_nothing, kind_of
from bulk_import.reading.marks import RARE, USUAL, delimiters_in, escapes_in, quotes_in
from bulk_import.reading.titles import are_titles, is_address_title

_WORTH = {"email": 1.0, "number": 1.0, "time": 1.0, "code": 1.0, "link": 1.0, "words": 1.0, "empty": 0.6}
_UNLIKE_TITLES = (";", "\t", "|", *RARE)
_SAMPLE_ROWS = 120
_SAMPLE_LINES = 400


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One record of the sample: the index of its first line of several, its cells, whether its quotes went wrong.

    `after_blank` says that a blank line stands above it.
    """

    line: int
    cells: tuple[str, ...]
    broken: bool = False
    after_blank: bool = False
    lines: int = 1

    @property
    def filled(self) -> int:
        """How many cells hold something."""
        return sum(1 for cell in self.cells if cell.strip())


@dataclass(frozen=True, slots=True)
class Candidate:
    """A dialect, how its rows came out, and how well."""

    dialect: Dialect
    rows: tuple[SampleRow, ...]
    width: int
    score: float

    @property
    def good(self) -> int:
        """How many rows have the table's width and sound quotes."""
        return sum(1 for row in self.rows if len(row.cells) == self.width and not row.broken)


def sample_rows(lines: Sequence[str], dialect: Dialect, most: int = _SAMPLE_ROWS) -> tuple[SampleRow, ...]:
    """The first records of *lines*; after an open quote the next line begins anew."""

    def line(index: int) -> str | None:
        return lines[index] if index < len(lines) else None

    rows: list[SampleRow] = []
    blank, at = False, 0
    while at < len(lines) and len(rows) < most:
        if not lines[at].strip(" \r\n"):
            blank, at = True, at + 1
            continue
        split = split_record(line, at, dialect, stop=lambda _: True)
        opened = split.opened is not None or (split.stray and split.lines > 1)
        if opened or not holds_nothing(split.cells):
            rows.append(SampleRow(at, tuple(split.cells), opened or split.stray, blank, 1 if opened else split.lines))
        blank = not opened and holds_nothing(split.cells)
        at += 1 if opened else split.lines
    return tuple(rows)


def settle_dialect(lines: Sequence[str], delimiter: str | None, quote: str | None) -> tuple[Candidate, ...]:
    """The candidates from best to worst; what is given is not questioned. Never empty."""
    lines = _filled(lines, _SAMPLE_LINES)
    text = "\n".join(line.rstrip("\r\n") for line in _filled(lines, _SAMPLE_ROWS))
    found = [
        _scored(lines, Dialect(mark, sign, escape), weight)
        for mark, weight in delimiters_in(text, delimiter)
        for sign in quotes_in(text, mark, quote)
        for escape in escapes_in(text, sign, mark)
    ]
    fit = [candidate for candidate in found if candidate.width > 1 or delimiter is not None]
    single = _single_column(lines, text, delimiter, quote)
    ranked = sorted([*fit, single], key=lambda candidate: -candidate.score)
    best = single if delimiter is None and _is_list(single, ranked[0]) else _plainest(_with_titles(ranked))
    ranked.remove(best)
    if delimiter is None and best.width > 1:
        best = _widened(lines, best)
    return (best, *ranked)


def _filled(lines: Sequence[str], most: int) -> Sequence[str]:
    """The first lines, so many that *most* of them hold something."""
    filled = 0
    for index, line in enumerate(lines):
        filled += bool(line.strip(" \r\n"))
        if filled == most:
            return lines[: index + 1]
    return lines


def _with_titles(ranked: Sequence[Candidate]) -> Sequence[Candidate]:
    """Without the best ones that throw a first line away which another finds to be made of column names.

    So a list inside the cells (`a;b;c`) does not win over what the header is delimited by. More than one line that is
    thrown away may be another table.
    """
    best = ranked[0]
    fit = [len(row.cells) == best.width and not row.broken for row in best.rows[:2]]
    if fit != [False, True]:
        return ranked
    fitting = [candidate for candidate in ranked if candidate.score > 0 and _begins_with_titles(candidate)]
    return fitting or ranked


def _is_list(single: Candidate, best: Candidate) -> bool:
    """Whether the first line names one column of addresses and nothing, least of all a header, speaks for several."""
    alone = not any(row.broken or len(row.cells) > 1 for row in single.rows)
    title = single.rows[0].cells[0] if single.rows else ""  # every line may hold nothing but quotes
    return (
        alone
        and is_address_title(title)
        and not title.endswith(USUAL)
        and not any(are_titles(row.cells) for row in best.rows)
    )


def _begins_with_titles(candidate: Candidate) -> bool:
    first = candidate.rows[0]
    return not first.broken and len(first.cells) == candidate.width and are_titles(first.cells)


def _plainest(ranked: Sequence[Candidate]) -> Candidate:
    """The best candidate; backslashes escape only where more rows come out right that way."""
    best = ranked[0]
    doubled = replace(best.dialect, escape="doubled")
    same = next((other for other in ranked if other.dialect == doubled and other.width == best.width), best)
    return same if same.good >= best.good else best


def _scored(lines: Sequence[str], dialect: Dialect, weight: float) -> Candidate:
    usual = weight == 1.0
    if not usual and not _begins_alike(lines, dialect):
        return Candidate(dialect, (), 1, 0.0)
    rows = sample_rows(lines, dialect)
    widths = Counter(len(row.cells) for row in rows if not row.broken and len(row.cells) > 1)
    if not widths:
        return Candidate(dialect, rows, 1, 0.0)
    width = max(widths, key=lambda found: (widths[found], found))
    good = [row for row in rows if len(row.cells) == width and not row.broken]
    if not usual and (len(good) < 0.9 * len(rows) or len(rows[0].cells) != width):
        return Candidate(dialect, rows, width, 0.0)
    starts = 1.0 if len(rows[0].cells) == width else 0.95
    share = len(good) / (_counted(rows, good[0].line, good[-1].line) if len(good) > 1 else len(rows))
    return Candidate(dialect, rows, width, share * _worth(good, dialect) * width / (width + 1) * weight * starts)


def _begins_alike(lines: Sequence[str], dialect: Dialect) -> bool:
    """Whether the first rows have the same width, more than one: all that a rare delimiter is tried for."""
    widths = {len(row.cells) for row in sample_rows(lines, dialect, most=3) if not row.broken}
    return len(widths) == 1 and widths != {1}


def _counted(rows: Sequence[SampleRow], first: int, last: int) -> float:
    """How many rows a share is of: single cells above and below the table (titles, footers) count little."""
    outside = sum(1 for row in rows if not first < row.line < last and _is_title(row))
    return len(rows) - 0.9 * outside


def _is_title(row: SampleRow) -> bool:
    """Whether a row is one cell of words, not cells that another dialect would tell apart."""
    if len(row.cells) != 1 or row.broken:
        return False
    return row.cells[0][:1] not in "\"'" and not any(mark in row.cells[0] for mark in _UNLIKE_TITLES)


def _worth(rows: Sequence[SampleRow], dialect: Dialect) -> float:
    """How much the cells look like whole values, from 0 to 1."""
    worth = [_cell_worth(cell, dialect) for row in rows for cell in row.cells[:64]]
    return sum(worth) / max(1, len(worth))


def _cell_worth(cell: str, dialect: Dialect) -> float:
    text = cell.strip()
    if text[:1] in ('"', "'") and (text[:1] == '"' or text[-1:] == "'"):
        return 0.0 if len(text) > 1 else 0.3
    others = sum(1 for mark in USUAL if mark != dialect.delimiter and mark in text)
    return _WORTH.get(kind_of(text), 0.5 if not others else 0.25)


def _single_column(lines: Sequence[str], text: str, delimiter: str | None, quote: str | None) -> Candidate:
    """The whole line as one cell: what is left when no delimiter makes sense."""
    signs = quotes_in(text, ",", quote)
    tried = [(delimiter or ",", sign) for sign in (*signs[1:], signs[0])]
    if delimiter is None:
        tried.append(("\t", None if quote is None else signs[0]))
    for mark, sign in tried:
        dialect = Dialect(mark, sign)
        rows = sample_rows(lines, dialect)
        if all(len(row.cells) == 1 and not row.broken for row in rows):
            break
    # A delimiter in the first line says that there is more than one column, however badly the rows come out.
    doubt = 0.02 if any(mark in cell for mark in USUAL for row in rows[:1] for cell in row.cells) else 1.0
    return Candidate(dialect, rows, 1, 0.25 * doubt * _worth(rows, dialect))


def _always_between(rows: Sequence[SampleRow]) -> str | None:
    """What every second cell of all rows holds, when that is one and the same and no word: it belongs to the delimiter."""
    found = {cell for row in rows for cell in row.cells[1::2]}
    between = found.pop() if len(found) == 1 else "word"
    return between if not any(character.isalnum() for character in between) else None


def _between_signs(rows: Sequence[SampleRow], mark: str) -> Iterator[str]:
    """The delimiter with a sign before and behind it that no cell would have on both sides: `~|~`."""
    first = rows[0].cells if rows else ()
    if (
        len(first) > 1
        and (sign := first[0][-1:]) == first[1][:1]
        and sign
        and not sign.isalnum()
        and sign not in " \"'"
    ):
        yield sign + mark + sign


def _widened(lines: Sequence[str], best: Candidate) -> Candidate:
    """The same candidate with a delimiter of more than one character, where every row agrees on it."""
    mark = best.dialect.delimiter
    good = [row for row in best.rows if len(row.cells) == best.width and not row.broken]
    between = _always_between(good) if best.width > 2 and best.width % 2 else None
    # One empty column is a column (`email,,name`); pipes and tabs are doubled on purpose.
    if between or (between == "" and (best.width > 3 or mark not in ",;")):
        return _scored(lines, replace(best.dialect, delimiter=mark + between + mark), 1.0)
    if mark.strip(" ") == "":
        return best
    for wider in (f" {mark} ", f"{mark} ", *_between_signs(good, mark)):
        tried = _scored(lines, replace(best.dialect, delimiter=wider), 1.0)
        fitting = sum(1 for row in tried.rows if len(row.cells) == best.width and not row.broken)
        if tried.width == best.width and fitting >= len(good) and _bare_quotes(tried) <= _bare_quotes(best):
            return tried
    return best


def _bare_quotes(candidate: Candidate) -> int:
    """How many cells hold a quote as text; more of them say that quoted cells were cut: `email,"City` and `State"`."""
    return sum((candidate.dialect.quote or '"') in cell for row in candidate.rows for cell in row.cells)
