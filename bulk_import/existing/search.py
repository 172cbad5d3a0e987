"""`--dedupe search`: ten e-mails in one query; it lags, so the last two hours are listed besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from bulk_import.existing.directory import Matches, Means, Piece
from bulk_import.existing.newest import Newest, known
from bulk_import.existing.pages import PAGE, by_key, customers_on, goes_nowhere, has_more
from bulk_import.model import Customer, Endpoint, Request, Row

CLAUSES = 10
"""The most clauses of one query (Stripe facts, section 5)."""

AT_ONCE = 16
"""Queries side by side; the gate decides how fast they start."""

LAG = 7200
"""Seconds: search may be an hour late in an outage, so two hours are read by list."""


class Search:
    """Asks for ten addresses at once, in any letter case."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._newest = Newest(means)

    async def begin(self) -> None:
        """List what search cannot be trusted to show yet."""
        await self._means.offload(self._means.writer.begin_snapshot)
        now = self._means.now()
        # Customers carry Stripe's time. Where ours is ahead of it, our last two hours would show nobody.
        await self._newest.read_since(int(min(now, self._means.stripe_time() or now)) - LAG)

    async def find(self, rows: Sequence[Row]) -> Matches:
        """A tenth of a request for each row, and the newest customers."""
        await self._newest.refresh()
        found: list[Customer] = []
        emails = list(dict.fromkeys(row.email.strip() for row in rows if row.email))
        groups = [emails[start : start + CLAUSES] for start in range(0, len(emails), CLAUSES)]
        await self._means.together([partial(self._search, group, found) for group in groups], AT_ONCE)
        recent = await known(self._means, rows)
        everyone = {c.id: c for c in (*found, *(c for customers in recent.values() for c in customers))}
        searched = by_key(self._means, [c for c in everyone.values() if c.email])
        return {**recent, **searched}

    async def _search(self, emails: Sequence[str], found: list[Customer]) -> Sequence[Piece]:
        query = " OR ".join(f"email:{quoted(email)}" for email in emails)
        page: dict[str, Any] = {}
        while True:
            reply = await self._means.ask(
                Request(Endpoint.SEARCH, "GET", "/v1/customers/search", {"query": query, "limit": PAGE, **page})
            )
            found += customers_on(reply)
            following = reply.body.get("next_page") if isinstance(reply.body, Mapping) else None
            if not has_more(reply):
                return ()
            if not isinstance(following, str) or page.get("page") == following:
                raise goes_nowhere()
            page = {"page": following}


def quoted(text: str) -> str:
    """A string of the query language: in double quotes, with quotes and backslashes escaped."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
