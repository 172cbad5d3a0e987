"""`undo`: takes back what a ledger created, out of the ledger alone; itself on record, and resumable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio

from bulk_import.engine import Ended, Engine, Stopped
from bulk_import.errors import BulkImportError, UsageError
from bulk_import.existing import Piece
from bulk_import.job.opening import this_boot
from bulk_import.job.session import Session, quoted
from bulk_import.ledger import Pairing, Purpose, Tally
from bulk_import.model import Status
from bulk_import.options import Connecting, Observer, Pacing
from bulk_import.report.summary import DOUBT, OK, SOME_FAILED, Summary
from bulk_import.undo import Gone, Known, Left, Undoer

FEW = 5
"""Customers that are listed before the question."""

KEPT = 100
"""Customers left that the report names; the ledger holds all of them, each with its reason."""


@dataclass(frozen=True, slots=True)
class UndoOptions:
    """Everything `undo` was asked for; account, mode and API base come from the ledger."""

    ledger: Path
    pacing: Pacing = field(default_factory=Pacing)
    connecting: Connecting = field(default_factory=Connecting)
    batch_size: int = 100
    command_line: str = "bulk-import undo"


@dataclass(frozen=True, slots=True)
class Listing:
    """What an undo is about to do; `first` are the first few of `customers`, `unfinished` those an earlier one began."""

    ledger: str
    account: str
    account_name: str | None
    livemode: bool
    simulated: bool
    customers: int
    first: tuple[tuple[int, str], ...]
    unfinished: int
    in_doubt: int


@dataclass(slots=True)
class Undone:
    """What an undo did: customers it deleted, those that were deleted before, and those left, by reason.

    `left_first` names the first of them as (row, customer, why).
    """

    customers: int = 0
    deleted: int = 0
    gone: int = 0
    left: Counter[str] = field(default_factory=Counter)
    left_first: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def left_count(self) -> int:
        """Customers that stay."""
        return self.left.total()

    def note(self, pairing: Pairing, verdict: Gone | Left) -> None:
        """Count one verdict."""
        match verdict:
            case Gone(by_us):
                self.deleted += by_us
                self.gone += not by_us
            case Left(why):
                self.left[why] += 1
                if len(self.left_first) < KEPT:
                    self.left_first.append((pairing.row, pairing.customer_id or "", why))


Agree = Callable[[Listing], bool]
"""Shown what is about to be deleted; False ends the command with nothing deleted."""


def undo_job(options: UndoOptions, observer: Observer, agree: Agree) -> tuple[Undone, Summary]:
    """Delete what the ledger created and nobody has touched, and say what was left.

    Raises `BulkImportError` for whatever makes it impossible before anything was deleted.
    """
    job = _UndoJob(options, observer, agree)
    summary = anyio.run(job.main)
    return job.undone, summary


class _UndoJob(Session):
    """`undo`: row by row, each retrieved, judged and deleted in one go; a batch is on record before any of it."""

    verb = "undo"
    sends = False

    def __init__(self, options: UndoOptions, observer: Observer, agree: Agree) -> None:
        super().__init__(options.connecting, options.pacing, observer, options.command_line)
        self.options = options
        self.agree = agree
        self.undone = Undone()

    async def course(self, engine: Engine) -> None:
        """Open the ledger, list, ask, meet Stripe, and delete."""
        purpose = self.take_known_ledger(self.options.ledger)
        self._ask_first(purpose)
        self.begin_command(this_boot())
        if not self.undone.customers:
            self.observer.notice("nothing", "this ledger has created no customer that is still there; nothing to undo")
            return
        await self.reach_same_account(purpose)
        undoer = Undoer(engine.ask, Known(purpose.token, purpose.salt_bytes(), purpose.livemode))
        row = 0
        while batch := await self._next(row):
            row = batch[-1].row
            await self._take_back(engine, undoer, batch)

    def _ask_first(self, purpose: Purpose) -> None:
        tally = self.reader.tally()
        self.undone.customers = tally.count(Status.CREATED)
        self.watch.rows = self.undone.customers
        first = tuple((p.row, p.customer_id or "") for p in self.pairings.after(0, FEW, (Status.CREATED,)))
        listing = Listing(
            str(self.path), purpose.account, purpose.account_name, purpose.livemode, purpose.simulated,
            self.undone.customers, first, self.pairings.unfinished(), tally.count(Status.IN_DOUBT),
        )  # fmt: skip
        if self.undone.customers and not self.agree(listing):
            raise UsageError("not confirmed, so nothing was deleted; answer the question, or pass --yes")

    async def _next(self, row: int) -> list[Pairing]:
        self.engine.check()
        return await self.offload(self.pairings.after, row, self.options.batch_size, (Status.CREATED,))

    async def _take_back(self, engine: Engine, undoer: Undoer, batch: Sequence[Pairing]) -> None:
        """Undo one batch; however it ends, flights land and what Stripe has answered is written."""
        await self.offload(self.pairings.begin_undo, [pairing.row for pairing in batch])
        verdicts: list[tuple[Pairing, Gone | Left]] = []

        async def one(pairing: Pairing) -> Sequence[Piece]:
            # An error that left here would cancel the others' deletes on their way.
            try:
                verdicts.append((pairing, await undoer.undo(pairing)))
            except BulkImportError as error:
                engine.halt(error)
            except Stopped:
                pass
            return ()

        try:
            await engine.together([partial(one, pairing) for pairing in batch], self.gate.max_in_flight)
        finally:
            with anyio.CancelScope(shield=True):
                # What an earlier undo may have deleted stays on record until a retrieve has told.
                unsent = [p.row for p in batch if p.undo_at is None and p.row not in undoer.begun]
                await self._write(verdicts, unsent)

    async def _write(self, verdicts: Sequence[tuple[Pairing, Gone | Left]], unsent: Sequence[int]) -> None:
        undone = [(p.row, p.customer_id or "") for p, verdict in verdicts if isinstance(verdict, Gone)]
        left = [(p.row, f"undo left it: {verdict.why}") for p, verdict in verdicts if isinstance(verdict, Left)]
        await self.offload(self.pairings.settle_undo, undone, left, unsent)
        for pairing, verdict in verdicts:
            self.undone.note(pairing, verdict)

    def tell_progress(self) -> None:
        """Count the customers that are dealt with."""
        self.watch.counts = {Status.PENDING: self.undone.deleted + self.undone.gone + self.undone.left_count}
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
                return f"bulk-import retry {ledger} --only in_doubt"
            case _:
                return self.line
