"""Which strategy costs the fewest requests, and what each would cost (`--dedupe auto`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from bulk_import.existing.directory import Directory, Means, Nobody
from bulk_import.existing.lookup import Lookup
from bulk_import.existing.pages import PAGE
from bulk_import.existing.search import CLAUSES, LAG, Search
from bulk_import.existing.size import Size, customers_since, size_of_account
from bulk_import.existing.snapshot import Snapshot, half_read, is_kept
from bulk_import.wording import counted

PROBES = 40
"""Requests that estimating the size of a large account may take, or a tenth of those that the choice is about."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The strategy to use and, for people, why.

    `requests` tells what each strategy would cost in reads, as far as that is known without reading more; `customers`
    is about how many the account has (with `at_least`, perhaps many more), None where nobody asked or nobody knows.
    """

    name: str
    directory: Directory
    reason: str
    requests: Mapping[str, int] = field(default_factory=dict)
    customers: int | None = None
    at_least: bool = False


async def choose(wanted: str, rows: int, means: Means) -> Choice:
    """Build the strategy *wanted*; `auto` probes the account's size and takes the cheapest for *rows* rows."""
    match wanted:
        case "off":
            return Choice("off", Nobody(), "as asked: nobody is looked for", costs(rows, None))
        case "lookup":
            why = f"as asked: about {counted(rows, 'list request')}, exact in letter case"
            return Choice("lookup", Lookup(means), why, costs(rows, None))
        case "snapshot":
            return Choice("snapshot", Snapshot(means), "as asked: the whole account is listed", costs(rows, None))
        case "search":
            return await _search(rows, means)
        case _:
            return await _cheapest(rows, means)


def costs(rows: int, size: Size | None, *, searchable: bool = True) -> dict[str, int]:
    """About how many reads each strategy takes for *rows* rows; those of the newest customers come on top."""
    found = {"off": 0, "lookup": rows}
    if searchable:
        found["search"] = math.ceil(rows / CLAUSES)
    if size is not None and size.customers is not None:
        found["snapshot"] = max(1, math.ceil(size.customers / PAGE))
    return found


async def _search(rows: int, means: Means) -> Choice:
    size = await size_of_account(means.ask, int(means.stripe_now()), enough=0, budget=0)
    if size is None:
        return _without_search(rows, means)
    why = f"as asked: about {counted(math.ceil(rows / CLAUSES), 'search request')}"
    return Choice("search", Search(means), why, costs(rows, size), size.customers, size.at_least)


def _without_search(rows: int, means: Means) -> Choice:
    why = "search is not available here, so the whole account is listed"
    return Choice("snapshot", Snapshot(means), why, costs(rows, None, searchable=False))


async def _cheapest(rows: int, means: Means) -> Choice:
    searching = math.ceil(rows / CLAUSES)
    if await is_kept(means) or await half_read(means):
        why = f"the account was listed within the hour (search would take about {counted(searching, 'request')}, lookup {rows:,})"
        return Choice("snapshot", Snapshot(means), why, {**costs(rows, None), "snapshot": 0})
    enough, budget = max(1, searching) * PAGE, max(PROBES, searching // 10)
    size = await size_of_account(means.ask, int(means.stripe_now()), enough, budget)
    if size is None:
        return _without_search(rows, means)
    requests = costs(rows, size)
    if size.customers is None:
        why = f"the account would not say how many customers it has: search takes {counted(searching, 'request')}, lookup {rows:,}"
        return Choice("search", Search(means), why, requests)
    listing, least = requests["snapshot"], "at least " if size.at_least else ""
    newest = 0
    if searching < listing and not size.at_least:
        # Search reads the last two hours by list, which just after a large import may be most of the account.
        recent = await customers_since(means.ask, int(means.stripe_now()) - LAG)
        newest = math.ceil((recent or 0) / PAGE)
        requests["search"] = searching + newest
    why = (
        f"{least or 'about '}{counted(size.customers, 'customer')}: snapshot would take {least}{counted(listing, 'request')}, "
        f"search {requests['search']:,}{f' ({newest:,} of them for the newest customers)' if newest else ''}, lookup {rows:,}"
    )
    # However many there are beyond what was counted, search costs no more than it says.
    if listing <= max(requests["search"], 1) and not size.at_least:
        directory: Directory = Snapshot(means, float(size.customers))
        return Choice("snapshot", directory, why, requests, size.customers)
    return Choice("search", Search(means), why, requests, size.customers, size.at_least)
