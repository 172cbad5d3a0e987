"""`--dedupe snapshot`: list the whole account once, side by side over slices of `created`.

Slices are half-open ranges of whole seconds, so that every customer lies in exactly one of them. Whoever
runs out of work takes the older half of what somebody else has left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bulk_import.existing.directory import Matches, Means, Piece
from bulk_import.existing.newest import Newest, known, remember
from bulk_import.existing.pages import PAGE, Cursor, customer_from, customers_on, key_of
from bulk_import.model import Customer, Endpoint, Reply, Request, Row

LIFE = 3600.0
"""Seconds for which a reading of the whole account may be used again."""

FIRST_CUSTOMER = 1_262_304_000
"""2010-01-01: no Stripe customer is older."""

CURSORS = 8
"""Lists read side by side: at 250 ms a page, eight of them make 32 pages a second, over the cap of 25."""

WORTH_SPLITTING = 3
"""Pages that must be left, by the density of the last one, before half of a slice is given away."""


@dataclass(slots=True)
class Slice:
    """A range of `created` still to be read, newest first: from `low` (included) to `high` (not; None: open)."""

    low: int
    high: int | None
    cursor: Cursor = field(default_factory=Cursor)

    def params(self) -> Mapping[str, Any]:
        """The list request that continues this slice."""
        created = {"gte": self.low} | ({"lt": self.high} if self.high is not None else {})
        return {"limit": PAGE, "created": created, **self.cursor.params()}


def give_away(mine: Slice, oldest: int, newest: int) -> Slice | None:
    """Split off the older half of what *mine* has left after a page that spanned *newest* to *oldest*.

    None when too little is left to be worth a request. The seam is exact: what is given away ends where
    *mine* now begins.
    """
    per_page = max(newest - oldest, 1)
    if oldest - mine.low < WORTH_SPLITTING * per_page or oldest - mine.low < 2:
        return None
    middle = mine.low + (oldest - mine.low) // 2
    older = Slice(mine.low, middle)
    mine.low = middle
    return older


class Snapshot:
    """The whole account in the ledger's table, kept for an hour."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._newest = Newest(means)
        self._slices = 0
        self._from_before = False

    async def begin(self) -> None:
        """Read every customer, unless an earlier run did within the hour."""
        last = await self._means.offload(self._means.reader.snapshot)
        if last and last[1] is not None and 0 <= self._means.now() - last[1] < LIFE:
            self._from_before = True
            return
        await self._means.offload(self._means.writer.begin_snapshot)
        self._slices = 1
        await self._means.together([partial(self._read_page, Slice(FIRST_CUSTOMER, None))], CURSORS)
        await self._means.offload(self._means.writer.finish_snapshot)

    async def find(self, rows: Sequence[Row]) -> Matches:
        """No request but for the newest customers; a match read by an earlier process is retrieved first."""
        await self._newest.refresh()
        found = await known(self._means, rows)
        return await self._confirmed(found) if self._from_before else found

    async def _read_page(self, mine: Slice) -> Sequence[Piece]:
        """Read one page of a slice; what is left of it, maybe in two halves, comes next."""
        reply = await self._means.ask(Request(Endpoint.LIST, "GET", "/v1/customers", mine.params()))
        if mine.cursor.is_gone(reply):
            return (partial(self._read_page, mine),)
        found = customers_on(reply)
        await remember(self._means, found)
        if not mine.cursor.follow(reply):
            self._slices -= 1
            return ()
        dates = [customer.created for customer in found]
        older = give_away(mine, min(dates), max(dates)) if dates and self._slices < CURSORS else None
        if older is None:
            return (partial(self._read_page, mine),)
        self._slices += 1
        return (partial(self._read_page, mine), partial(self._read_page, older))

    async def _confirmed(self, found: Matches) -> Matches:
        sure: set[str] = set()
        asked = [(key, customer) for key, customers in found.items() for customer in customers]
        await self._means.together([partial(self._confirm, key, customer, sure) for key, customer in asked], CURSORS)
        return {key: there for key, some in found.items() if (there := [c for c in some if c.id in sure])}

    async def _confirm(self, key: str, customer: Customer, sure: set[str]) -> Sequence[Piece]:
        """See whether a customer is still there and still has the e-mail it was found by."""
        path = f"/v1/customers/{customer.id}"
        reply: Reply = await self._means.ask(Request(Endpoint.RETRIEVE, "GET", path), accept=(404,))
        now = customer_from(reply.body) if reply.status == 200 and isinstance(reply.body, Mapping) else None
        if now is not None and not now.deleted and key_of(self._means, now) == key:
            sure.add(customer.id)
        else:
            await self._means.offload(self._means.writer.forget, customer.id)
        return ()
