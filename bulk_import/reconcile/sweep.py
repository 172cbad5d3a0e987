"""Asks Stripe what became of doubtful rows, by as few lists as show every customer of theirs."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bulk_import.change import difference, known_as, overtaken, own_of
from bulk_import.customer_parts import METHOD, SHARED, expansions
from bulk_import.existing import Ask, Offload, Piece, Together, attached_since, is_attached, pages, reread
from bulk_import.ledger import Listed
from bulk_import.model import (
    Claim,
    Customer,
    Failed,
    Params,
    Refusal,
    Row,
    Updated,
    row_of,
)
from bulk_import.reconcile.claims import Generations, next_generation
from bulk_import.reconcile.judging import NO_EMAIL, Absent, Case, Evidence, Found, Judge, Verdict
from bulk_import.reconcile.scope import Scope, came_since

AT_ONCE = 16
"""Look-ups by e-mail side by side."""


JUST_BEFORE = 10
"""Seconds before claims from which on is listed who came while they rested; whoever came earlier was looked for by then.

So a stranger is missed only if lists begin to show him later than that after his `created`; Stripe's show him at once. Our
own creates may: they are sent again under keys that still protect, and absence is judged by lists of `OVERLAP` before.
"""


@dataclass(frozen=True, slots=True)
class Look:
    """When a look began (wall clock, seconds), and whether it went by e-mail."""

    began: float
    by_email: bool = False


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is left to send of an update; `instead` is what becomes of the row where its customer is another person's by now."""

    claim: Claim
    instead: Failed | None

    def judged(self, verdict: Verdict) -> Verdict:
        """What becomes of it, given what would if its customer were still the same person's."""
        if self.instead is None or not isinstance(verdict, Absent):
            return verdict
        return Found(self.claim, self.instead)


@dataclass(frozen=True, slots=True)
class _Span:
    """Everybody is listed who came from `since` to `until` (by Stripe's clock), at last by `look`.

    A look by e-mail lists nobody else, so `since` is infinite after it.
    """

    since: float
    until: float
    look: Look


