"""Rows at rest: looks for their customers, and settles them, sends them again or leaves them in doubt.

A row is at rest when it is claimed or in doubt and nobody is sending it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import assert_never

from bulk_import.customer.emails import email_key
from bulk_import.engine import Engine
from bulk_import.existing import Offload
from bulk_import.job.terms import Terms
from bulk_import.job.watching import Watch
from bulk_import.ledger import Reader, Writer
from bulk_import.model import Claim, Settled, Status
from bulk_import.reconcile import Absent, Found, Open, Sweep, Verdict, advice_on, still_in_doubt
from bulk_import.wording import counted

Chosen = Callable[[Sequence[Claim]], Sequence[Claim]]
"""Which of the claims at rest are looked for."""


class Doubts:
    """The rows at rest of one ledger, and the sweep that judges them."""

    def __init__(
        self,
        engine: Engine,
        terms: Terms,
        sweep: Sweep,
        writer: Writer,
        reader: Reader,
        offload: Offload,
        watch: Watch,
        notice: Callable[[str, str], None],
    ) -> None:
        self._engine = engine
        self._terms = terms
        self._sweep = sweep
        self._writer = writer
        self._reader = reader
        self._offload = offload
        self._watch = watch
        self._notice = notice
        self._generations: dict[int, int] = {}

    async def at_rest(self) -> list[Claim]:
        """Claims at rest, oldest row first; a ledger that hashes e-mails keeps the hash as their key, so it is made anew."""
        claims = await self._offload(self._reader.claims, (Status.CLAIMED, Status.IN_DOUBT))
        return [replace(claim, email_key=email_key(claim.email) if claim.email else None) for claim in claims]

    async def settle(self) -> str | None:
        """Sweep what the run left in doubt, and answer what to do about the rest of it.

        A claim without any answer, or one that needs a person, says why it is left.
        """
        open_ = await self.sweep(list)
        told = [o for o in open_ if o.claim.doubt is None or o.is_for_a_person]
        await self._engine.claim([], [Settled(o.claim.row, still_in_doubt(o)) for o in told])
        return advice_on(open_)

    async def sweep(self, chosen: Chosen) -> list[Open]:
        """Look, settle what is found, send anew what is surely absent, wait where that helps; until nothing moves.

        It ends because a row gets only so many generations a run, and waiting is only worth it once a generation.
        """
        while claims := chosen(await self.at_rest()):
            self._notice("sweep", f"{counted(len(claims), 'row is', 'rows are')} in doubt; looking for their customers")
            open_ = await self.act_on(await self.verdicts(claims))
            wait = max((o.wait for o in open_ if o.wait is not None), default=0.0)
            if wait:
                self._notice("sweep", f"waiting {wait:.0f} s until every attempt of these rows must have ended")
                await self._engine.nap(wait)
            elif len(open_) == len(claims):
                return open_
        return []

    async def verdicts(self, claims: Sequence[Claim]) -> list[Verdict]:
        """Ask the account what became of these."""
        terms = self._terms
        return await self._sweep.look(
            claims, terms.token, terms.process_started, terms.deadline, self._generations,
            clock_jumped=terms.clock_jumped,
        )  # fmt: skip

    async def act_on(self, verdicts: Sequence[Verdict]) -> list[Open]:
        """Write what was found, send anew what is absent; answers what stays open."""
        settled: list[Settled] = []
        anew: list[Claim] = []
        open_: list[Open] = []
        for verdict in verdicts:
            match verdict:
                case Found(claim, outcome, twins):
                    settled.append(Settled(claim.row, outcome))
                    self._tell_of_twins(claim, twins)
                case Absent(claim):
                    anew.append(replace(claim, key_fingerprint=self._terms.fingerprint))
                    self._generations[claim.row] = self._generations.get(claim.row, 0) + 1
                case Open():
                    open_.append(verdict)
                case _:
                    assert_never(verdict)
        self._watch.reopened(len(settled) + len(anew))
        await self._engine.claim(anew, settled, release=self._terms.release)
        await self._engine.idle()
        return open_

    async def send_again(self, claims: Sequence[Claim]) -> None:
        """Send these as they are, under the keys they have."""
        key = self._terms.fingerprint
        changed = [claim.row for claim in claims if claim.doubt is not None or claim.key_fingerprint != key]
        if changed:
            await self._offload(self._writer.claim_again, changed, key)
        self._watch.reopened(len(claims))
        await self._engine.dispatch(claims, fresh=False)

    def _tell_of_twins(self, claim: Claim, twins: Sequence[str]) -> None:
        if len(twins) > 1:
            self._notice(
                "twins",
                f"row {claim.row} has {len(twins)} customers in Stripe ({', '.join(twins)}); "
                f"the oldest was taken, delete the others in the Dashboard",
            )
