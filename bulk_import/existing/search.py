"""`--dedupe search`: ten e-mails in one query; it lags, so the last two hours are listed besides."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from bulk_import.customer.emails import spellings
from bulk_import.existing.confirming import confirmed
from bulk_import.existing.directory import Directory, Matches, Means, Piece
from bulk_import.existing.newest import Newest, known
from bulk_import.existing.pages import PAGE, by_key, customers_on, goes_nowhere, has_more
from bulk_import.existing.snapshot import Snapshot
from bulk_import.model import Customer, Endpoint, Request, Row
from bulk_import.replies import NOT_SERVED, refusal_of

CLAUSES = 10
"""The most clauses of one query (Stripe facts, section 5)."""

LONGEST_QUERY = 5000
"""The most characters of one query."""

AT_ONCE = 16
"""Queries side by side; the gate decides how fast they start."""

LAG = 7200
"""Seconds: search may be an hour late in an outage, so two hours are read by list."""

ODD = 400
"""The answer to a query that search cannot read; it may be one address of the ten."""

REFUSALS = (403, 410, *NOT_SERVED)
"""Answers that only mean: no search for this account or key."""


class NoSearch(Exception):
    """Stripe refuses every search; never leaves this package."""


class Search:
    """Asks for ten addresses at once, in any letter case; reads the whole account once search is refused."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._newest = Newest(means)
        self._instead: Directory | None = None

    async def begin(self) -> None:
        """List what search cannot be trusted to show yet, and see that it shows what the list does."""
        await self._means.offload(self._means.writer.begin_snapshot)
        since = int(self._means.stripe_now()) - LAG
        await self._newest.read_since(since)
        try:
            if not await self._finds_who_is_listed(since):
                await self._list_instead("search does not find customers whom the list shows")
        except NoSearch as refused:
            await self._list_instead(f"search is refused ({refused})")

    async def find(self, rows: Sequence[Row]) -> Matches:
        """A tenth of a request for each row, one for each match, since search shows the deleted for a while, and the newest."""
        if self._instead is not None:
            return await self._instead.find(rows)
        try:
            return await self._find(rows)
        except NoSearch as refused:
            instead = await self._list_instead(f"search is refused ({refused})")
            return await instead.find(rows)

    async def _list_instead(self, why: str) -> Directory:
        self._means.notice("dedupe", f"{why}, so the whole account is listed instead")
        self._instead = Snapshot(self._means)
        await self._instead.begin()
        return self._instead

    async def _finds_who_is_listed(self, before: int) -> bool:
        """Whether one query finds most of ten customers who have been there for long: else it is not to be believed.

        Not each of them: an address that was changed lately may be found by its old spelling for a while.
        """
        params = {"limit": CLAUSES, "created": {"lt": before}}
        reply = await self._means.ask(Request(Endpoint.LIST, "GET", "/v1/customers", params))
        listed = {c.id: c.email for c in customers_on(reply)[:CLAUSES] if c.email and _is_plain(c.email)}
        found: list[Customer] = []
        groups = in_groups(list(dict.fromkeys(listed.values())))
        await self._means.together([partial(self._search, group, found) for group in groups], AT_ONCE)
        return 2 * len(listed.keys() & {customer.id for customer in found}) >= len(listed)

    async def _find(self, rows: Sequence[Row]) -> Matches:
        await self._newest.refresh()
        found: list[Customer] = []
        emails = list(dict.fromkeys(each for row in rows if row.email for each in spellings(row.email)))
        await self._means.together([partial(self._search, group, found) for group in in_groups(emails)], AT_ONCE)
        recent = await known(self._means, rows)
        listed = [c for customers in recent.values() for c in customers]
        everyone = {**recent, **by_key(self._means, [c for c in (*found, *listed) if c.email])}
        return await confirmed(self._means, everyone, frozenset(c.id for c in listed))

    async def _search(self, emails: Sequence[str], found: list[Customer]) -> Sequence[Piece]:
        """Every page of one query; one that cannot be read is halved, since one of its addresses may be the reason."""
        query = " OR ".join(f"email:{quoted(email)}" for email in emails)
        page: dict[str, Any] = {}
        turned: set[str] = set()
        while True:
            params = {"query": query, "limit": PAGE, **page}
            request = Request(Endpoint.SEARCH, "GET", "/v1/customers/search", params)
            reply = await self._means.ask(request, accept=(ODD, *REFUSALS))
            if reply.status == ODD and len(emails) > 1:
                middle = len(emails) // 2
                return [partial(self._search, half, found) for half in (emails[:middle], emails[middle:])]
            if reply.status != 200:
                raise NoSearch(refusal_of(reply).message or f"status {reply.status}")
            found += customers_on(reply)
            if not has_more(reply):
                return ()
            following = reply.body.get("next_page")
            if not isinstance(following, str) or following in turned:
                raise goes_nowhere()
            turned.add(following)
            page = {"page": following}


def in_groups(emails: Sequence[str]) -> list[list[str]]:
    """Addresses that fit into one query each."""
    groups: list[list[str]] = []
    length = 0
    for email in emails:
        clause = len(quoted(email)) + len(" OR email:")
        if not groups or len(groups[-1]) == CLAUSES or length + clause > LONGEST_QUERY:
            groups.append([])
            length = 0
        groups[-1].append(email)
        length += clause
    return groups


def _is_plain(email: str) -> bool:
    """Whether no search should have trouble reading it."""
    return email.isascii() and email.isprintable() and quoted(email) == f'"{email}"'


def quoted(text: str) -> str:
    """A string of the query language: in double quotes, with quotes and backslashes escaped."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