class Sweep:
    """Asks Stripe what became of doubtful rows; `owned` tells which of these customers belong to which row.

    First whatever may be a customer of theirs is listed, once for all of them, into the ledger's own table; then they
    are judged, some at a time. `passed` tells a moment that Stripe's clock has surely passed; where none is known, everybody is listed.
    """

    def __init__(
        self,
        case: Case,
        ask: Ask,
        together: Together,
        offload: Offload,
        listed: Listed,
        owned: Callable[[Sequence[str]], Awaitable[Mapping[str, int]]],
        key: Callable[[str], str],
        now: Callable[[], float],
        passed: Callable[[], float | None],
    ) -> None:
        self._span: _Span | None = None
        self._case = case
        self._ask = ask
        self._together = together
        self._offload = offload
        self._listed = listed
        self._owned = owned
        self._key = key
        self._now = now
        self._passed = passed

    async def look(self, scope: Scope) -> Look:
        """List whatever may be a customer of the claims in *scope*, and forget what was listed before."""
        self._span = None
        await self._offload(self._listed.begin)
        look, until = Look(self._now(), scope.is_cheaper_by_email), self._passed() or 0.0
        await self._gather(scope.lists(by_email=look.by_email))
        self._span = _Span(math.inf if look.by_email else scope.since, until, look)
        return look

    async def look_on(self, since: float, life: float) -> Look:
        """List who came since then (by Stripe's clock), in addition to what was listed before; unless that is enough.

        It is for *life* seconds. That proves nobody's absence: `look` begins ten minutes earlier, which takes many more
        pages of our own creates.
        """
        span = self._span
        if span is None or not span.since <= since <= span.until:  # whoever came in a gap is nothing to these claims
            return await self._list_on(since, since)
        if 0 <= self._now() - span.look.began <= life:
            return span.look
        return await self._list_on(span.since, span.until)

    async def _list_on(self, since: float, start: float) -> Look:
        """List who came from *start* on; everybody is listed from *since* to then."""
        await self._offload(partial(self._listed.begin, anew=False))
        look, until = Look(self._now()), self._passed() or 0.0
        await self._gather([came_since(start - JUST_BEFORE)])
        self._span = _Span(since, until, look)
        return look

    async def newcomers(self, rows: Sequence[Row]) -> list[Customer]:
        """Who has come in the name or with the e-mail of these rows since a look has shown them absent, oldest first.

        Each has what e-mails are compared by in the place of its own.
        """
        span = self._span
        await (self._list_on(0.0, 0.0) if span is None else self._list_on(span.since, span.until))
        keys = {row.email_key for row in rows if row.email_key is not None}
        found = await self._offload(self._listed.of, [row.number for row in rows], sorted(keys))
        return sorted(found, key=lambda customer: (customer.created, customer.id))

    async def judge(self, look: Look, claims: Sequence[Claim], generations: Generations) -> list[Verdict]:
        """Judge every one of *claims*, all of them in the scope of *look*; those of updates by re-reading their target.

        Who is absent by e-mail is looked for in time, too, and the other way round: an e-mail may have been changed
        since, and a clock may be wrong.
        """
        creates = [claim for claim in claims if claim.target is None]
        verdicts = await self.judge_by_lists(look, creates, generations)
        absent = [claim for claim, verdict in zip(creates, verdicts, strict=True) if isinstance(verdict, Absent)]
        if absent:
            scope, until = Scope.of(absent), self._passed() or 0.0
            await self._gather(scope.lists(by_email=not look.by_email, with_clocks=False))
            if look.by_email:
                self._span = _Span(scope.since, until, look)
            judged = await self.judge_by_lists(look, absent, generations)
            again = {claim.row: verdict for claim, verdict in zip(absent, judged, strict=True)}
            verdicts = [again.get(claim.row, verdict) for claim, verdict in zip(creates, verdicts, strict=True)]
        judge = self._judge(look, (), {})
        updates = [c for c in claims if c.target is not None]
        return verdicts + [await self._reread(c, judge, generations.of(c.row)) for c in updates]

    async def judge_by_lists(self, look: Look, creates: Sequence[Claim], generations: Generations) -> list[Verdict]:
        """Judge *creates* by what was listed, and nothing else."""
        keys = {NO_EMAIL if claim.email_key is None else claim.email_key for claim in creates}
        found = await self._offload(self._listed.of, [claim.row for claim in creates], sorted(keys))
        judge = self._judge(look, found, await self._owned([customer.id for customer in found]))
        return [judge.verdict(claim, self._now(), generations.of(claim.row)) for claim in creates]

    def _judge(self, look: Look, found: Sequence[Customer], owned: Mapping[str, int]) -> Judge:
        case = self._case
        evidence = Evidence(found, look.began, case.process_started, case.deadline, owned, case.clock_jumped)
        return Judge(case.token, evidence, self._key)

    async def _gather(self, lists: Sequence[Params]) -> None:
        await self._together([partial(self._list, params) for params in lists], AT_ONCE)

    async def _list(self, params: Params) -> Sequence[Piece]:
        async for page in pages(self._ask, params):
            rows = [row_of(customer.marker, self._case.token) for customer in page]
            keys = [self._key(customer.email) if customer.email else NO_EMAIL for customer in page]
            await self._offload(self._listed.keep, page, rows, keys)
        return ()

    async def overtaken(self, claims: Sequence[Claim]) -> list[Claim]:
        """Those of these updates whose target somebody has changed since they were claimed: where they write, or its e-mail."""
        found: list[Claim] = []

        async def look(claim: Claim) -> Sequence[Piece]:
            customer = await reread(self._ask, claim.target or "", expansions(claim.params))
            params = known_as(claim.params, claim.attached)
            if customer is not None and (
                self._is_anothers(claim, customer) or overtaken(params, claim.before, customer.raw)
            ):
                found.append(claim)
            return ()

        await self._together([partial(look, claim) for claim in claims], AT_ONCE)
        return sorted(found, key=lambda claim: claim.row)

    async def renewed(self, claims: Sequence[Claim]) -> list[Verdict]:
        """Judge updates of which no attempt can act any more: what is left of them goes out under a new key."""
        verdicts: list[Verdict] = []
        for claim in claims:
            left = await self._left(claim)
            if isinstance(left, Found):
                verdicts.append(left)
            else:
                verdicts.append(left.judged(Absent(next_generation(left.claim, self._case.token, self._now()))))
        return verdicts

    async def _reread(self, claim: Claim, judge: Judge, generations: int) -> Verdict:
        """Judge a doubtful update by its target alone: it either is as the claim says, or something is left to send."""
        left = await self._left(claim)
        return left if isinstance(left, Found) else left.judged(judge.absence(left.claim, self._now(), generations))

    async def _left(self, claim: Claim) -> Found | _Rest:
        """The claim with what is left to send of it, over what is there now."""
        claim = await self._with_method(claim)
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
        return _Rest(
            replace(claim, params=left.params, before=left.before),
            _another_person(target) if self._is_anothers(claim, customer) else None,
        )

    async def _with_method(self, claim: Claim) -> Claim:
        """The claim with the id that its shared test method got, if an attempt whose answer was lost has attached it."""
        if (
            claim.attached is not None
            or claim.stripe_time is None
            or not str(claim.params.get(METHOD)).startswith(SHARED)
        ):
            return claim
        return replace(claim, attached=await attached_since(self._ask, claim.target or "", claim.stripe_time))

    def _is_anothers(self, claim: Claim, customer: Customer) -> bool:
        """Whether the target of an update has not the e-mail any more by which it was found."""
        return claim.email_key is not None and (customer.email is None or self._key(customer.email) != claim.email_key)


def _another_person(target: str) -> Failed:
    why = (
        f"{target} has another e-mail by now, so it may be somebody else's, and nothing more was sent to it; what was sent "
        "before stays, and undo takes it back; retry looks again for who is there"
    )
    return Failed(Refusal("overtaken", "email_changed", "email", why))
