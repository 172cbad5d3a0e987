"""Who has come to Stripe while claims rested, or waited: some were carried out, and some people signed up by themselves."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import TypeGuard

from bulk_import.engine.viewing import VIEW_LIFE
from bulk_import.existing import Matches
from bulk_import.job.common import Common
from bulk_import.job.doubts import Doubts
from bulk_import.model import Claim, Row
from bulk_import.reconcile import Found, Generations, Look, Open, Scope, Sweep, Verdict

REST = 2.5
"""Seconds after which claims at rest are not sent again before somebody has looked who signed up meanwhile.

A run that goes on sends what it looked for as long ago.
"""

LONG_REST = 300.0
"""Seconds after which that look reaches back as far as one that settles doubts."""


class Came:
    """Looks for creates that may have been carried out, and for people who have come meanwhile.

    Of the latter only a person can tell whether it was our own create, so they stay in doubt. Claims without a marker
    take whoever has come with their e-mail, as a sweep would have them: it is their customer either way. `since` is from
    when on (by Stripe's clock) to list for all that rest, whichever of them are asked for first.
    """

    def __init__(self, common: Common, sweep: Sweep, doubts: Doubts) -> None:
        self._engine = common.engine
        self._terms = common.terms
        self._sweep = sweep
        self._doubts = doubts
        self.since = math.inf
        self._kept: set[int] = set()

    def rested(self, claims: Sequence[Claim], now: float) -> list[Claim]:
        """Those that must not be sent again unseen."""
        if self._terms.on_existing == "create":
            return []
        # Where nobody is looked for, the key may be unable to: only after a rest in which much may have happened.
        longest = REST if self._terms.looks else LONG_REST
        return [c for c in claims if c.email_key and self._age(c, now) > longest]

    def _age(self, claim: Claim, now: float) -> float:
        """Seconds since nobody has looked for its person; by Stripe's clock that began to be before it was claimed."""
        told, since = self._engine.stripe_time, claim.stripe_time
        return max(now - claim.claimed_at, told - since if told and since else 0.0)

    async def look_back(self, scope: Scope, pieces: AsyncIterator[Sequence[Claim]]) -> None:
        """Look for claims of long ago as a sweep does, and settle whom it finds."""
        look = await self._sweep.look(scope)
        async for piece in pieces:
            await self._settle(await self._doubts.verdicts(look, piece))

    async def still_to_send(self, claims: Sequence[Claim]) -> list[Claim]:
        """Those of these claims that may go out again now, and when they were looked at."""
        seen: dict[int, float] = {}
        if rested := self.rested([c for c in claims if c.row not in self._kept], self._engine.parts.now()):
            async with self._engine.alone():
                look, verdicts = await self.look(rested)
            seen = {claim.row: look.began for claim in rested}
            await self._settle(verdicts)
        return [replace(c, seen_at=seen.get(c.row, c.claimed_at)) for c in claims if c.row not in self._kept]

    async def look(self, claims: Sequence[Claim]) -> tuple[Look, Sequence[Verdict]]:
        """The look that shows what became of these, and what it shows; one of minutes ago would not do.

        It lists by time: by e-mail nobody is found who has written it in other letters. One that is half as old as it may
        be serves again: that leaves time to send something upon it.
        """
        look = await self._sweep.look_on(min(Scope.of(claims).since, self.since), VIEW_LIFE / 2)
        return look, await self._sweep.judge_by_lists(look, claims, Generations())

    async def _settle(self, verdicts: Sequence[Verdict]) -> None:
        found = [verdict for verdict in verdicts if isinstance(verdict, Found)]
        if found:
            await self._doubts.act_on(found)
        self._kept.update(verdict.claim.row for verdict in found)
        for verdict in filter(is_for_a_person, verdicts):
            self._kept.add(verdict.claim.row)
            self._doubts.leave_to_a_person(verdict)


class Newcomers:
    """A `Directory` of whoever came since the last look; for rows that were looked for by then, and are sent anew."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep

    async def begin(self) -> None:
        """Nothing needs to be known beforehand."""

    async def find(self, rows: Sequence[Row]) -> Matches:
        """One list for all of them."""
        found = await self._sweep.newcomers(rows)
        keys = {row.email_key for row in rows}
        return {key: [c for c in found if c.email == key] for key in keys if key is not None}


def is_long_ago(claim: Claim, now: float) -> bool:
    """Whether much may have happened since."""
    return now - claim.claimed_at > LONG_REST


def is_for_a_person(verdict: Verdict) -> TypeGuard[Open]:
    """Whether only a person can tell what became of it."""
    return isinstance(verdict, Open) and verdict.is_for_a_person
