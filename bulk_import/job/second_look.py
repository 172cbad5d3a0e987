"""A claim that waited for minutes and was never sent is held against the account once more."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from bulk_import.dedupe import Differ, meet
from bulk_import.engine import Engine
from bulk_import.existing import Directory, Nobody
from bulk_import.model import Claim, Existing, Failed, Row, Settled
from bulk_import.options import OnExisting
from bulk_import.reconcile import Found, Sweep


class SecondLook:
    """What becomes of such a claim; `directory` is who is asked whether its person has come meanwhile."""

    def __init__(self, engine: Engine, sweep: Sweep, policy: OnExisting, token: str, fingerprint: str | None) -> None:
        self.directory: Directory = Nobody()
        self._engine = engine
        self._sweep = sweep
        self._policy = policy
        self._token = token
        self._fingerprint = fingerprint

    async def look(self, claim: Claim) -> Claim | Settled:
        """The claim itself, another one that is on disk by then, or how the row is settled."""
        return await (self._still_to_make(claim) if claim.target is None else self._still_to_update(claim))

    async def _still_to_make(self, claim: Claim) -> Claim | Settled:
        """Its person may have come to Stripe meanwhile."""
        row = Row(claim.row, claim.line, claim.source_id, claim.email, claim.email_key, claim.params, claim.fields)
        matches = await self.directory.find([row])
        match meet(row, matches.get(row.email_key or "", ()), self._policy, self._token):
            case None:
                return claim
            case Existing() | Failed() as outcome:
                return Settled(claim.row, outcome)
            case Differ(customers):
                note = "came to Stripe while this row waited to be sent, and was not updated"
                return Settled(claim.row, Existing(customers[0].id, note))
            case unknown:
                assert_never(unknown)

    async def _still_to_update(self, claim: Claim) -> Claim | Settled:
        """Somebody may have changed its customer meanwhile: what is there now is what an undo must bring back."""
        if not await self._sweep.overtaken([claim]):
            return claim
        (verdict,) = await self._sweep.renewed([claim], self._token)
        if isinstance(verdict, Found):
            return Settled(claim.row, verdict.outcome)
        anew = replace(verdict.claim, key_fingerprint=self._fingerprint)
        await self._engine.record([anew], [])
        return anew
