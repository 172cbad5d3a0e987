"""`--dedupe snapshot`: list the whole account once, side by side over slices of `created`, into the ledger.

Whoever runs out of work takes over a part of what somebody else has left. Each page is one commit together with what
is left to read, so that a reading that was cut short goes on from there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from bulk_import.existing.confirming import confirmed
from bulk_import.existing.directory import Matches, Means, Piece
from bulk_import.existing.newest import Newest, known
from bulk_import.existing.pages import GONE, PAGE, Cursor, customers_on, key_of
from bulk_import.existing.slices import are_within, cut, seams
from bulk_import.model import Customer, Endpoint, Request, Row, Slice

PATIENCE = 20
"""Lost cursors after which something else must be the matter."""

LIFE = 3600.0
"""Seconds for which a reading of the whole account, or the last page of one that was cut short, may be used again."""

CURSORS = 16
"""Lists read side by side: enough for the cap of 25 a second where a page takes up to 600 ms."""


class Snapshot:
    """The whole account in the ledger's table, kept for an hour; *customers* is how many there are, where that is known."""

    def __init__(self, means: Means, customers: float = math.inf) -> None:
        self._means = means
        self._newest = Newest(means)
        self._left = customers
        self._open = 0
        self._next_id = 0
        self._lost = 0
        self._heeds_bounds = True
        self._cursors: dict[int, Cursor] = {}
        self._from_before = False

    async def begin(self) -> None:
        """Read every customer, unless an earlier run did within the hour; go on where one was cut short."""
        if await is_kept(self._means):
            self._from_before = True
            return
        if slices := await half_read(self._means):
            self._from_before, self._left = True, math.inf
            self._means.notice("dedupe", "going on with the reading of the account that was cut short")
        else:
            await self._means.offload(self._means.writer.begin_snapshot)
            self._newest.begins_now()
            slices = [Slice(1)]
        self._open, self._next_id = len(slices), max(s.id for s in slices) + 1
        await self._means.together([partial(self._read_page, s) for s in slices], CURSORS)

    async def find(self, rows: Sequence[Row]) -> Matches:
        """No request but for the newest customers; a match read by an earlier process is retrieved first."""
        await self._newest.refresh()
        found = await known(self._means, rows)
        return await confirmed(self._means, found) if self._from_before else found

    async def _read_page(self, mine: Slice) -> Sequence[Piece]:
        """Read one page of a slice; what is left of it, maybe in several slices, comes next."""
        request = Request(Endpoint.LIST, "GET", "/v1/customers", listing(mine))
        reply = await self._means.ask(request)
        if mine.cursor and reply.status in GONE and self._lost < PATIENCE:
            self._lost += 1
            self._cursors.pop(mine.id, None)
            return (partial(self._read_page, replace(mine, cursor=None)),)
        found = customers_on(reply)
        cursor = self._cursors.setdefault(mine.id, Cursor([mine.cursor] if mine.cursor else []))
        goes_on = cursor.follow(reply)
        left = self._divide(mine, cursor.trail[-1] if goes_on else None, found)
        keys = [key_of(self._means, customer) for customer in found]
        await self._means.offload(self._means.writer.read_slice, found, keys, mine, left)
        return [partial(self._read_page, following) for following in left]

    def _divide(self, mine: Slice, cursor: str | None, found: Sequence[Customer]) -> list[Slice]:
        """What is left of a slice after a page of it."""
        self._left -= len(found)
        if cursor is None:
            self._open -= 1
            return []
        dates = [customer.created for customer in found] or [mine.oldest or 0]
        self._heeds_bounds &= are_within(dates, mine.low, mine.high)
        most = CURSORS - self._open if self._heeds_bounds else 0
        at = seams(mine.low, min(dates), max(dates), most, self._left / PAGE)
        rest, others = cut(replace(mine, cursor=cursor, oldest=min(dates)), at, self._next_id)
        self._open += len(others)
        self._next_id += len(others)
        return [rest, *others]


def listing(mine: Slice) -> Mapping[str, Any]:
    """The list request that continues a slice; where its cursor was lost, it begins again with the last second."""
    created = {name: at for name, at in (("gte", mine.low), ("lt", mine.high)) if at is not None}
    if mine.cursor is None and mine.oldest is not None:
        created = {"lte": mine.oldest} | {name: at for name, at in created.items() if name == "gte"}
    params = {"limit": PAGE} | ({"created": created} if created else {})
    return params | ({"starting_after": mine.cursor} if mine.cursor else {})


async def is_kept(means: Means) -> bool:
    """Whether the ledger holds a whole reading of the account that is not too old."""
    last = await means.offload(means.reader.snapshot)
    return last is not None and last[1] is not None and 0 <= means.now() - last[1] < LIFE


async def half_read(means: Means) -> list[Slice]:
    """What is left of a reading that was cut short and is not too old to go on."""
    slices, read_at = await means.offload(means.reader.slices)
    return slices if 0 <= means.now() - read_at < LIFE else []
