"""What `check` found, as a page for a person and as an object for a program (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bulk_import.cli.events import to_json, values_of
from bulk_import.report.table import aligned, grid
from bulk_import.wording import terminal_safe

if TYPE_CHECKING:
    from bulk_import.survey import Survey
    from bulk_import.tally import Group

WIDEST = 32
"""Characters of a cell that are shown."""


def described(found: Survey) -> dict[str, Any]:
    """Everything the page shows, as values for JSON."""
    reading = values_of(found.reading)
    reading.pop("kinds")
    return {
        "reading": reading,
        "notices": [{"code": code, "message": message} for code, message in _notices(found)],
        "mapping": [values_of(line) for line in found.mapping.lines()],
        "rows": found.rows,
        "valid": found.valid,
        "invalid": found.invalid,
        "duplicates": found.duplicates,
        "warnings": found.warnings,
        "problems": [_group(group) for group in found.groups],
        "first_rows": [
            {"row": r.number, "line": r.line, "fields": r.fields, "problem": r.problem} for r in found.first_rows
        ],
    }


def shown(source: str, found: Survey) -> list[str]:
    """The page: how the source reads, what its columns become, its first rows, its problems, and the counts."""
    return [
        f"{source}:",
        *(f"  {message}" for _, message in _notices(found)),
        "mapping:",
        *_mapping(found),
        "first rows as read:",
        *_first_rows(found),
        *_problems("problems", [group for group in found.groups if not group.warning]),
        *_problems("worth a look (these rows are sent)", [group for group in found.groups if group.warning]),
        "rows:",
        *aligned([(name, f"{getattr(found, name):,}") for name in ("rows", "valid", "invalid", "duplicates")]),
    ]


def _mapping(found: Survey) -> list[str]:
    rows = [
        (
            "(every row)" if line.column is None else _cell(line.column),
            line.field,
            ("guess: " if line.guess else "") + line.why,
        )
        for line in found.mapping.lines()
    ]
    return grid(("column", "becomes", "because it"), rows)


def _notices(found: Survey) -> list[tuple[str, str]]:
    """What was said of the reading and of the mapping, as (code, sentence)."""
    said = [(notice.code, notice.message) for notice in found.reading_notices]
    said += [("mapping", sentence) for sentence in found.mapping.notices]
    return said + [(notice.code, notice.message) for notice in found.notices]


def _first_rows(found: Survey) -> list[str]:
    lines: list[str] = []
    for record in found.first_rows:
        cells = ", ".join(f"{_cell(str(name))}={_value(value)}" for name, value in record.fields.items())
        lines.append(f"  row {record.number}, line {record.line}: {record.problem or cells}")
    return lines


def _problems(title: str, groups: Sequence[Group]) -> list[str]:
    if not groups:
        return []
    lines = [f"{title}:"]
    for group in groups:
        more = f", the first {len(group.places)}" if group.count > len(group.places) else ""
        lines.append(f"  {group.rule} ({group.count:,}{more})")
        places = [
            (f"{place.row}", f"{place.line}", _cell(place.column or ""), _value(place.value), place.message)
            for place in group.places
        ]
        lines += grid(("row", "line", "column", "value", "advice"), places, indent="    ")
    return lines


def _group(group: Group) -> dict[str, Any]:
    places = [
        {"row": p.row, "line": p.line, "column": p.column, "value": p.value, "advice": p.message} for p in group.places
    ]
    return {"rule": group.rule, "warning": group.warning, "count": group.count, "places": places}


def _cell(text: str) -> str:
    return terminal_safe(text, WIDEST)


def _value(value: Any) -> str:
    """A value as the source writes it: text bare, a structure as JSON."""
    return "" if value is None else _cell(value if isinstance(value, str) else to_json(value))
