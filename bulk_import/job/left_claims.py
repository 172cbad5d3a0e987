"""What an earlier process left at rest: looks what came of it, then sends the rest again under the same keys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from bulk_import.age import is_young
from bulk_import.job.came import Came, is_long_ago
from bulk_import.job.common import Common
from bulk_import.job.doubts import Doubts
from bulk_import.model import Claim
from bulk_import.reconcile import Scope, Sweep, needs_sweep
from bulk_import.wording import counted


class LeftClaims:
    """The claims of a process that is gone; `doubts` is where they are settled, or sent again, after a look at who `came`."""

    def __init__(self, common: Common, sweep: Sweep, doubts: Doubts, came: Came) -> None:
        self._engine = common.engine
        self._terms = common.terms
        self._sweep = sweep
        self._doubts = doubts
        self._came = came
        self._notice = common.notice

    async def resume(self) -> None:
        """Settle what was carried out or is not ours to send any more, and send the rest again."""
        doubts, now = self._doubts, self._engine.parts.now()
        if unsure := (await doubts.scope(self._unsure, now)).count:
            self._notice(
                "sweep",
                f"{counted(unsure, 'row was', 'rows were')} left in doubt and their keys cannot be trusted as they are; "
                "looking for their customers before anything is sent",
            )
            await self._until_the_process_has_ended()
            await doubts.sweep(self._unsure)
        await self._look_back()
        async for piece in doubts.at_rest(self._protected, self._engine.parts.now()):
            creates = await self._came.still_to_send([claim for claim in piece if claim.target is None])
            updates = await self._not_overtaken([claim for claim in piece if claim.target is not None])
            await doubts.send_again(sorted([*creates, *updates], key=lambda claim: claim.row))
        await self._engine.idle()
        self._came.since = math.inf

    def _unsure(self, claims: Sequence[Claim], now: float) -> list[Claim]:
        terms = self._terms
        return [c for c in claims if needs_sweep(c, now, terms.fingerprint, clock_jumped=terms.clock_jumped)]

    def _protected(self, claims: Sequence[Claim], now: float) -> list[Claim]:
        return [c for c in claims if is_young(c.claimed_at, now) and not self._terms.clock_jumped]

    async def _look_back(self) -> None:
        """Look for those of long ago, apart: one of them would have the list of all the others begin hours ago."""
        came, now = self._came, self._engine.parts.now()
        long, lately, rested = Scope(), Scope(), 0
        async for piece in self._doubts.at_rest(self._protected, now):
            rested += len(came.rested(piece, now))
            long.add(_of_long_ago(came.rested(piece, now), now))
            lately.add(c for c in piece if c.target is None and not is_long_ago(c, now))
        if rested:
            said = counted(rested, "row was", "rows were")
            self._notice("resume", f"{said} claimed a while ago; looking who has come to Stripe since")
        if long.count:

            def of_long_ago(claims: Sequence[Claim], now: float) -> list[Claim]:
                return _of_long_ago(came.rested(self._protected(claims, now), now), now)

            await came.look_back(long, self._doubts.at_rest(of_long_ago, now))
        came.since = lately.since

    async def _not_overtaken(self, updates: Sequence[Claim]) -> list[Claim]:
        """Settle or claim anew those whose customers somebody has changed meanwhile; answers all the others, as seen now.

        Their ledger holds a before-image that is no longer true, and objects that are sent whole would lose what was
        changed. They go out under a new key once no attempt of the dead process can act any more.
        """
        seen_at = self._engine.parts.now()
        found = await self._sweep.overtaken(updates)
        if found:
            self._notice(
                "updates",
                f"{counted(len(found), 'customer was', 'customers were')} changed by somebody since their updates were claimed; what is there now is read "
                "and kept before they are updated",
            )
            await self._until_the_process_has_ended()
            await self._doubts.act_on(await self._sweep.renewed(found))
        rows = {claim.row for claim in found}
        return [replace(claim, seen_at=seen_at) for claim in updates if claim.row not in rows]

    async def _until_the_process_has_ended(self) -> None:
        """Wait until nothing that it had begun can act any more: from then on a list, or a customer, shows what came of it."""
        await self._engine.nap(self._terms.process_started + self._terms.deadline - self._engine.parts.now())


def _of_long_ago(claims: Sequence[Claim], now: float) -> list[Claim]:
    return [claim for claim in claims if is_long_ago(claim, now)]
