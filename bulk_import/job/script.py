"""What a run does, step by step: re-send what was left, feed the rest, sweep what is in doubt.

Everything here is sequential; the engine carries it out side by side.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import assert_never

from bulk_import.age import is_young
from bulk_import.customer.emails import email_key
from bulk_import.dedupe import Holder, sort_out
from bulk_import.engine import Engine
from bulk_import.existing import Directory, Offload
from bulk_import.job.meeting import Aim, Meeting
from bulk_import.job.second_look import SecondLook
from bulk_import.job.watching import Watch
from bulk_import.ledger import Reader, Writer
from bulk_import.model import (
    MARKER,
    Claim,
    Params,
    Prepared,
    Row,
    Settled,
    Status,
    marker_of,
)
from bulk_import.options import OnExisting
from bulk_import.reconcile import (
    Absent,
    Found,
    Open,
    Sweep,
    Verdict,
    advice_on,
    needs_sweep,
    still_in_doubt,
)
from bulk_import.wording import counted

REST = 2.5
"""Seconds after which claims at rest are not sent again before somebody has looked who signed up meanwhile.

A run that goes on sends what it looked for as long ago.
"""

LONG_REST = 300.0
"""Seconds after which that look reaches back as far as one that settles doubts."""

Batches = Iterator[Sequence[Prepared]]
"""Prepared rows, a batch at a time; a blocking iterator."""


LastStep = Callable[[Sequence[Claim], Sequence[Settled]], Awaitable[None]]
"""What is done with the claims of one batch, and with the rows of it that need none."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for the whole run.

    `fingerprint` tells this API key from another one, `process_started` is when the ledger's lock was taken
    (wall clock, seconds), `deadline` is one attempt's longest time in seconds, and `clock_jumped` says that the
    wall clock was moved since an earlier command of the same boot. `release` is whether a claim that was never sent may
    begin anew from the source; a retry's may not, since its fields may be corrected ones. `looks` is whether anybody is asked who is already in Stripe.
    """

    token: str
    fingerprint: str | None
    marker: bool
    on_existing: OnExisting
    process_started: float
    deadline: float
    clock_jumped: bool
    release: bool = True
    looks: bool = True


class Script:
    """One run over one ledger; `offload` is where its ledger work goes.

    `last_step` is what becomes of each batch that is told apart: unless another one is given, its claims are put on disk
    and sent.
    """

    def __init__(
        self,
        engine: Engine,
        terms: Terms,
        writer: Writer,
        reader: Reader,
        offload: Offload,
        watch: Watch,
        notice: Callable[[str, str], None],
        last_step: LastStep | None = None,
    ) -> None:
        self._engine = engine
        self._last_step = last_step or partial(engine.claim, release=terms.release)
        engine.token = terms.token
        self._terms = terms
        self._writer = writer
        self._reader = reader
        self._offload = offload
        self._watch = watch
        self._notice = notice
        self._generations: dict[int, int] = {}
        self.advice: str | None = None
        self._meeting = Meeting(
            engine.ask, engine.together, offload, writer, terms.on_existing, terms.token, engine.parts.now
        )
        self._sweep = Sweep(engine.ask, engine.together, self._owned, email_key, engine.parts.now)
        self._second = SecondLook(engine, self._sweep, terms.on_existing, terms.token, terms.fingerprint)
        engine.looks_again(self._second.look)

    async def follow(self, directory: Directory, batches: Batches, *, doubtful: bool = True) -> None:
        """Settle every row: what is at rest first (unless not *doubtful*), then *batches*, then what is still in doubt."""
        if await self._offload(self._reader.has_success):
            self._engine.scales.succeeded_before()
        if doubtful:
            await self._resume()
        await self.feed(directory, batches)
        await self._engine.idle()
        await self._settle_doubts()

    async def feed(self, directory: Directory, batches: Batches) -> None:
        """Take every row through dedupe and, with what is to be sent for it, to the last step."""
        self._second.directory = directory
        first = await self._engine.blocking(next, batches, None)
        if first is not None:
            await directory.begin()
        batch: Sequence[Prepared] | None = first
        while batch is not None:
            await self._engine.until_needed()
            await self._feed(directory, batch)
            batch = await self._engine.blocking(next, batches, None)

    # What an earlier process left at rest.

    async def _resume(self) -> None:
        claims = await self._at_rest()
        unsure = await self._unsure(claims)
        if unsure:
            self._notice(
                "sweep",
                f"{counted(len(unsure), 'row was', 'rows were')} left in doubt and their keys cannot be trusted as they are; "
                "looking for their customers before anything is sent",
            )
            # By then whatever the dead process had begun has ended, and a list shows what came of it.
            await self._engine.nap(self._terms.process_started + self._terms.deadline - self._engine.parts.now())
            await self._sweep_all(self._unsure)
        young = [c for c in await self._at_rest() if self._is_protected(c)]
        await self._send_again(await self._not_there_by_now(young))
        await self._engine.idle()

    async def _unsure(self, claims: Sequence[Claim]) -> list[Claim]:
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
        await self._act_on([v for v in verdicts if isinstance(v, Found)])
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
        verdicts = await self._verdicts(long) if long else []
        if lately:
            verdicts += await self._sweep.who_came(lately, terms.token, terms.process_started, terms.deadline)
        return verdicts

    async def _send_again(self, claims: Sequence[Claim]) -> None:
        claims = await self._not_overtaken(claims)
        key = self._terms.fingerprint
        changed = [claim.row for claim in claims if claim.doubt is not None or claim.key_fingerprint != key]
        if changed:
            await self._offload(self._writer.claim_again, changed, key)
        self._watch.reopened(len(claims))
        await self._engine.dispatch(claims, fresh=False)

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
        await self._engine.nap(self._terms.process_started + self._terms.deadline - self._engine.parts.now())
        await self._act_on(await self._sweep.renewed(found, self._terms.token))
        rows = {claim.row for claim in found}
        return [claim for claim in claims if claim.row not in rows]

    async def _at_rest(self) -> list[Claim]:
        """Claims at rest, oldest row first; a ledger that hashes e-mails keeps the hash as their key, so it is made anew."""
        claims = await self._offload(self._reader.claims, (Status.CLAIMED, Status.IN_DOUBT))
        return [replace(claim, email_key=email_key(claim.email) if claim.email else None) for claim in claims]

    # Feeding.

    async def _feed(self, directory: Directory, batch: Sequence[Prepared]) -> None:
        began = self._engine.parts.now()
        owners, method_owners, generations = await self._offload(self._known, batch)
        told = sort_out(batch, owners, method_owners)
        matches = await directory.find(told.owners) if told.owners else {}
        aims, settled = await self._meeting.of(told.owners, matches)
        claims = [self._claim(aim, generations.get(aim.row.number, 0), began) for aim in aims]
        await self._last_step(claims, [*told.settled, *settled])

    def _known(self, batch: Sequence[Prepared]) -> tuple[dict[str, int], dict[str, Holder], dict[int, int]]:
        """What the ledger knows of a batch, in one trip to it: whose its e-mails and methods are, and each generation."""
        generations = self._reader.next_generations([row.number for row in batch if isinstance(row, Row)])
        return self._owners(batch), self._method_owners(batch), generations

    def _owners(self, batch: Sequence[Prepared]) -> dict[str, int]:
        keys = {row.email_key for row in batch if isinstance(row, Row) and row.email_key is not None}
        owned = {self._writer.owned_key(key): key for key in keys}
        found = self._reader.owners([key for key in owned if key is not None])
        return {owned[key] or "": owner.number for key, owner in found.items()}

    def _method_owners(self, batch: Sequence[Prepared]) -> dict[str, Holder]:
        owned = {self._writer.owned_method(row.method): row.method.id for row in batch if row.method is not None}
        found = self._reader.method_owners([key for key in owned if key is not None])
        return {owned[key]: Holder(*place) for key, place in found.items()}

    def _claim(self, aim: Aim, generation: int, began: float) -> Claim:
        row, params = aim.row, aim.row.params
        before: Params = {}
        if aim.change is not None:
            # No marker of ours: an updated customer is not ours to delete.
            params, before = aim.change.params, aim.change.before
        elif self._terms.marker:
            metadata = params.get("metadata") or {}
            mark = marker_of(self._terms.token, row.number, generation)
            params = {**params, "metadata": {**metadata, MARKER: mark}}
        return Claim(
            row.number, row.line, row.source_id, generation, params, row.email, row.email_key,
            self._engine.parts.now(), self._engine.stripe_time, self._terms.fingerprint, aim.target, row.fields,
            before=before, note=aim.note, owned_method=self._writer.owned_method(row.method),
            seen_at=began if aim.seen_at is None else aim.seen_at,
        )  # fmt: skip

    # The sweep.

    async def _settle_doubts(self) -> None:
        """Sweep what the run left in doubt; a claim without any answer, or one that needs a person, says why it is left."""
        open_ = await self._sweep_all(self._everything)
        told = [o for o in open_ if o.claim.doubt is None or o.is_for_a_person]
        await self._engine.claim([], [Settled(o.claim.row, still_in_doubt(o)) for o in told])
        self.advice = advice_on(open_)

    async def _sweep_all(self, chosen: Callable[[Sequence[Claim]], Awaitable[list[Claim]]]) -> list[Open]:
        """Look, settle what is found, send anew what is surely absent, wait where that helps; until nothing moves.

        It ends because a row gets only so many generations a run, and waiting is only worth it once a generation.
        """
        while claims := await chosen(await self._at_rest()):
            self._notice("sweep", f"{counted(len(claims), 'row is', 'rows are')} in doubt; looking for their customers")
            open_ = await self._look(claims)
            wait = max((o.wait for o in open_ if o.wait is not None), default=0.0)
            if wait:
                self._notice("sweep", f"waiting {wait:.0f} s until every attempt of these rows must have ended")
                await self._engine.nap(wait)
            elif len(open_) == len(claims):
                return open_
        return []

    async def _everything(self, claims: Sequence[Claim]) -> list[Claim]:
        return list(claims)

    async def _look(self, claims: Sequence[Claim]) -> list[Open]:
        return await self._act_on(await self._verdicts(claims))

    async def _verdicts(self, claims: Sequence[Claim]) -> list[Verdict]:
        terms = self._terms
        return await self._sweep.look(
            claims, terms.token, terms.process_started, terms.deadline, self._generations,
            clock_jumped=terms.clock_jumped,
        )  # fmt: skip

    async def _act_on(self, verdicts: Sequence[Verdict]) -> list[Open]:
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

    def _tell_of_twins(self, claim: Claim, twins: Sequence[str]) -> None:
        if len(twins) > 1:
            self._notice(
                "twins",
                f"row {claim.row} has {len(twins)} customers in Stripe ({', '.join(twins)}); "
                f"the oldest was taken, delete the others in the Dashboard",
            )

    async def _owned(self, ids: Sequence[str]) -> Mapping[str, int]:
        return await self._offload(self._reader.owners_of_customers, ids)


def _is_for_a_person(verdict: Verdict) -> bool:
    return isinstance(verdict, Open) and verdict.is_for_a_person
