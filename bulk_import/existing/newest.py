"""The newest customers, read again before each batch, so that a sign-up in hour three is seen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from bulk_import.existing.directory import Matches, Means, Piece
from bulk_import.existing.pages import key_of, pages
from bulk_import.existing.slices import are_within
from bulk_import.model import Customer, Row

OVERLAP = 600
"""Seconds by which one reading overlaps the one before: a customer may show late, under an earlier `created`."""

DEEP = 600.0
"""Seconds between readings of the whole overlap; those in between end at the first page with a known customer.

Most of the newest customers are our own: the overlap alone is one page for each hundred creates of ten minutes, too
many for every batch, and one per cent of the requests every ten minutes.
"""


SOON = 2.5
"""Seconds for which a reading is new enough: half of what a batch takes at the default of 20 a second.

Above that pace one reading serves several batches: nobody waits longer between being looked for and being created than
by default, and the pages of our own newest customers stay at little more than one per cent of the requests.
"""


ONE_BY_ONE = 3
"""Pages that are read one after the other; what is left then is cut by time, since one list shows a few hundred
customers a second at most."""

SIDE_BY_SIDE = 8


class Newest:
    """Keeps the ledger's table of customers up to date from a moment on; `since` is Stripe's own time."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._since = 0
        self._deep_at = self._read_at = float("-inf")
        self._begun = 0
        self._heeds_bounds = True

    def begins_now(self) -> None:
        """Whoever is there is being read anyway; the whole overlap need not be read once more just after that."""
        self._deep_at = self._means.now()
        self._begun = int(self._means.stripe_now())

    async def read_since(self, since: int) -> None:
        """Read every customer created since then."""
        self._since = since
        self.begins_now()
        async for page in pages(self._means.ask, {"created": {"gte": since}}):
            await remember(self._means, page)

    async def refresh(self) -> None:
        """Read what came since the last reading."""
        if 0 <= self._means.now() - self._read_at < SOON:
            return
        snapshot = await self._means.offload(self._means.reader.snapshot)
        newest = snapshot[2] if snapshot else 0
        since = max(newest - OVERLAP, self._since)
        deep = self._means.now() - self._deep_at >= DEEP
        if deep:
            self._deep_at = self._means.now()
        fresh: list[Customer] = []
        reading = partial(self._read, since if deep else newest or self._begun, deep, fresh)
        await self._means.together([partial(reading, since, None)], SIDE_BY_SIDE)
        # All at once: were a reading cut short, its newest page would hide the older ones from the next.
        await remember(self._means, fresh)
        # Counted from its end: a reading that takes that long would otherwise be followed by the next after one batch.
        self._read_at = self._means.now()

    async def _read(self, base: int, deep: bool, fresh: list[Customer], low: int, high: int | None) -> Sequence[Piece]:
        """Read a part of the time, newest first, down to the first page with somebody known; a long rest in parts.

        *base* is the second from which on nobody is known: what is cut lies above it.
        """
        created = {name: at for name, at in (("gte", low), ("lt", high)) if at}
        count = 0
        async for page in pages(self._means.ask, {"created": created} if created else {}):
            known = await self._means.offload(self._means.reader.known_customers, [c.id for c in page])
            fresh += [c.without_raw() for c in page if c.id not in known]
            if known and not deep:
                break
            count += 1
            dates = [customer.created for customer in page]
            oldest = min(dates, default=0)
            self._heeds_bounds &= are_within(dates, low, high)
            if count == ONE_BY_ONE and self._heeds_bounds and (seams := _seams(max(low, base), oldest)):
                rest = partial(self._read, base, deep, fresh)
                return [partial(rest, start, end) for start, end in pairwise([low, *seams, oldest + 1])]
        return ()


def _seams(base: int, oldest: int) -> list[int]:
    """Where to cut the seconds from *base* to *oldest*; the second that was being read is read again."""
    seconds = oldest - base
    parts = min(SIDE_BY_SIDE, seconds) if base > 0 else 1
    return [base + seconds * n // parts for n in range(1, parts)]


async def remember(means: Means, customers: Sequence[Customer]) -> None:
    """Put customers into the ledger's table."""
    if customers:
        keys = [key_of(means, customer) for customer in customers]
        await means.offload(means.writer.remember, customers, keys)


async def known(means: Means, rows: Sequence[Row]) -> Matches:
    """Customers of the ledger's table with the e-mails of *rows*."""
    keys = {row.email_key for row in rows if row.email_key is not None}
    owned = {means.writer.owned_key(key): key for key in keys}
    found = await means.offload(means.reader.customers, [key for key in owned if key is not None])
    return {owned[key] or "": customers for key, customers in found.items()}
