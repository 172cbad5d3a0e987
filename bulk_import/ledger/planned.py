"""What a plan has found: rows as a run would leave them, told apart from those that were settled before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from bulk_import.ledger.database import Connection
from bulk_import.model import Status


@dataclass(frozen=True, slots=True)
class Planned:
    """What would become of one row: `verdict` is a status, or `create` or `update` for one that would be sent.

    `settled` ones were so before. `fields` are the parts that an update changes.
    """

    row: int
    line: int
    source_id: str | None
    email: str | None
    verdict: str
    settled: bool
    customer_id: str | None
    duplicate_of: int | None
    fields: tuple[str, ...]
    code: str | None
    message: str | None


_PLANNED = """
SELECT e.number, e.line, e.source_id, e.email, e.status, coalesce(e.customer_id, e.target, o.customer_id, o.target),
       e.owner, i.before, e.error_code, coalesce(e.error_message, i.note), e.target
FROM entry e LEFT JOIN entry o ON o.number = e.owner
LEFT JOIN image i ON i.number = e.number AND i.generation = e.generation
WHERE e.status <> 'pending' ORDER BY e.number
"""


def planned_rows(db: Connection, before: bytearray) -> Iterator[Planned]:
    """Every row that was looked at, in row order."""
    for number, line, own, email, status, customer, owner, parts, code, message, target in db.execute(_PLANNED):
        settled = bool(before[number])
        verdict = "in_doubt" if status == Status.CLAIMED else status
        if status == Status.CLAIMED and not settled:
            verdict = "create" if target is None else "update"
        fields = tuple(json.loads(parts or "{}")) if verdict == "update" else ()
        yield Planned(number, line, own, email, verdict, settled, customer, owner, fields, code, message)
