"""An import held against its rehearsal: which rows ended otherwise, and what was asked for otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bulk_import.errors import UsageError
from bulk_import.ledger import Line, Purpose, Reader
from bulk_import.report.review import mode, name_of, place, settings
from bulk_import.report.table import aligned, grid

NAMED = 20
"""Row numbers that are named for each difference."""

Ending = tuple[str, str | None]
"""A status and, where there is one, an error code."""


@dataclass(slots=True)
class Difference:
    """Rows that ended one way in the rehearsal and another way now; `rows` are the first of them."""

    rehearsed: Ending
    now: Ending
    count: int
    rows: list[int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What compares: `alike` rows ended the same way, `unrehearsed` ones were not looked at in the rehearsal.

    `otherwise` names what was asked for otherwise, as (what, in the rehearsal, now).
    """

    ledger: str
    rehearsal: str
    account: str
    rehearsed_on: str
    alike: int
    unrehearsed: int
    not_yet: int
    differences: tuple[Difference, ...]
    otherwise: tuple[tuple[str, str, str], ...]


def compare(ledger: str, live: Reader, rehearsal_path: str, rehearsal: Reader) -> Comparison:
    """Hold every row of *live* against its rehearsal: by row number of one source, else by its own id.

    Raises `UsageError` where neither tells which rows belong together.
    """
    now, then = _purpose(ledger, live), _purpose(rehearsal_path, rehearsal)
    counts = {"alike": 0, "unrehearsed": 0, "not_yet": 0}
    differences: dict[tuple[Ending, Ending], Difference] = {}
    for line, rehearsed in _pairs(now, live, then, rehearsal):
        if rehearsed is None or rehearsed.status == "pending":
            counts["unrehearsed"] += 1
        elif line.status == "pending":
            counts["not_yet"] += 1
        elif _ending(line) == _ending(rehearsed):
            counts["alike"] += 1
        else:
            key = (_ending(rehearsed), _ending(line))
            found = differences.setdefault(key, Difference(*key, 0, []))
            found.count += 1
            if len(found.rows) < NAMED:
                found.rows.append(line.row)
    ordered = tuple(sorted(differences.values(), key=lambda d: -d.count))
    return Comparison(
        ledger, rehearsal_path, place(now, mode(now)), place(then, mode(then)), **counts,
        differences=ordered, otherwise=tuple(_otherwise(then, now)),
    )  # fmt: skip


def tabled(found: Comparison) -> list[str]:
    """The comparison as a person reads it."""
    differ = sum(d.count for d in found.differences)
    pairs = [("now", f"{found.account} ({found.ledger})"), ("rehearsed", f"{found.rehearsed_on} ({found.rehearsal})")]
    pairs += [("alike", f"{found.alike:,}"), ("different", f"{differ:,}")]
    pairs += [(name, f"{count:,}") for name, count in (("not rehearsed", found.unrehearsed), ("not sent yet", found.not_yet)) if count]  # fmt: skip
    lines = [*aligned(pairs)]
    if found.differences:
        cells = [(_said(d.rehearsed), _said(d.now), f"{d.count:,}", _rows(d)) for d in found.differences]
        lines += ["rows that ended otherwise:", *grid(("in the rehearsal", "now", "rows", "first rows"), cells)]
    if found.otherwise:
        lines += ["asked for otherwise:", *grid(("what", "in the rehearsal", "now"), found.otherwise)]
    if not found.differences and not found.unrehearsed and not found.not_yet:
        lines.append("every row ended as it was rehearsed")
    return lines


def described(found: Comparison) -> dict[str, Any]:
    """The comparison as values for a program."""
    return {
        "ledger": found.ledger,
        "rehearsal": found.rehearsal,
        "account": found.account,
        "rehearsed_on": found.rehearsed_on,
        "alike": found.alike,
        "different": sum(d.count for d in found.differences),
        "unrehearsed": found.unrehearsed,
        "not_yet": found.not_yet,
        "differences": [
            {
                "rehearsed": {"status": d.rehearsed[0], "code": d.rehearsed[1]},
                "now": {"status": d.now[0], "code": d.now[1]},
                "rows": d.count,
                "first": d.rows,
            }
            for d in found.differences
        ],
        "otherwise": [{"what": what, "rehearsed": then, "now": now} for what, then, now in found.otherwise],
    }


def _purpose(path: str, reader: Reader) -> Purpose:
    purpose = reader.purpose()
    if purpose is None:
        raise UsageError(f"the ledger {path} holds no import yet; run the import first, then compare.")
    return purpose


def _pairs(now: Purpose, live: Reader, then: Purpose, rehearsal: Reader) -> Iterator[tuple[Line, Line | None]]:
    """Each row of the import with its rehearsed self, in row order."""
    if now.sha256 == then.sha256:
        others = rehearsal.lines()
        yield from ((line, next(others, None)) for line in live.lines())
        return
    if not (_key(now) and _key(then)):
        raise UsageError(
            f"the ledgers were made from different sources ({name_of(now)}, {name_of(then)}) and without --key, "
            "so nothing tells which rows belong together; rehearse the same file."
        )
    by_id: dict[str, Line] = {line.source_id: line for line in rehearsal.lines() if line.source_id is not None}
    find: Callable[[str], Line | None] = by_id.get
    yield from ((line, find(line.source_id) if line.source_id is not None else None) for line in live.lines())


def _key(purpose: Purpose) -> str | None:
    key: str | None = (purpose.options.get("mapping") or {}).get("key")
    return key


def _ending(line: Line) -> Ending:
    return line.status, line.error_code


def _otherwise(then: Purpose, now: Purpose) -> Iterator[tuple[str, str, str]]:
    before, after = settings(then), settings(now)
    for name in before | after:
        if before.get(name) != after.get(name):
            yield name, before.get(name, "not given"), after.get(name, "not given")


def _said(ending: Ending) -> str:
    status, code = ending
    return f"{status.replace('_', ' ')} ({code})" if code else status.replace("_", " ")


def _rows(difference: Difference) -> str:
    rows = ", ".join(map(str, difference.rows))
    return f"{rows}, …" if difference.count > len(difference.rows) else rows
