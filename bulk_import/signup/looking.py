"""Looking for one person, once or until it is clear that nobody comes."""

from __future__ import annotations

import asyncio
from itertools import chain, repeat

from bulk_import.customer.emails import email_key, spellings
from bulk_import.errors import OutOfReach
from bulk_import.existing.pages import customers_on, pages, reread
from bulk_import.existing.search import LAG, quoted
from bulk_import.model import Customer, Endpoint, Request
from bulk_import.replies import NOT_SERVED
from bulk_import.signup.client import Client
from bulk_import.signup.day import Day
from bulk_import.signup.person import Person

LOOKS = (0.0, 0.5, 1.0, 2.0)
"""Seconds before each of the first looks for somebody who is perhaps just being created."""

THEN = 4.0
"""Seconds before each further look."""

A_LOOK = 1.0
"""Seconds of patience that are left for the last look and the create."""

PAGES = 100
"""The most pages of the newest customers that are read for one person."""


async def look(client: Client, person: Person) -> str | None:
    """The oldest customer with this e-mail: exactly as given, in lower case, and in any letter case."""
    for email in dict.fromkeys(each for case in (person.email, person.email.lower()) for each in spellings(case)):
        found = [c async for page in pages(client.ask, {"email": email}) for c in page]
        if theirs := _oldest(found, person):
            return theirs
    return await _search(client, person)


async def look_until(
    client: Client, person: Person, day: Day, seconds: float, patience_ends: float, why: str
) -> str | None:
    """Look until somebody is there; None once a look begun *seconds* from now shows nobody.

    Raises `OutOfReach` with *why* after the first look where patience, a time of the loop's, ends before that.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    for pause in chain(LOOKS, repeat(THEN)):
        await asyncio.sleep(max(0.0, min(pause, until - clock())))
        is_last = clock() >= until
        if found := await look(client, person) or await look_among_newest(client, person, day):
            return found
        if is_last:
            return None
        if until + A_LOOK > patience_ends:
            raise OutOfReach(
                f"{why}; call again in {max(1.0, until - clock()):.0f} s, or have the client wait that long"
            )
    raise AssertionError("there is always another look")


async def look_among_newest(client: Client, person: Person, day: Day) -> str | None:
    """The customers of this day in any letter case, and those of the last hours, since search does not show them yet."""
    since, count = int(min(day.starts_at, client.now() - LAG)), 0
    async for page in pages(client.ask, {"created": {"gte": since}}):
        if theirs := _oldest(page, person):
            return theirs
        count += 1
        if count == PAGES:
            raise OutOfReach(
                f"there are too many new customers to look through for one person ({PAGES} pages); call again"
            )
    return None


async def look_before_a_day(client: Client, person: Person, day: Day) -> str | None:
    """Those whom the last day's keys created in another letter case, while search may not show them yet.

    Within a day the key sees to that. In a busy account only so many pages are read: search is seldom late.
    """
    since, count = int(client.now() - LAG), 0
    if since >= day.opens_at:
        return None
    async for page in pages(client.ask, {"created": {"gte": since, "lte": int(day.opens_at)}}):
        if theirs := _oldest(page, person):
            return theirs
        count += 1
        if count == PAGES:
            break
    return None


async def _search(client: Client, person: Person) -> str | None:
    """In any letter case; an account without a search is asked once."""
    if not client.searches:
        return None
    query = " OR ".join(f"email:{quoted(email)}" for email in spellings(person.email))
    params = {"query": query, "limit": 100}
    reply = await client.ask(Request(Endpoint.SEARCH, "GET", "/v1/customers/search", params), accept=(403, *NOT_SERVED))
    if reply.status != 200:
        client.searches = reply.status == 400  # which is about this address alone
        return None
    for customer in sorted(customers_on(reply), key=lambda c: (c.created, c.id)):
        # Search shows the deleted for a while yet.
        if customer.email and await is_theirs(client, customer.id, person):
            return customer.id
    return None


async def is_theirs(client: Client, customer_id: str, person: Person) -> bool:
    """Whether a customer that a stored answer or a search named is still there and still has this e-mail."""
    shown = await reread(client.ask, customer_id)
    return shown is not None and _oldest([shown], person) is not None


def _oldest(found: list[Customer], person: Person) -> str | None:
    theirs = [c for c in found if c.email and email_key(c.email) == person.email_key]
    return min(theirs, key=lambda c: (c.created, c.id)).id if theirs else None
