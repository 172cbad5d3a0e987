"""Who has come to Stripe while claims of a dead process rested: some were carried out, and some people signed up by themselves."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence

from bulk_import.engine import Engine
from bulk_import.engine.exchange import VIEW_LIFE
from bulk_import.job.doubts import Doubts
from bulk_import.job.terms import Terms
from bulk_import.model import Claim
from bulk_import.reconcile import Found, Generations, Look, Open, Scope, Sweep, Verdict

REST = 2.5
"""Seconds after which claims at rest are not sent again before somebody has looked who signed up meanwhile.

A run that goes on sends what it looked for as long ago.
"""

LONG_REST = 300.0
"""Seconds after which that look reaches back as far as one that settles doubts."""


class Came:
    """Settles the creates that rested and were carried out, and leaves out those whose people came meanwhile.

    Of the latter only a person can tell whether it was our own create, so they stay in doubt. Without a marker nobody
    could tell what was carried out, and the key is what protects. `since` is from when on (by Stripe's clock) it is still
    to be listed who came.
    """

    def __init__(self, engine: Engine, terms: Terms, sweep: Sweep, doubts: Doubts) -> None:
        self.since = math.inf
        self._engine = engine
        self._terms = terms
        self._sweep = sweep
        self._doubts = doubts
        self._look: Look | None = None
        self._looked_at = math.inf  # by Stripe's clock
        self._kept: set[int] = set()

    def rested(self, claims: Sequence[Claim], now: float) -> list[Claim]:
        """Those that must not be sent again unseen."""
        if self._terms.on_existing == "create":
            return []
        # Where nobody is looked for, the key may be unable to: only after a rest in which much may have happened.
        longest = REST if self._terms.looks else LONG_REST
        return [c for c in claims if c.marker and c.email_key and now - c.claimed_at > longest]

    async def look_back(self, scope: Scope, pieces: AsyncIterator[Sequence[Claim]]) -> None:
        """Look for claims of long ago as a sweep does."""
        self._looked_at = self._stripe_now()
        self._look = await self._sweep.look(scope)
        async for piece in pieces:
            await self._settle(await self._doubts.verdicts(self._look, piece))

    async def still_to_send(self, claims: Sequence[Claim]) -> list[Claim]:
        """Those of these claims that may go out again now."""
        if rested := self.rested([c for c in claims if c.row not in self._kept], self._engine.parts.now()):
            look = await self._look_again()
            await self._settle(await self._sweep.judge_by_lists(look, rested, Generations()))
        return [c for c in claims if c.row not in self._kept]

    async def _look_again(self) -> Look:
        """What was listed, and whoever came since, should that be minutes ago: many claims take hours to be sent again."""
        since, look = self.since, self._look
        if look is not None and self._engine.parts.now() - look.began > VIEW_LIFE:
            since = min(since, self._looked_at)
        if look is None or since < math.inf:
            self.since, self._looked_at = math.inf, self._stripe_now()
            self._look = look = await self._sweep.look_since(since, goes_on=look is not None)
        return look

    async def _settle(self, verdicts: Sequence[Verdict]) -> None:
        found = [verdict for verdict in verdicts if isinstance(verdict, Found)]
        if found:
            await self._doubts.act_on(found)
        self._kept.update(v.claim.row for v in verdicts if isinstance(v, Found) or _is_for_a_person(v))

    def _stripe_now(self) -> float:
        seen = self._engine.stripe_time
        return self._engine.parts.now() if seen is None else seen


def is_long_ago(claim: Claim, now: float) -> bool:
    """Whether much may have happened since."""
    return now - claim.claimed_at > LONG_REST


def _is_for_a_person(verdict: Verdict) -> bool:
    return isinstance(verdict, Open) and verdict.is_for_a_person
