"""What a run does, step by step: re-send what was left, feed the rest, sweep what is in doubt.

Everything here is sequential; the engine carries it out side by side.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial

from bulk_import.customer.emails import email_key
from bulk_import.dedupe import Holder, sort_out
from bulk_import.existing import Directory, Nobody
from bulk_import.job.came import Came, Newcomers
from bulk_import.job.common import Common
from bulk_import.job.doubts import Doubts
from bulk_import.job.left_claims import LeftClaims
from bulk_import.job.meeting import Aim, Meeting
from bulk_import.job.second_look import SecondLook
from bulk_import.model import MARKER, Claim, Params, Prepared, Row, Settled, marker_of
from bulk_import.reconcile import Case, Sweep

Batches = Iterator[Sequence[Prepared]]
"""Prepared rows, a batch at a time; a blocking iterator."""

LastStep = Callable[[Sequence[Claim], Sequence[Settled]], Awaitable[None]]
"""What is done with the claims of one batch, and with the rows of it that need none."""


LetGo = Callable[[], Awaitable[Batches | None]]
"""What the rows that were sent have let go, once all of them are on disk; None where that is nobody."""


async def nobody() -> None:
    """No row lets others go."""


class Script:
    """One run over one ledger.

    `last_step` is what becomes of each batch that is told apart: unless another one is given, its claims are put on disk
    and sent.
    """

    def __init__(self, common: Common, last_step: LastStep | None = None) -> None:
        engine, terms, writer, offload = common.engine, common.terms, common.writer, common.offload
        engine.adopt(terms.token)
        self._last_step = last_step or partial(engine.claim, release=terms.release)
        self._engine = engine
        self._terms = terms
        self._writer = writer
        self._reader = common.reader
        self._offload = offload
        self.advice: str | None = None
        self._meeting = Meeting(
            engine.ask, engine.together, offload, writer, terms.on_existing, terms.token, engine.parts.now
        )
        case = Case(terms.token, terms.process_started, terms.deadline, terms.clock_jumped)
        sweep = Sweep(
            case, engine.ask, engine.together, offload, writer.listed(), self._owned, email_key, engine.parts.now,
            lambda: engine.passed,
        )  # fmt: skip
        self._doubts = Doubts(common, sweep)
        came = Came(common, sweep, self._doubts)
        self._left = LeftClaims(common, sweep, self._doubts, came)
        self._second = SecondLook(common, sweep, self._doubts, came)
        if terms.looks and terms.on_existing != "create":  # until, and unless, there are rows to be fed
            self._second.directory = Newcomers(sweep)
        engine.looks_again(self._second.look)

    async def follow(
        self, directory: Directory, batches: Batches, let_go: LetGo = nobody, *, doubtful: bool = True
    ) -> None:
        """Settle every row: what is at rest (unless not *doubtful*), *batches*, whom those have *let go*, what is in doubt."""
        if await self._offload(self._reader.has_success):
            self._engine.scales.succeeded_before()
        if doubtful:
            await self._left.resume()
        await self.feed(directory, batches)
        await self._engine.idle()
        if (freed := await let_go()) is not None:
            await self._feed_all(directory, freed)
            await self._engine.idle()
        self.advice = await self._doubts.settle()

    async def feed(self, directory: Directory, batches: Batches) -> None:
        """Take every row through dedupe and, with what is to be sent for it, to the last step."""
        if not isinstance(directory, Nobody):
            self._second.directory = directory
        await self._feed_all(directory, batches, begins=True)

    async def _feed_all(self, directory: Directory, batches: Batches, *, begins: bool = False) -> None:
        ahead = self._engine.read_ahead(batches)
        batch = await ahead.following()
        if begins and batch is not None:
            await directory.begin()
        while batch is not None:
            await self._engine.until_needed()
            await self._feed(directory, batch)
            batch = await ahead.following()

    async def _feed(self, directory: Directory, batch: Sequence[Prepared]) -> None:
        stripe_time = self._engine.passed
        with self._engine.viewing() as view:
            owners, method_owners, generations = await self._offload(self._known, batch)
            told = sort_out(batch, owners, method_owners)
            async with self._engine.alone():
                matches = await directory.find(told.owners) if told.owners else {}
            aims, settled = await self._meeting.of(told.owners, matches)
        seen_at = self._engine.seen_at(view)
        claims = [self._claim(aim, generations.get(aim.row.number, 0), seen_at, stripe_time) for aim in aims]
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

    def _claim(self, aim: Aim, generation: int, seen_at: float, stripe_time: float | None) -> Claim:
        """The claim of a row for which the account was seen then, by our clock, and looked at from then on, by Stripe's."""
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
            self._engine.parts.now(), stripe_time, self._terms.fingerprint, aim.target, row.fields,
            before=before, note=aim.note, owned_method=self._writer.owned_method(row.method),
            seen_at=max(seen_at, aim.seen_at or 0.0),
        )  # fmt: skip

    async def _owned(self, ids: Sequence[str]) -> Mapping[str, int]:
        return await self._offload(self._reader.owners_of_customers, ids)
