"""What an earlier process left at rest: looks what came of it, then sends the rest again under the same keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bulk_import.age import is_young
from bulk_import.engine import Engine
from bulk_import.job.doubts import Doubts
from bulk_import.job.terms import Terms
from bulk_import.model import Claim
from bulk_import.reconcile import Found, Open, Sweep, Verdict, needs_sweep
from bulk_import.wording import counted

REST = 2.5
"""Seconds after which claims at rest are not sent again before somebody has looked who signed up meanwhile.

A run that goes on sends what it looked for as long ago.
"""

LONG_REST = 300.0
"""Seconds after which that look reaches back as far as one that settles doubts."""


class LeftClaims:
    """The claims of a process that is gone; `doubts` is where they are settled, or sent again."""

    def __init__(
        self, engine: Engine, terms: Terms, sweep: Sweep, doubts: Doubts, notice: Callable[[str, str], None]
    ) -> None:
        self._engine = engine
        self._terms = terms
        self._sweep = sweep
        self._doubts = doubts
        self._notice = notice

    async def resume(self) -> None:
        """Settle what was carried out or is not ours to send any more, and send the rest again."""
        if unsure := self._unsure(await self._doubts.at_rest()):
            self._notice(
                "sweep",
                f"{counted(len(unsure), 'row was', 'rows were')} left in doubt and their keys cannot be trusted as they are; "
                "looking for their customers before anything is sent",
            )
            await self._until_the_process_has_ended()
            await self._doubts.sweep(self._unsure)
        young = [c for c in await self._doubts.at_rest() if self._is_protected(c)]
        await self._doubts.send_again(await self._not_overtaken(await self._not_there_by_now(young)))
        await self._engine.idle()

    def _unsure(self, claims: Sequence[Claim]) -> list[Claim]:
        now, terms = self._engine.parts.now(), self._terms
        return [c for c in claims if needs_sweep(c, now, terms.fingerprint, clock_jumped=terms.clock_jumped)]

    def _is_protected(self, claim: Claim) -> bool:
        return is_young(claim.claimed_at, self._engine.parts.now()) and not self._terms.clock_jumped

    async def _not_there_by_now(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """Settle the creates that rested and were carried out; leave out those whose people came meanwhile.

        Of the latter only a person can tell whether it was our own create, so they stay in doubt. Without a marker
        nobody could tell what was carried out, and the key is what protects.
        """
        if self._terms.on_existing == "create":
            return claims
        now = self._engine.parts.now()
        rested = [c for c in claims if c.marker and c.email_key and now - c.claimed_at > self._longest_unseen()]
        if not rested:
            return claims
        said = counted(len(rested), "row was", "rows were")
        self._notice("resume", f"{said} claimed a while ago; looking who has come to Stripe since")
        verdicts = await self._came_since(rested, now)
        await self._doubts.act_on([v for v in verdicts if isinstance(v, Found)])
        kept = {v.claim.row for v in verdicts if isinstance(v, Found) or _is_for_a_person(v)}
        return [c for c in claims if c.row not in kept]

    def _longest_unseen(self) -> float:
        """Where nobody is looked for, the key may be unable to: only after a rest in which much may have happened."""
        return REST if self._terms.looks else LONG_REST

    async def _came_since(self, rested: Sequence[Claim], now: float) -> list[Verdict]:
        """Those of long ago apart: one of them would have the list of all the others begin hours ago."""
        terms = self._terms
        long = [c for c in rested if now - c.claimed_at > LONG_REST]
        lately = [c for c in rested if now - c.claimed_at <= LONG_REST]
        verdicts = await self._doubts.verdicts(long) if long else []
        if lately:
            verdicts += await self._sweep.who_came(lately, terms.token, terms.process_started, terms.deadline)
        return verdicts

    async def _not_overtaken(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """Settle or claim anew the updates whose customers somebody has changed meanwhile; answers all the others.

        Their ledger holds a before-image that is no longer true, and objects that are sent whole would lose what was
        changed. They go out under a new key once no attempt of the dead process can act any more.
        """
        found = await self._sweep.overtaken([claim for claim in claims if claim.target is not None])
        if not found:
            return claims
        self._notice(
            "updates",
            f"{counted(len(found), 'customer was', 'customers were')} changed by somebody since their updates were claimed; what is there now is read "
            "and kept before they are updated",
        )
        await self._until_the_process_has_ended()
        await self._doubts.act_on(await self._sweep.renewed(found, self._terms.token))
        rows = {claim.row for claim in found}
        return [claim for claim in claims if claim.row not in rows]

    async def _until_the_process_has_ended(self) -> None:
        """Wait until nothing that it had begun can act any more: from then on a list, or a customer, shows what came of it."""
        await self._engine.nap(self._terms.process_started + self._terms.deadline - self._engine.parts.now())


def _is_for_a_person(verdict: Verdict) -> bool:
    return isinstance(verdict, Open) and verdict.is_for_a_person
