"""Rows at rest: looks for their customers, and settles them, sends them again or leaves them in doubt.

A row is at rest when it is claimed or in doubt and nobody is sending it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import assert_never

from bulk_import.customer.emails import email_key
from bulk_import.job.common import Common
from bulk_import.model import Claim, Settled, Status
from bulk_import.reconcile import (
    MOST_GENERATIONS,
    Absent,
    Found,
    Generations,
    Look,
    Open,
    Remainder,
    Scope,
    Sweep,
    Verdict,
)
from bulk_import.wording import counted

Chosen = Callable[[Sequence[Claim], float], Sequence[Claim]]
"""Which of some claims at rest are looked for, at one moment for all of them (wall clock, seconds)."""

PIECE = 500
"""Claims that are taken out of the ledger at a time: there may be a million of them, of some 5 kB each."""


def everyone(claims: Sequence[Claim], _: float) -> Sequence[Claim]:
    """All that are at rest."""
    return claims


class Doubts:
    """The rows at rest of one ledger, and the sweep that judges them."""

    def __init__(self, common: Common, sweep: Sweep) -> None:
        self._engine = common.engine
        self._terms = common.terms
        self._sweep = sweep
        self._writer = common.writer
        self._reader = common.reader
        self._offload = common.offload
        self._watch = common.watch
        self._notice = common.notice
        self._generations = Generations()
        self._for_people: dict[int, Open] = {}

    async def at_rest(self, chosen: Chosen, now: float) -> AsyncIterator[Sequence[Claim]]:
        """Those of the claims at rest that are *chosen* at *now*, some at a time, in row order.

        A ledger that hashes e-mails keeps the hash as their key, so it is made anew.
        """
        row = 0
        while found := await self._offload(self._reader.claims, (Status.CLAIMED, Status.IN_DOUBT), row, PIECE):
            row = found[-1].row
            claims = [replace(claim, email_key=email_key(claim.email) if claim.email else None) for claim in found]
            if piece := chosen(claims, now):
                yield piece

    async def scope(self, chosen: Chosen, now: float) -> Scope:
        """What is known of all these together."""
        scope = Scope()
        async for piece in self.at_rest(chosen, now):
            scope.add(piece)
        return scope

    async def settle(self) -> str | None:
        """Sweep what the run left in doubt, and answer what to do about the rest of it.

        A claim without any answer, or one that needs a person, says why it is left.
        """
        left = await self.sweep(everyone)
        for settled in left.told(PIECE):
            await self._engine.claim([], settled)
        return left.advice()

    async def sweep(self, chosen: Chosen) -> Remainder:
        """Look, settle what is found, send anew what is surely absent, wait where that helps; until nothing moves.

        It ends because a row gets only so many generations a run, and waiting is only worth it once a generation.
        """
        while (scope := await self.scope(chosen, now := self._engine.parts.now())).count:
            self._notice("sweep", f"{counted(scope.count, 'row is', 'rows are')} in doubt; looking for their customers")
            look, left = await self._sweep.look(scope), Remainder()
            async for piece in self.at_rest(chosen, now):
                left.add(await self.act_on(await self.verdicts(look, piece)))
            if left.wait is not None:
                await self._wait(left.wait)
            elif left.count == scope.count:
                return left
        return Remainder()

    async def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._notice("sweep", f"waiting {seconds:.0f} s until every attempt of these rows must have ended")
            await self._engine.nap(seconds)

    async def verdicts(self, look: Look, claims: Sequence[Claim]) -> list[Verdict]:
        """What became of these, as the account has shown it."""
        return await self._sweep.judge(look, claims, self._generations)

    async def act_on(self, verdicts: Sequence[Verdict]) -> list[Open]:
        """Write what was found, send anew what is absent; answers what stays open."""
        settled: list[Settled] = []
        anew: list[Claim] = []
        open_: list[Open] = []
        for verdict in verdicts:
            match verdict:
                case Found(claim, outcome):
                    settled.append(Settled(claim.row, outcome, attached=claim.attached))
                    self.tell_of_twins(verdict)
                case Absent(claim):
                    anew.append(replace(claim, key_fingerprint=self._terms.fingerprint))
                    self._generations.give(claim.row)
                case Open():
                    open_.append(self._for_people.get(verdict.claim.row, verdict))
                case _:
                    assert_never(verdict)
        self._watch.reopened(len(settled) + len(anew))
        # Not to be released: a retry may have made the claim, with fields that no source has.
        await self._engine.claim(anew, settled, release=False)
        await self._engine.idle()
        return open_

    def renew(self, row: int) -> bool:
        """Count one more generation for this row; False where it has had as many as one may get in a run."""
        if self._generations.of(row) >= MOST_GENERATIONS:
            return False
        self._generations.give(row)
        return True

    async def send_again(self, claims: Sequence[Claim]) -> None:
        """Send these as they are, under the keys they have."""
        key = self._terms.fingerprint
        changed = [claim.row for claim in claims if claim.doubt is not None or claim.key_fingerprint != key]
        if changed:
            await self._offload(self._writer.claim_again, changed, key)
        self._watch.reopened(len(claims))
        await self._engine.dispatch(claims, fresh=False)

    def leave_to_a_person(self, verdict: Open) -> None:
        """Remember what only a person can settle: a sweep by e-mail does not see who writes it in other letters."""
        self._for_people[verdict.claim.row] = verdict

    def tell_of_twins(self, found: Found) -> None:
        """Say where a row has several customers, for a person to delete the others."""
        row, twins = found.claim.row, found.twins
        if len(twins) > 1:
            self._notice(
                "twins",
                f"row {row} has {len(twins)} customers in Stripe ({', '.join(twins)}); "
                f"the oldest was taken, delete the others in the Dashboard",
            )
