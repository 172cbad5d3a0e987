"""One page of `GET /v1/customers/search`, over an index that lags behind the account."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bulk_import.simulator.catalogue import Book, Catalogue
from bulk_import.simulator.exchange import invalid
from bulk_import.simulator.listing import bounds
from bulk_import.simulator.query import Clause, Query, parse
from bulk_import.simulator.records import Record

COUNTED = 10_000
"""`total_count` is exact up to here."""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of results; `total` is None unless it was asked for."""

    records: list[Record]
    next_page: str | None
    total: int | None


def search(book: Book, text: str, *, limit: int, page: str | None, count: bool, now: float) -> Found:
    """Answer a query, newest customers first."""
    query = parse(text)
    end = len(book) if page is None else _position(page, text)
    index = book.searchable(now)
    numbers = candidates(book, index, query)
    found = list(_first(_matching(index, (number for number in numbers if number < end), query), limit + 1))
    total = sum(1 for _ in _first(_matching(index, numbers, query), COUNTED)) if count else None
    more = len(found) > limit
    return Found(found[:limit], _cursor(found[limit - 1].number, text) if more else None, total)


def candidates(book: Book, index: Catalogue, query: Query) -> list[int] | range:
    """A superset of the matches, newest first: few where an e-mail or a bound on `created` narrows them."""
    exact = [clause for clause in query.clauses if _names_an_email(clause)]
    if query.any_of and len(exact) == len(query.clauses):
        numbers = {number for clause in exact for number in index.with_email(str(clause.value))}
        return sorted(numbers, reverse=True)
    if not query.any_of or len(query.clauses) == 1:
        if exact:
            return index.with_email(str(exact[0].value))[::-1]
        return _created_range(book, query)
    return range(len(book) - 1, -1, -1)


def _names_an_email(clause: Clause) -> bool:
    return clause.field == "email" and clause.operator == ":" and clause.value is not None and not clause.negated


def _created_range(book: Book, query: Query) -> range:
    names = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
    lowest, end = 0, len(book)
    for clause in query.clauses:
        if clause.field == "created" and clause.operator in names and not clause.negated:
            low, high = bounds(book, {names[clause.operator]: clause.value})
            lowest, end = max(lowest, low), min(end, high)
    return range(end - 1, lowest - 1, -1)


def _matching(index: Catalogue, numbers: Iterable[int], query: Query) -> Iterator[Record]:
    wanted = any if query.any_of else all
    for number in numbers:
        record = index.get(number)
        if record is not None and not record.deleted and wanted(matches(clause, record) for clause in query.clauses):
            yield record


def _first(records: Iterator[Record], most: int) -> Iterator[Record]:
    for _, record in zip(range(most), records, strict=False):
        yield record


def matches(clause: Clause, record: Record) -> bool:
    """Whether one clause holds for one customer; a field that is not set matches only `null`."""
    if clause.field == "created":
        return _compare(clause, record.created) != clause.negated
    fields = record.fields.get("metadata", {}) if clause.field == "metadata" else record.fields
    value = fields.get(clause.field if clause.key is None else clause.key)
    if clause.value is None:
        return (value is None) != clause.negated
    held = value is not None and _holds(clause, value.lower())
    return held != clause.negated


def _holds(clause: Clause, value: str) -> bool:
    return str(clause.value) in value if clause.operator == "~" else value == clause.value


def _compare(clause: Clause, created: int) -> bool:
    if clause.value is None:
        return False
    wanted = int(clause.value)
    match clause.operator:
        case ">":
            return created > wanted
        case "<":
            return created < wanted
        case ">=":
            return created >= wanted
        case "<=":
            return created <= wanted
        case _:
            return created == wanted


def _cursor(number: int, text: str) -> str:
    return base64.urlsafe_b64encode(f"{number}:{_digest(text)}".encode()).decode()


def _position(page: str, text: str) -> int:
    try:
        number, _, digest = base64.urlsafe_b64decode(page.encode()).decode().partition(":")
        if digest == _digest(text):
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise invalid("This page cursor does not belong to this query.", "page")


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
