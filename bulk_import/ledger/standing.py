"""Where single rows stand: which of them has an e-mail, a method or a customer, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bulk_import.ledger.chunks import chunks, marks
from bulk_import.ledger.database import Query
from bulk_import.ledger.views import ORPHAN, Fate, Owner
from bulk_import.model import Status

_OWNERS = "SELECT owned_key, number, status, generation FROM entry WHERE owned_key IN ({marks})"
_METHOD_OWNERS = "SELECT owned_method, number, line FROM entry WHERE status <> 'pending' AND owned_method IN ({marks})"
_CUSTOMER_OWNERS = "SELECT customer_id, number FROM entry WHERE customer_id IN ({marks})"
_MADE = "SELECT customer_id, owned_key FROM entry WHERE +status = 'created' AND number IN ({marks})"
_NEXT_GENERATIONS = "SELECT number, generation + (status <> 'pending') FROM entry WHERE number IN ({marks})"
_FATES = f"""
SELECT e.number, e.status, e.source_id, e.status IN ('failed', 'invalid') OR ({ORPHAN})
FROM entry e LEFT JOIN entry o ON o.number = e.owner WHERE e.number IN ({{marks}})
"""  # noqa: S608 - a constant
_FOLLOWED_KEYS = """
SELECT e.number, o.owned_key FROM entry e JOIN entry o ON o.number = e.owner
WHERE e.status = 'duplicate' AND e.number IN ({marks})
"""

_HELD = (
    "SELECT customer_id FROM entry WHERE status = 'created' LIMIT ?",
    "SELECT customer_id FROM entry WHERE status = 'updated' LIMIT ?",
    "SELECT customer_id FROM entry WHERE status = 'existing' LIMIT ?",
    "SELECT target FROM entry WHERE status IN ('claimed', 'in_doubt') AND target IS NOT NULL LIMIT ?",
    "SELECT target FROM image LIMIT ?",
)


def owners(ask: Query, owned_keys: Iterable[str]) -> dict[str, Owner]:
    """Who owns each of these e-mails."""
    return {key: Owner(row, Status(status), g) for key, row, status, g in _found(ask, _OWNERS, list(owned_keys))}


def method_owners(ask: Query, owned_methods: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Which row, on which line, has each of these payment methods."""
    return {method: (row, line) for method, row, line in _found(ask, _METHOD_OWNERS, owned_methods)}


def owners_of_customers(ask: Query, ids: Sequence[str]) -> dict[str, int]:
    """Which row is mapped to each of these customers."""
    return dict(_found(ask, _CUSTOMER_OWNERS, ids))


def made_customers(ask: Query, rows: Sequence[int]) -> dict[str, str | None]:
    """The customers that these rows have created, and what stands for the e-mail of each."""
    return dict(_found(ask, _MADE, rows))


def held_customers(ask: Query, most: int) -> list[str]:
    """Up to so many customers of each kind that the ledger holds, those it created first."""
    return list(dict.fromkeys(found for query in _HELD for (found,) in ask(query, (most,))))


def next_generations(ask: Query, rows: Sequence[int]) -> dict[int, int]:
    """The generation of the next claim of each of these rows, as far as there is one."""
    return dict(_found(ask, _NEXT_GENERATIONS, rows))


def fates(ask: Query, rows: Sequence[int]) -> dict[int, Fate]:
    """What became of each of these rows that was looked at."""
    found = _found(ask, _FATES, rows)
    return {row: Fate(Status(status), own_id, bool(refused)) for row, status, own_id, refused in found}


def followed_keys(ask: Query, rows: Sequence[int]) -> dict[int, str | None]:
    """What stands for the e-mail of the row that each duplicate among these follows."""
    return dict(_found(ask, _FOLLOWED_KEYS, rows))


def _found(ask: Query, query: str, values: Sequence[Any]) -> Iterator[Any]:
    for chunk in chunks(values):
        yield from ask(query.format(marks=marks(chunk)), chunk)
