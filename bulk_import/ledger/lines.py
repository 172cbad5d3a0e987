"""Rows as users see them, in columns of `Line`: every one, those that have a customer, and those that are to be mended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bulk_import.ledger.database import Connection
from bulk_import.ledger.views import ORPHAN, Line

_AT_REST = "it may have been sent, and no answer is written down; run the same command again to settle it"
"""What is said of a claim at rest."""

LINES = f"""
SELECT e.number, e.line, e.source_id, e.email, iif(e.status = 'claimed', 'in_doubt', e.status), coalesce(e.customer_id, o.customer_id), e.owner,
       iif(e.status = 'claimed', 'in_doubt', e.error_type), e.error_code, e.error_param,
       iif(e.status = 'claimed', '{_AT_REST}', e.error_message), e.http_status, e.request_id, e.attempts, e.settled_at
FROM entry e LEFT JOIN entry o ON o.number = e.owner
"""  # noqa: S608 - a text of ours only
MAPPED = """
SELECT e.number, e.source_id, e.email, coalesce(e.customer_id, o.customer_id) AS customer
FROM entry e LEFT JOIN entry o ON o.number = e.owner WHERE customer IS NOT NULL ORDER BY e.number
"""
_FAILED = (
    LINES.replace("FROM entry e", ", p.fields FROM entry e").replace(
        "ON o.number = e.owner", "ON o.number = e.owner LEFT JOIN payload p ON p.number = e.number"
    )
    + f"WHERE e.status IN ('failed', 'invalid') OR ({ORPHAN}) ORDER BY e.number"
)


def failed_lines(db: Connection) -> Iterator[tuple[Line, Mapping[str, Any]]]:
    """Failed and invalid rows and the duplicates of failed owners, in row order, each with its original fields."""
    for found in db.execute(_FAILED):
        yield Line._make(found[:-1]), json.loads(found[-1] or "{}")
