"""Which strategy costs the fewest requests, and what each would cost (`--dedupe auto`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bulk_import.existing.directory import Ask, Directory, Means, Nobody
from bulk_import.existing.lookup import Lookup
from bulk_import.existing.pages import PAGE
from bulk_import.existing.search import CLAUSES, Search
from bulk_import.existing.snapshot import Snapshot
from bulk_import.model import Endpoint, Request

EXACT = 10_000
"""`total_count` is exact below this (Stripe facts, section 5)."""

REFUSALS = (400, 403, 404, 405, 410, 500, 501, 502, 503)
"""Answers to the probe that only mean: no search here."""

WINDOW = 90 * 86_400
"""Seconds of `created` whose count stands for the rest where the account is too large to count."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The strategy to use and, for people, why."""

    name: str
    directory: Directory
    reason: str


async def choose(wanted: str, rows: int, means: Means) -> Choice:
    """Build the strategy *wanted*; `auto` probes the account's size once and takes the cheapest for *rows* rows."""
    match wanted:
        case "off":
            return Choice("off", Nobody(), "as asked: nobody is looked for")
        case "lookup":
            return Choice("lookup", Lookup(means), f"as asked: about {rows} list requests, exact in letter case")
        case "search":
            return Choice("search", Search(means), f"as asked: about {math.ceil(rows / CLAUSES)} search requests")
        case "snapshot":
            return Choice("snapshot", Snapshot(means), "as asked: the whole account is listed")
        case _:
            return await _cheapest(rows, means)


async def _cheapest(rows: int, means: Means) -> Choice:
    customers = await estimate(means.ask, int(means.now()))
    if customers is None:
        return Choice("snapshot", Snapshot(means), "search is not available, so the whole account is listed")
    listing, searching = math.ceil(customers / PAGE), math.ceil(rows / CLAUSES)
    why = f"about {customers} customers: snapshot would take {listing} requests, search {searching}, lookup {rows}"
    if listing <= max(searching, 1):
        return Choice("snapshot", Snapshot(means), why)
    return Choice("search", Search(means), why)


async def estimate(ask: Ask, now: int) -> int | None:
    """How many customers the account has, roughly beyond 10,000; None where search is refused."""
    total = await _count(ask, "created>0")
    if total is None or total < EXACT:
        return total
    # Too many to count: halve the newest window until it can be counted, then assume the density holds.
    span = WINDOW
    recent = await _count(ask, f"created>{now - span}")
    while recent is not None and recent >= EXACT and span > 60:
        span //= 8
        recent = await _count(ask, f"created>{now - span}")
    oldest = await _oldest(ask, now)
    return max(total, int((recent or 0) / span * (now - oldest)))


async def _oldest(ask: Ask, now: int) -> int:
    """About when the account's first customer was created, to a few weeks."""
    low, high = 1_262_304_000, now
    while high - low > 30 * 86_400:
        middle = (low + high) // 2
        if await _count(ask, f"created<{middle}"):
            high = middle
        else:
            low = middle
    return low


async def _count(ask: Ask, query: str) -> int | None:
    params: Mapping[str, object] = {"query": query, "limit": 1, "expand": ["total_count"]}
    reply = await ask(Request(Endpoint.SEARCH, "GET", "/v1/customers/search", params), accept=REFUSALS)
    body = reply.body if reply.status == 200 and isinstance(reply.body, Mapping) else {}
    total = body.get("total_count")
    return total if isinstance(total, int) else None
