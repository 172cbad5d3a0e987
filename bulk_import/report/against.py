"""An import held against its rehearsal: which rows ended otherwise, and what was asked for otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bulk_import.customer.emails import email_key
from bulk_import.errors import LedgerRefuses, UsageError
from bulk_import.ledger import Line, Purpose, Reader
from bulk_import.report.review import mode, name_of, place, settings
from bulk_import.report.table import aligned, grid
from bulk_import.wording import counted

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

    `matched_by` is `row` for one source and `id` for two, which `sources` names as they are now and in the rehearsal;
    `rehearsed_only` rows of the rehearsal have no row now.
    `otherwise` names what was asked for otherwise, as (what, in the rehearsal, now).
    """

    ledger: str
    rehearsal: str
    account: str
    rehearsed_on: str
    alike: int
    unrehearsed: int
    not_yet: int
    matched_by: str
    sources: tuple[str, str]
    rehearsed_only: int
    differences: tuple[Difference, ...]
    otherwise: tuple[tuple[str, str, str], ...]


def compare(ledger: str, live: Reader, rehearsal_path: str, rehearsal: Reader) -> Comparison:
    """Hold every row of *live* against its rehearsal: by row number of one source, else by its own id.

    Raises `LedgerRefuses` where neither tells which rows belong together, or the ids are those of other people.
    """
    now, then = _purpose(ledger, live), _purpose(rehearsal_path, rehearsal)
    counts = {"alike": 0, "unrehearsed": 0, "not_yet": 0}
    differences: dict[tuple[Ending, Ending], Difference] = {}
    known = None if now.sha256 == then.sha256 else _known_by_id(now, live, then, rehearsal)
    for line, rehearsed in _by_row(live, rehearsal) if known is None else _by_id(live, known):
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
        matched_by="row" if known is None else "id", sources=(name_of(now), name_of(then)),
        rehearsed_only=0 if known is None else len(known.keys() - {line.source_id for line in live.lines()}),
        differences=ordered, otherwise=tuple(_otherwise(then, now)),
    )  # fmt: skip


def tabled(found: Comparison) -> list[str]:
    """The comparison as a person reads it."""
    differ = sum(d.count for d in found.differences)
    pairs = [("now", f"{found.account} ({found.ledger})"), ("rehearsed", f"{found.rehearsed_on} ({found.rehearsal})")]
    pairs += [("alike", f"{found.alike:,}"), ("different", f"{differ:,}")]
    others = (
        ("not rehearsed", found.unrehearsed),
        ("only rehearsed", found.rehearsed_only),
        ("not sent yet", found.not_yet),
    )
    pairs += [(name, f"{count:,}") for name, count in others if count]
    lines = [*aligned(pairs)]
    if found.matched_by == "id":
        now, then = found.sources
        lines.insert(
            0, f"the sources differ ({now} now, {then} in the rehearsal), so rows are matched by their own ids"
        )
    if found.differences:
        cells = [(_said(d.rehearsed), _said(d.now), f"{d.count:,}", _rows(d)) for d in found.differences]
        lines += ["rows that ended otherwise:", *grid(("in the rehearsal", "now", "rows", "first rows"), cells)]
    if found.otherwise:
        lines += ["asked for otherwise:", *grid(("what", "in the rehearsal", "now"), found.otherwise)]
    if not found.differences and not any(count for _, count in others):
        lines.append("every row ended as it was rehearsed")
    return lines


def described(found: Comparison) -> dict[str, Any]:
    """The comparison as values for a program."""
    return {
        "ledger": found.ledger,
        "rehearsal": found.rehearsal,
        "account": found.account,
        "rehearsed_on": found.rehearsed_on,
        "matched_by": found.matched_by,
        "alike": found.alike,
        "different": sum(d.count for d in found.differences),
        "unrehearsed": found.unrehearsed,
        "rehearsed_only": found.rehearsed_only,
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


def _by_row(live: Reader, rehearsal: Reader) -> Iterator[tuple[Line, Line | None]]:
    """Each row of the import with its rehearsed self, in row order, where both are of one source."""
    others = rehearsal.lines()
    yield from ((line, next(others, None)) for line in live.lines())


def _by_id(live: Reader, known: Mapping[str, Line]) -> Iterator[tuple[Line, Line | None]]:
    """Each row of the import with the rehearsed row of the same id, in row order."""
    yield from ((line, known.get(line.source_id) if line.source_id is not None else None) for line in live.lines())


def _known_by_id(now: Purpose, live: Reader, then: Purpose, rehearsal: Reader) -> Mapping[str, Line]:
    """The rehearsed rows by their ids, of a source that is another one; it must be about the same people all the same."""
    sources = f"the ledgers are of different sources ({name_of(now)} and, of the rehearsal, {name_of(then)})"
    if not (_key(now) and _key(then)):
        raise LedgerRefuses(
            f"{sources} and without --key, so nothing tells which rows belong together; rehearse the same file."
        )
    known = {line.source_id: line for line in rehearsal.lines() if line.source_id is not None}
    shared, same = _same_people(_by_id(live, known), now.hash_emails or then.hash_emails)
    if 2 * same < shared or not shared:
        raise LedgerRefuses(
            f"{sources}, and of the {counted(shared, 'id')} that both have {counted(same, 'belongs', 'belong')} to the same "
            "e-mail address, so they are about other people; rehearse the same file."
        )
    return known


def _same_people(pairs: Iterator[tuple[Line, Line | None]], hashed: bool) -> tuple[int, int]:
    """How many rows have a namesake in the rehearsal, and how many of those its e-mail, as far as both tell theirs."""
    shared = same = 0
    for line, other in pairs:
        if other is not None:
            shared += 1
            known = line.email is not None and other.email is not None and not hashed
            same += not known or email_key(line.email or "") == email_key(other.email or "")
    return shared, same


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
