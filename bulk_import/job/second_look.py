"""Claims that waited for minutes and were never sent are held against the account once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bulk_import.dedupe import Differ, meet
from bulk_import.engine import Engine
from bulk_import.existing import Directory, Nobody
from bulk_import.model import Claim, Customer, Existing, Failed, Row, Settled
from bulk_import.options import OnExisting
from bulk_import.reconcile import Found, Sweep


class SecondLook:
    """What becomes of such claims; `directory` is who is asked whether their people have come meanwhile."""

    def __init__(self, engine: Engine, sweep: Sweep, policy: OnExisting, token: str, fingerprint: str | None) -> None:
        self.directory: Directory = Nobody()
        self._engine = engine
        self._sweep = sweep
        self._policy = policy
        self._token = token
        self._fingerprint = fingerprint

    async def look(self, claims: Sequence[Claim]) -> list[Claim | Settled]:
        """What becomes of each: the claim itself, another one that is on disk by then, or how the row is settled."""
        found = await self._still_to_make([claim for claim in claims if claim.target is None])
        found |= await self._still_to_update([claim for claim in claims if claim.target is not None])
        return [found.get(claim.row, claim) for claim in claims]

    async def _still_to_make(self, claims: Sequence[Claim]) -> dict[int, Claim | Settled]:
        """Their people may have come to Stripe meanwhile."""
        rows = [Row(c.row, c.line, c.source_id, c.email, c.email_key, c.params, c.fields) for c in claims]
        matches = await self.directory.find(rows) if rows else {}
        met = [(row.number, self._met(row, matches.get(row.email_key or "", ()))) for row in rows]
        return {number: Settled(number, outcome) for number, outcome in met if outcome is not None}

    def _met(self, row: Row, customers: Sequence[Customer]) -> Existing | Failed | None:
        match meet(row, customers, self._policy, self._token):
            case Differ(others):
                note = "came to Stripe while this row waited to be sent, and was not updated"
                return Existing(others[0].id, note)
            case outcome:
                return outcome

    async def _still_to_update(self, claims: Sequence[Claim]) -> dict[int, Claim | Settled]:
        """Somebody may have changed their customers meanwhile: what is there now is what an undo must bring back."""
        overtaken = await self._sweep.overtaken(claims)
        settled: dict[int, Claim | Settled] = {}
        anew: dict[int, Claim] = {}
        for verdict in await self._sweep.renewed(overtaken):
            if isinstance(verdict, Found):
                settled[verdict.claim.row] = Settled(verdict.claim.row, verdict.outcome)
            else:
                anew[verdict.claim.row] = replace(verdict.claim, key_fingerprint=self._fingerprint)
        if anew:
            await self._engine.record(list(anew.values()), [])
        return settled | anew
