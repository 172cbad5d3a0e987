"""The newest customers, read again before each batch, so that a sign-up in hour three is seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from bulk_import.existing.directory import Matches, Means, Piece
from bulk_import.existing.pages import key_of, pages
from bulk_import.existing.slices import are_within
from bulk_import.model import Customer, Row, row_of

OVERLAP = 600
"""Seconds after which every second is read once more: a customer may show late, under an earlier `created`.

Most of the newest customers are our own, a page for each hundred creates. To read ten minutes of them again before each
batch would be far too much, and to do so every ten minutes would have the run stand still meanwhile.
"""

STEP = 5
"""At least so many seconds are read once more at a time."""

HELD = 5_000
"""Customers that are found before they are put into the ledger."""

SOON = 2.5
"""Seconds for which a reading is new enough: half of what a batch takes at the default of 20 a second.

Above that pace one reading serves several batches: nobody waits longer between being looked for and being created than
by default, and the pages of our own newest customers stay at little more than one per cent of the requests.
"""

LONG_READING = 15.0
"""Seconds after whose beginning no reading is new enough: in an outage between two of its pages anybody may have come."""

ODD = 86_400
"""Seconds that no customer is of the future: by none such is told up to when the newest are known."""

ONE_BY_ONE = 3
"""Pages that are read one after the other; what is left then is cut by time, since one list shows a few hundred
customers a second at most."""

SIDE_BY_SIDE = 8


class Newest:
    """Keeps the ledger's table of customers up to date from a moment on; `since` is Stripe's own time.

    One refreshing at a time: each goes on where the one before has ended.
    """

    def __init__(self, means: Means) -> None:
        self._means = means
        self._since = 0
        self._again_from: int | None = None
        self._read_from = self._read_at = float("-inf")
        self._ahead = 0.0
        self._begun = 0
        self._heeds_bounds = self._is_newest_first = True

    def begins_now(self) -> None:
        """Whoever is there is being read anyway; who shows late among them is read once more in ten minutes."""
        self._begun = int(self._means.stripe_now())
        self._again_from = self._begun - OVERLAP

    async def read_since(self, since: int) -> None:
        """Read every customer created since then."""
        self._since = since
        self.begins_now()
        async for page in pages(self._means.ask, {"created": {"gte": since}}):
            await remember(self._means, page, newest_of(self._means, page))

    async def refresh(self) -> None:
        """Read what came since the last reading."""
        began = self._means.now()
        if 0 <= began - self._read_at < SOON and began - self._read_from < LONG_READING:
            return
        snapshot = await self._means.offload(self._means.reader.snapshot)
        newest = snapshot[2] if snapshot else 0
        base = newest or await self._beginning()
        parts = self._parts(newest, base)
        reading = _Reading(self._means, base, self._heeds_bounds, self._is_newest_first, is_dated=newest > 0)
        await self._means.together([reading.piece(part) for part in parts], SIDE_BY_SIDE)
        await reading.end()
        self._heeds_bounds, self._is_newest_first = reading.heeds_bounds, reading.is_newest_first
        # Counted from its end: a reading that takes that long would otherwise be followed by the next after one batch.
        self._read_from, self._read_at = began, self._means.now()

    async def _beginning(self) -> int:
        """From when on to read where no customer tells.

        Without Stripe's clock nobody knows whether ours is ahead, and whom that would hide. Of an account without anybody
        all is read, which is little: a server that lists by no dates can still be filled.
        """
        if self._means.stripe_time() is None or await self._means.offload(self._means.reader.knows_nobody):
            return self._since
        return self._begun

    def _parts(self, newest: int, base: int) -> list[Part]:
        """What is to be read now: the newest and, where it is time, who showed late among those of ten minutes ago."""
        now = self._stripe_now(newest)
        if self._again_from is None:  # an earlier process has read the account, and maybe not to the end
            self._begun, self._again_from = now, now - OVERLAP
            return [Part(max(newest - OVERLAP - 2 * STEP, self._since), None, whole=True)]
        parts = [Part(base, None, whole=False)]
        # A list that knows nothing of `created` shows the whole account each time.
        if now - OVERLAP >= max(self._again_from, self._begun) + (STEP if self._heeds_bounds else OVERLAP):
            parts.append(Part(self._again_from, now - OVERLAP, whole=True))
            self._again_from = now - OVERLAP
        return parts

    def _stripe_now(self, newest: int) -> int:
        """Stripe's clock, which is ahead of ours as far as its customers have been.

        Were it taken for earlier, who shows late would be found late; for later, never. So no `Date` is believed that is
        later than both, nor one that is earlier than a customer.
        """
        now, seen = self._means.now(), self._means.stripe_time()
        self._ahead = max(self._ahead, newest - now)
        there = now + self._ahead
        return int(max(newest, there if seen is None else min(seen, there)))


class Part(NamedTuple):
    """Seconds of `created` to be read, from `low` to before `high`; unless `whole`, down to the first page with somebody known."""

    low: int
    high: int | None
    whole: bool


class _Reading:
    """One reading of some parts of the time; nobody later than *base* was known before it."""

    def __init__(self, means: Means, base: int, heeds_bounds: bool, is_newest_first: bool, *, is_dated: bool) -> None:
        self._means = means
        self._base = base
        self._is_dated = is_dated
        self._newest = 0
        self._found: list[Customer] = []
        self.heeds_bounds = heeds_bounds
        self.is_newest_first = is_newest_first

    def piece(self, part: Part) -> Piece:
        """Read that part."""
        return partial(self._read, part)

    async def end(self) -> None:
        """Put into the ledger who was found last, and only now up to where the newest are known.

        Were that known before, and this reading cut short, the next one would not look for whom it has left.
        """
        await remember(self._means, self._found, self._newest)

    async def _read(self, part: Part) -> Sequence[Piece]:
        """Read a part of the time, newest first; a long rest in parts. What shows others first is read to its end."""
        created = {name: at for name, at in (("gte", part.low), ("lt", part.high)) if at}
        count, above, stops = 0, math.inf, not part.whole
        async for page in pages(self._means.ask, {"created": created} if created else {}):
            dates = [customer.created for customer in page]
            before = await self._take(page)  # within a second lists may have any order
            self.is_newest_first &= _falls(dates, above)
            if not count and self._is_dated and page[:1] == before[:1]:
                stops = False  # it does not begin with the newest who is known
            if before and stops and self.is_newest_first:
                break
            count += 1
            self.heeds_bounds &= are_within(dates, part.low, part.high)
            oldest = above = min(dates, default=0)
            if (
                count == ONE_BY_ONE
                and self.heeds_bounds
                and self.is_newest_first
                and (seams := _seams(part.low, oldest))
            ):
                return [self.piece(Part(*ends, part.whole)) for ends in pairwise([part.low, *seams, oldest + 1])]
        return ()

    async def _take(self, page: Sequence[Customer]) -> list[Customer]:
        """Keep who is new on a page; who on it came before the base, and was known before this reading."""
        known = await self._means.offload(self._known, page)
        self._found += [c.without_raw() for c in page if c.id not in known]
        self._newest = max(self._newest, newest_of(self._means, page))
        if len(self._found) >= HELD:
            found, self._found = self._found, []
            await remember(self._means, found, 0)
        return [c for c in page if c.id in known and c.created < self._base]

    def _known(self, page: Sequence[Customer]) -> set[str]:
        """Who of these was seen before; most are our own, whom the ledger has by their rows, as long as the e-mail is theirs."""
        reader, owned_key = self._means.reader, self._means.writer.owned_key
        if not self.heeds_bounds or not self._is_dated:
            # No date keeps apart who was on an earlier page from whom a row has created since: behind those is who signed up.
            return reader.known_customers([c.id for c in page])
        # Asked for by their rows, which lie side by side in the ledger; to look for their ids, it would have to be read all over.
        made = reader.made_customers([row for c in page if (row := row_of(c.marker)) is not None])
        ours = {c.id for c in page if c.id in made and made[c.id] == owned_key(key_of(self._means, c))}
        return ours | reader.known_customers([c.id for c in page if c.id not in ours])


def _falls(dates: Sequence[int], above: float) -> bool:
    """Whether what comes behind *above* on a list goes from the newest downwards."""
    return not dates or (dates[0] <= above and all(newer >= older for newer, older in pairwise(dates)))


def _seams(base: int, oldest: int) -> list[int]:
    """Where to cut the seconds from *base* to *oldest*; the second that was being read is read again."""
    seconds = oldest - base
    parts = min(SIDE_BY_SIDE, seconds) if base > 0 else 1
    return [base + seconds * n // parts for n in range(1, parts)]


def newest_of(means: Means, customers: Sequence[Customer]) -> int:
    """The newest of these customers, but for those of the future."""
    latest = max(means.now(), means.stripe_time() or 0.0) + ODD
    return max((customer.created for customer in customers if customer.created <= latest), default=0)


async def remember(means: Means, customers: Sequence[Customer], newest: int) -> None:
    """Put customers into the ledger's table, where everybody is known up to the second *newest*."""
    keys = [key_of(means, customer) for customer in customers]
    await means.offload(means.writer.remember, customers, keys, newest)


async def known(means: Means, rows: Sequence[Row]) -> Matches:
    """Customers of the ledger's table with the e-mails of *rows*."""
    keys = {row.email_key for row in rows if row.email_key is not None}
    owned = {means.writer.owned_key(key): key for key in keys}
    found = await means.offload(means.reader.customers, [key for key in owned if key is not None])
    return {owned[key] or "": customers for key, customers in found.items()}
