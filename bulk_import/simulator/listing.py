"""One page of `GET /v1/customers`: newest first, exact e-mail, bounds on `created`, cursors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bulk_import.simulator.catalogue import Book
from bulk_import.simulator.exchange import invalid, no_such
from bulk_import.simulator.records import Record


def page(book: Book, wanted: Mapping[str, Any]) -> tuple[list[Record], bool]:
    """The customers of one page and whether there are more; *wanted* is cleaned."""
    after, before = wanted.get("starting_after"), wanted.get("ending_before")
    if after is not None and before is not None:
        raise invalid("Give starting_after or ending_before, not both.", "ending_before", "parameters_exclusive")
    lowest, end = bounds(book, wanted.get("created"))
    limit = wanted.get("limit", 10)
    if before is not None:
        lowest = max(lowest, _cursor(book, before, "ending_before") + 1)
        newer = _take(book, wanted, _within(_candidates(book, wanted, lowest, end), lowest, end), limit + 1)
        return newer[:limit][::-1], len(newer) > limit
    if after is not None:
        end = min(end, _cursor(book, after, "starting_after"))
    candidates = _candidates(book, wanted, lowest, end)
    found = _take(book, wanted, _within(reversed(candidates), lowest, end), limit + 1)
    return found[:limit], len(found) > limit


def bounds(book: Book, created: Any) -> tuple[int, int]:
    """The numbers within a `created` filter, as a half-open range."""
    if created is None:
        return 0, len(book)
    if isinstance(created, int):
        created = {"gte": created, "lte": created}
    lowest, end = 0, len(book)
    if "gt" in created:
        lowest = max(lowest, book.first_created_from(created["gt"] + 1))
    if "gte" in created:
        lowest = max(lowest, book.first_created_from(created["gte"]))
    if "lt" in created:
        end = min(end, book.first_created_from(created["lt"]))
    if "lte" in created:
        end = min(end, book.first_created_from(created["lte"] + 1))
    return lowest, end


def _cursor(book: Book, id_: str, param: str) -> int:
    record = book.find(id_)
    if record is None:
        raise no_such("customer", id_, param=param)
    return record.number


def _candidates(book: Book, wanted: Mapping[str, Any], lowest: int, end: int) -> range | list[int]:
    if "email" in wanted:
        return book.current.with_email(wanted["email"].lower())
    if "test_clock" in wanted:
        return book.on_clock(wanted["test_clock"])
    return range(lowest, max(lowest, end))


def _within(numbers: Iterable[int], lowest: int, end: int) -> Iterable[int]:
    return (number for number in numbers if lowest <= number < end)


def _take(book: Book, wanted: Mapping[str, Any], numbers: Iterable[int], most: int) -> list[Record]:
    found: list[Record] = []
    for number in numbers:
        record = book.current.get(number)
        if record is not None and _belongs(record, wanted):
            found.append(record)
            if len(found) == most:
                break
    return found


def _belongs(record: Record, wanted: Mapping[str, Any]) -> bool:
    if record.deleted or record.clock != wanted.get("test_clock"):
        return False
    return "email" not in wanted or record.email == wanted["email"]
