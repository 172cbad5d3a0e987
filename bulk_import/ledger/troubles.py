"""Rows without a customer, put together by what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bulk_import.ledger.views import ORPHAN

_GROUPS = """
SELECT status, error_type, error_code, error_param, count(*) FROM entry
WHERE status IN ('failed', 'invalid', 'in_doubt', 'claimed')
GROUP BY status, error_type, error_code, error_param ORDER BY count(*) DESC, min(number)
"""
_PLACES = """
SELECT number, line, email, error_message FROM entry
WHERE status = ? AND error_type IS ? AND error_code IS ? AND error_param IS ? ORDER BY number LIMIT ?
"""
_FOLLOWING = f"FROM entry e JOIN entry o ON o.number = e.owner WHERE {ORPHAN}"
_ORPHANS = f"SELECT e.number, e.line, e.email, NULL {_FOLLOWING} ORDER BY e.number LIMIT ?"
_COUNT = f"SELECT count(*) {_FOLLOWING}"
MOST = 100
"""Groups whose rows are named; a file with more kinds of trouble than that is told by the first of them."""


@dataclass(frozen=True, slots=True)
class Place:
    """One row of a trouble; e-mail and message are personal data."""

    row: int
    line: int | None
    email: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Rows of one status with one error; duplicates of failed rows have the code `owner-failed`."""

    status: str
    type: str | None
    code: str | None
    param: str | None
    count: int
    places: tuple[Place, ...]


def troubles(ask: Callable[[str, Sequence[Any]], list[Any]], places: int) -> list[Trouble]:
    """Every group with its first *places* rows; *ask* carries out one query."""
    found: list[Trouble] = []
    for status, type_, code, param, count in ask(_GROUPS, ())[:MOST]:
        rows = _places(ask(_PLACES, (status, type_, code, param, places)))
        found.append(Trouble(_shown(status), type_, code, param, count, rows))
    if orphans := ask(_COUNT, ())[0][0]:
        rows = _places(ask(_ORPHANS, (places,)))
        found.append(Trouble("duplicate", None, "owner-failed", None, orphans, rows))
    return found


def _shown(status: str) -> str:
    """A claim at rest shows as in doubt."""
    return "in_doubt" if status == "claimed" else status


def _places(rows: list[Any]) -> tuple[Place, ...]:
    return tuple(Place(*row) for row in rows)
