"""Asks Stripe what became of doubtful rows, by as few lists as show every customer of theirs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from bulk_import.change import METHOD, difference, expansions, known_as, overtaken, own_of
from bulk_import.existing import Ask, Piece, Together, is_attached, pages, reread
from bulk_import.model import (
    Claim,
    Customer,
    Failed,
    Params,
    Refusal,
    Updated,
)
from bulk_import.reconcile.claims import next_generation
from bulk_import.reconcile.judging import OVERLAP, Absent, Evidence, Found, Judge, Verdict

BY_EMAIL = 25
"""Up to so many doubtful rows are looked for by e-mail, one request each, instead of by a window of time."""


AT_ONCE = 16
"""Look-ups by e-mail side by side."""


JUST_BEFORE = 10
"""Seconds before claims from which on is listed who came while they rested; whoever came earlier was looked for by then."""


class Sweep:
    """Asks Stripe what became of doubtful rows; `owned` tells which of these customers belong to which row."""

    def __init__(
        self,
        ask: Ask,
        together: Together,
        owned: Callable[[Sequence[str]], Awaitable[Mapping[str, int]]],
        key: Callable[[str], str],
        now: Callable[[], float],
    ) -> None:
        self._ask = ask
        self._together = together
        self._owned = owned
        self._key = key
        self._now = now

    async def look(
        self,
        claims: Sequence[Claim],
        token: str,
        process_started: float,
        deadline: float,
        generations: Mapping[int, int],
        *,
        clock_jumped: bool,
    ) -> list[Verdict]:
        """Judge every one of *claims*; those of updates by re-reading their target.

        Who is absent by e-mail is looked for in time, too, and the other way round: an e-mail may have been changed
        since, and a clock may be wrong.
        """
        began = self._now()
        creates = [claim for claim in claims if claim.target is None]
        by_email = _is_cheaper_by_email(creates)
        found: dict[str, Customer] = {}

        async def judged(some: Sequence[Claim]) -> list[Verdict]:
            owned = await self._owned(list(found))
            evidence = Evidence(list(found.values()), began, process_started, deadline, owned, clock_jumped)
            judge = Judge(token, evidence, self._key)
            return [judge.verdict(claim, self._now(), generations.get(claim.row, 0)) for claim in some]

        await self._gather(_lists(creates, by_email=by_email), found)
        verdicts = await judged(creates)
        absent = [claim for claim, verdict in zip(creates, verdicts, strict=True) if isinstance(verdict, Absent)]
        if absent:
            await self._gather(_lists(absent, by_email=not by_email, clocks=False), found)
            again = {claim.row: verdict for claim, verdict in zip(absent, await judged(absent), strict=True)}
            verdicts = [again.get(claim.row, verdict) for claim, verdict in zip(creates, verdicts, strict=True)]
        judge = Judge(token, Evidence((), began, process_started, deadline, {}, clock_jumped), self._key)
        updates = [c for c in claims if c.target is not None]
        return verdicts + [await self._reread(c, judge, generations.get(c.row, 0)) for c in updates]

    async def who_came(
        self, claims: Sequence[Claim], token: str, process_started: float, deadline: float
    ) -> list[Verdict]:
        """Judge creates that were claimed minutes ago by one list of who came since; it proves nobody's absence.

        `look` begins ten minutes earlier, which takes many more pages of our own creates.
        """
        began = self._now()
        found: dict[str, Customer] = {}
        since = min(int(c.claimed_at) - OVERLAP if c.stripe_time is None else int(c.stripe_time) for c in claims)
        await self._gather([{"created": {"gte": since - JUST_BEFORE}}], found)
        owned = await self._owned(list(found))
        judge = Judge(token, Evidence(list(found.values()), began, process_started, deadline, owned), self._key)
        return [judge.verdict(claim, self._now(), 0) for claim in claims]

    async def _gather(self, lists: Sequence[Params], found: dict[str, Customer]) -> None:
        await self._together([partial(self._list, params, found) for params in lists], AT_ONCE)

    async def _list(self, params: Params, found: dict[str, Customer]) -> Sequence[Piece]:
        async for page in pages(self._ask, params):
            found.update((customer.id, customer) for customer in page)
        return ()

    async def overtaken(self, claims: Sequence[Claim]) -> list[Claim]:
        """Those of these updates whose target somebody has changed since they were claimed, where they write."""
        found: list[Claim] = []

        async def look(claim: Claim) -> Sequence[Piece]:
            customer = await reread(self._ask, claim.target or "", expansions(claim.params))
            params = known_as(claim.params, claim.attached)
            if customer is not None and overtaken(params, claim.before, customer.raw):
                found.append(claim)
            return ()

        await self._together([partial(look, claim) for claim in claims], AT_ONCE)
        return sorted(found, key=lambda claim: claim.row)

    async def renewed(self, claims: Sequence[Claim], token: str) -> list[Verdict]:
        """Judge updates of which no attempt can act any more: what is left of them goes out under a new key."""
        verdicts: list[Verdict] = []
        for claim in claims:
            left = await self._left(claim)
            verdicts.append(left if isinstance(left, Found) else Absent(next_generation(left, token, self._now())))
        return verdicts

    async def _reread(self, claim: Claim, judge: Judge, generations: int) -> Verdict:
        """Judge a doubtful update by its target alone: it either is as the claim says, or something is left to send."""
        left = await self._left(claim)
        return left if isinstance(left, Found) else judge.absence(left, self._now(), generations)

    async def _left(self, claim: Claim) -> Found | Claim:
        """The claim with what is left to send of it, over what is there now."""
        wanted = known_as(own_of(claim.params, claim.before), claim.attached)
        target = claim.target or ""
        customer = await reread(self._ask, target, expansions(wanted))
        if customer is None:
            gone = f"{target} was deleted before its update was seen done; retry looks again for who is there"
            return Found(claim, Failed(Refusal("invalid_request_error", "resource_missing", "id", gone)))
        method = wanted.get(METHOD)
        attached = method is not None and await is_attached(self._ask, method, target)
        left = difference(wanted, customer.raw, attached=attached)
        if left.is_empty:
            return Found(claim, Updated(target, note=claim.note))
        return replace(claim, params=left.params, before=left.before)


def _is_cheaper_by_email(claims: Sequence[Claim]) -> bool:
    return all(c.email for c in claims) and len({c.email for c in claims}) <= BY_EMAIL


def _lists(claims: Sequence[Claim], *, by_email: bool, clocks: bool = True) -> list[Params]:
    """The lists that show every customer of these claims; one on a test clock appears only in that clock's own."""
    plain = [c for c in claims if not c.params.get("test_clock")]
    if by_email:
        lists: list[Params] = [{"email": email} for email in sorted({c.email for c in plain if c.email})]
    else:
        lists = [_window(plain)] if plain else []
    on_clocks = {clock for c in claims if (clock := c.params.get("test_clock"))} if clocks else set()
    return lists + [{"test_clock": clock} for clock in sorted(on_clocks)]


def _window(claims: Sequence[Claim]) -> Params:
    """List from the oldest doubtful claim on; without Stripe's own time for it, everything."""
    times = [claim.stripe_time for claim in claims]
    if any(time is None for time in times):
        return {}
    return {"created": {"gte": int(min(time for time in times if time is not None)) - OVERLAP}}
