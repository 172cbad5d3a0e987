"""How many customers an account has, as far as it matters: search counts exactly up to 10,000 (Stripe facts, section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bulk_import.existing.directory import Ask
from bulk_import.existing.search import REFUSALS
from bulk_import.existing.slices import FIRST_CUSTOMER
from bulk_import.model import Endpoint, Reply, Request

EXACT = 10_000
"""`total_count` is exact below this, and a lower bound from there."""

TRIES = 3
"""Server errors in a row after which search counts as not available."""

SICK = (500, 502, 503)


@dataclass(frozen=True, slots=True)
class Size:
    """How many customers there are; with `at_least`, perhaps many more; None where search does not count."""

    customers: int | None
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """A range of `created` with more customers than search counts."""

    low: int
    high: int


async def size_of_account(ask: Ask, now: int, enough: int, budget: int) -> Size | None:
    """Count with one request and, beyond 10,000, with up to *budget* more over slices of `created`; None without search.

    Counting stops once there are more than *enough*: how many more does not matter then.
    """
    reply = await _probe(ask, "created>0")
    if reply.status != 200:
        return None
    total = _total(reply)
    if total is None or total < EXACT:
        return Size(total)
    counted, full = 0, [Range(FIRST_CUSTOMER, now + 1)]
    while full and budget > 0 and counted + EXACT * len(full) <= enough:
        widest = max(full, key=lambda r: r.high - r.low)
        if widest.high - widest.low < 2:
            break
        halves = await _count_halves(ask, widest)
        if halves is None:
            break
        full.remove(widest)
        budget -= 1 if halves[1][1] == 0 else 2
        counted += sum(found for _, found in halves if found < EXACT)
        full += [half for half, found in halves if found >= EXACT]
    return Size(max(total, counted + EXACT * len(full)), at_least=bool(full))


async def customers_since(ask: Ask, since: int) -> int | None:
    """How many customers search knows of that were created since then, with one request; None where it does not say."""
    return _total(await _probe(ask, f"created>={since}"))


async def _count_halves(ask: Ask, whole: Range) -> list[tuple[Range, int]] | None:
    """Both halves of a full range with their counts, the older one last; where that is empty, the newer one is full."""
    middle = (whole.low + whole.high) // 2
    newer, older = Range(middle, whole.high), Range(whole.low, middle)
    before = _total(await _probe(ask, f"created>={older.low} AND created<{older.high}"))
    if before == 0:
        return [(newer, EXACT), (older, 0)]
    after = _total(await _probe(ask, f"created>={newer.low} AND created<{newer.high}"))
    return None if before is None or after is None else [(newer, after), (older, before)]


async def _probe(ask: Ask, query: str) -> Reply:
    params: Mapping[str, object] = {"query": query, "limit": 1, "expand": ["total_count"]}
    request = Request(Endpoint.SEARCH, "GET", "/v1/customers/search", params)
    for _ in range(TRIES - 1):
        reply = await ask(request, accept=(400, *REFUSALS, *SICK))
        if reply.status not in SICK:
            return reply
    return await ask(request, accept=(400, *REFUSALS, *SICK))


def _total(reply: Reply) -> int | None:
    body = reply.body if reply.status == 200 and isinstance(reply.body, Mapping) else {}
    total, data = body.get("total_count"), body.get("data")
    if isinstance(total, int):
        return total
    return len(data) if body.get("has_more") is False and isinstance(data, list) else None
