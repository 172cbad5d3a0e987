"""`undo`: takes back what a ledger created and updated, out of the ledger alone; itself on record, and resumable."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import anyio

from bulk_import.engine import Ended, Engine, Stopped, run_loop
from bulk_import.errors import BulkImportError, UsageError
from bulk_import.existing import Piece
from bulk_import.image import Image
from bulk_import.job.begun import outlast
from bulk_import.job.clock import this_boot
from bulk_import.job.closing import doubtful_command, quoted
from bulk_import.job.history import has_mended
from bulk_import.job.session import Session
from bulk_import.job.undone import Agree, Listing, Undone, Verdict
from bulk_import.ledger import Kept, Pairing, Purpose, Tally
from bulk_import.model import Status
from bulk_import.options import LedgerOptions, Observer
from bulk_import.report.summary import DOUBT, OK, SOME_FAILED, Summary
from bulk_import.restore import Restorer
from bulk_import.undo import Gone, Known, Left, Undoer

T = TypeVar("T")

FEW = 5
"""Customers that are listed before the question."""


def undo_job(options: LedgerOptions, observer: Observer, agree: Agree) -> tuple[Undone, Summary]:
    """Delete what the ledger created and nobody has touched, put back what it updated, and say what was left.

    Raises `BulkImportError` for whatever makes it impossible before anything was deleted.
    """
    job = _UndoJob(options, observer, agree)
    summary = run_loop(job.main)
    return job.undone, summary


class _UndoJob(Session):
    """`undo`: row by row, each retrieved, judged and deleted in one go; a batch is on record before any of it."""

    verb = "undo"
    sends = False

    def __init__(self, options: LedgerOptions, observer: Observer, agree: Agree) -> None:
        super().__init__(options.connecting, options.pacing, observer, options.command_line)
        self.options = options
        self.agree = agree
        self.undone = Undone()
        self._answered = 0  # customers dealt with at Stripe; a batch is written, and counted as undone, as a whole

    async def course(self, engine: Engine) -> None:
        """Open the ledger, list, ask, meet Stripe, and delete."""
        purpose = self.take_known_ledger(self.options.ledger)
        self._ask_first(purpose)
        self.begin_command(this_boot())
        if not self.undone.customers and not self.undone.updated:
            said = "this ledger has created or updated no customer that is still there; nothing to undo"
            self.observer.notice("nothing", said)
            return
        await self.reach_same_account(purpose)
        if self.reader.begun_undos():  # who is put back, or left, must stay so
            await outlast(engine, self.outlasted, self.observer.notice)
        known = Known(purpose.token, purpose.salt_bytes(), purpose.livemode)
        undoer = Undoer(engine.ask, known, engine.parts.now)
        restorer = Restorer(engine.ask, engine.nap, known, engine.parts.now)
        row = 0
        while batch := await self._next(row):
            row = batch[-1].row
            await self._take_back(engine, undoer, batch)
        row = 0
        while images := await self._next_images(row):
            row = images[-1].row
            await self._put_back(engine, restorer, images)
        self.tell_progress()

    def _ask_first(self, purpose: Purpose) -> None:
        tally = self.reader.tally()
        self.undone.customers = tally.count(Status.CREATED)
        self.undone.updated = self.pairings.imaged()
        rows = self.undone.customers + self.undone.updated
        first = tuple((p.row, p.customer_id or "") for p in self.pairings.after(0, FEW, (Status.CREATED,)))
        listing = Listing(
            str(self.path), purpose.account, purpose.account_name, purpose.livemode, purpose.simulated,
            self.undone.customers, first, self.reader.begun_undos(), tally.count(Status.IN_DOUBT),
            self.undone.updated, tuple((i.row, i.target) for i in self.pairings.images(0, FEW)),
            self.pairings.attaching(), mended=has_mended(self.reader.commands()),
        )  # fmt: skip
        if rows and not self.agree(listing):
            raise UsageError("not confirmed, so nothing was changed; answer the question, or pass --yes")
        self.watch.rows = rows  # not before: what is counted is shown

    async def _next(self, row: int) -> list[Pairing]:
        self.engine.check()
        return await self.offload(self.pairings.after, row, self.options.batch_size, (Status.CREATED,))

    async def _next_images(self, row: int) -> list[Image]:
        self.engine.check()
        return await self.offload(self.pairings.images, row, self.options.batch_size)

    async def _take_back(self, engine: Engine, undoer: Undoer, batch: Sequence[Pairing]) -> None:
        """Undo one batch; however it ends, flights land and what Stripe has answered is written."""
        fresh = await self.offload(self.pairings.begin_undo, [(p.row, p.customer_id or "") for p in batch])
        verdicts: list[tuple[Pairing, Verdict]] = []
        try:
            await self._judge_all(engine, batch, undoer.undo, verdicts)
        finally:
            with anyio.CancelScope(shield=True):
                # What an earlier undo may have deleted stays on record until a retrieve has told.
                unsent = [row for row in fresh if row not in undoer.begun]
                told = [(p.row, p.customer_id or "", verdict) for p, verdict in verdicts]
                undone, left = self._note_all(told)
                await self.offload(self.pairings.settle_undo, undone, left, unsent)

    async def _put_back(self, engine: Engine, restorer: Restorer, batch: Sequence[Image]) -> None:
        """Restore one batch; it is on record before, so that no run takes a customer half put back for an updated one."""
        fresh = await self.offload(self.pairings.begin_undo, [(image.row, image.target) for image in batch])
        verdicts: list[tuple[Image, Verdict]] = []
        try:
            await self._judge_all(engine, batch, restorer.restore, verdicts)
        finally:
            with anyio.CancelScope(shield=True):
                undone, left = self._note_all([(i.row, i.target, verdict) for i, verdict in verdicts])
                gone = [(i.row, i.target) for i, verdict in verdicts if isinstance(verdict, Gone)]
                restored = [pair for pair in undone if pair not in gone]
                unsent = [row for row in fresh if row not in restorer.begun]
                await self.offload(partial(self.pairings.settle_restored, restored, left, unsent, gone=gone))

    async def _judge_all(
        self,
        engine: Engine,
        batch: Sequence[T],
        act: Callable[[T], Awaitable[Verdict]],
        verdicts: list[tuple[T, Verdict]],
    ) -> None:
        """Deal with a batch side by side, each verdict kept as it comes."""

        async def one(each: T) -> Sequence[Piece]:
            # An error that left here would cancel the others' requests on their way.
            try:
                verdicts.append((each, await act(each)))
                self._answered += 1
            except BulkImportError as error:
                engine.halt(error)
            except Stopped:
                pass
            return ()

        await engine.together([partial(one, each) for each in batch], self.gate.max_in_flight)

    def _note_all(self, told: Sequence[tuple[int, str, Verdict]]) -> tuple[list[tuple[int, str]], list[Kept]]:
        """Count these verdicts; answers what is undone, as row and customer, and what is left, with a sentence."""
        for row, customer, verdict in told:
            self.undone.note(row, customer, verdict)
        undone = [(row, customer) for row, customer, verdict in told if not isinstance(verdict, Left)]
        return undone, [(row, customer, f"undo left it: {v.why}") for row, customer, v in told if isinstance(v, Left)]

    def tell_progress(self) -> None:
        """Count the customers that are dealt with."""
        self.watch.looked_at(self._answered)
        super().tell_progress()

    # Closing.

    def rows_left(self) -> int:
        """Rows of the source that have no customer; every one that was undone is among them."""
        return self.reader.tally().count(Status.PENDING)

    def code(self, ended: Ended, tally: Tally, left: int) -> int:
        """6 while rows are in doubt, since they may have customers; 1 where customers were left; else 0."""
        if ended.signal is not None or ended.error is not None:
            return super().code(ended, tally, left)
        if tally.count(Status.IN_DOUBT):
            return DOUBT
        return SOME_FAILED if self.undone.left_count else OK

    def following(self, summary: Summary) -> str | None:
        """Settle what is in doubt, look at what was left, or look at the ledger."""
        ledger = quoted(str(self.path))
        match summary.exit_code:
            case 0:
                return f"bulk-import status {ledger}"
            case 1:
                return f"bulk-import export {ledger} --what all"
            case 6:
                return doubtful_command(str(self.path), live=self.purpose is not None and self.purpose.livemode)
            case _:
                return self.line
