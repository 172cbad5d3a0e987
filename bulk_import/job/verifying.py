"""`verify`: re-reads Stripe and proves every pairing of a ledger; it changes nothing there."""

from __future__ import annotations

import math
import time
from pathlib import Path

from bulk_import.customer.emails import email_key
from bulk_import.engine import Ended, Engine, run_loop
from bulk_import.errors import LedgerUnwritable
from bulk_import.existing.choice import PROBES
from bulk_import.existing.pages import PAGE
from bulk_import.existing.size import size_of_account
from bulk_import.existing.slices import FIRST_CUSTOMER
from bulk_import.job.clock import this_boot
from bulk_import.job.closing import quoted
from bulk_import.job.history import import_line
from bulk_import.job.session import Session
from bulk_import.ledger import PAIRED, Connection, Purpose, Span, Tally, open_scratch
from bulk_import.model import Status
from bulk_import.options import LedgerOptions, Observer
from bulk_import.report.summary import OK, SOME_FAILED, Summary
from bulk_import.verify import AFTERWARDS, CURSORS, Kind, Known, Proof, Prover, slices
from bulk_import.wording import counted

WORTH_ESTIMATING = PAGE
"""Older customers from which on it is worth asking how large the account is, to list it instead of retrieving them."""

LEAST_PAGES = 10
"""Pages of later customers that are read however few rows the ledger has."""


def verify_job(options: LedgerOptions, observer: Observer) -> tuple[Proof, Summary]:
    """Hold every pairing of the ledger against what Stripe shows, and say what is off.

    Raises `BulkImportError` for whatever makes it impossible before anything was read.
    """
    job = _VerifyJob(options, observer)
    summary = run_loop(job.main)
    return job.proof, summary


class _VerifyJob(Session):
    """`verify`: lists where that is cheaper than a retrieve for each customer, else retrieves."""

    verb = "verify"
    sends = False

    def __init__(self, options: LedgerOptions, observer: Observer) -> None:
        super().__init__(options.connecting, options.pacing, observer, options.command_line)
        self.options = options
        self.proof = Proof()
        self._works_on_a_copy = False

    def take_ledger(self, path: Path) -> None:
        """Take the ledger, or a copy that no file shows where it cannot be written: nothing is to be changed anyway."""
        try:
            super().take_ledger(path)
        except LedgerUnwritable:
            self._works_on_a_copy = True
            self.open_ledger()
            self.purpose = self.reader.purpose()
            said = f"{path} cannot be written, so a copy of it is verified, and {path.name} does not know of that"
            self.observer.notice("read-only", said)

    def open_database(self) -> Connection:
        """The ledger's file, or the copy."""
        return open_scratch(self.path) if self._works_on_a_copy else super().open_database()

    async def course(self, engine: Engine) -> None:
        """Open the ledger, meet Stripe, and read."""
        purpose = self.take_known_ledger(self.options.ledger)
        await self.offload(self.reader.check)
        self.begin_command(this_boot())
        tally = self.reader.tally()
        self.proof.rows = sum(tally.count(status) for status in PAIRED)
        self.watch.rows = self.proof.rows
        span = self.pairings.span()
        prover = self._prover(engine, purpose)
        await prover.hold_duplicates(self.options.batch_size)
        if not self.proof.rows and span is None:
            self.observer.notice("nothing", "no row of this ledger has a customer; nothing to verify")
            return
        await self.reach_same_account(purpose)
        if span is not None:
            await self._list(engine, prover, span, self.proof.rows - tally.count(Status.CREATED))
        await prover.retrieve_rest(self.options.batch_size, self.gate.max_in_flight)
        await prover.list_clocks()
        self.tell_progress()

    def tell_progress(self) -> None:
        """Count the pairings that were looked at."""
        self.watch.looked_at(self.proof.judged)
        super().tell_progress()

    def _prover(self, engine: Engine, purpose: Purpose) -> Prover:
        known = Known(purpose.token, purpose.livemode, lambda email: purpose.owned_key(email_key(email)))
        return Prover(engine.ask, engine.together, self.offload, self.pairings, known, self.proof, purpose.rows)

    async def _list(self, engine: Engine, prover: Prover, span: Span, older: int) -> None:
        """List everybody made during the ledger's work, older ones if that is cheaper, and those who came later."""
        begin = None
        if older >= WORTH_ESTIMATING:
            enough, budget = older * PAGE, max(PROBES, older // 10)
            size = await size_of_account(engine.ask, int(time.time()), enough, budget)
            if size is not None and size.customers is not None and not size.at_least:
                begin = FIRST_CUSTOMER if math.ceil(size.customers / PAGE) <= older else None
        await prover.list_all(slices(span, min(CURSORS, math.ceil(self.proof.rows / PAGE) or 1), begin))
        later, most = int(span.last) + AFTERWARDS, max(LEAST_PAGES, self.proof.rows)
        if later <= time.time():
            await prover.list_later(later, most)
        if self.proof.bounded:
            self.observer.notice(
                "bounded",
                f"more customers came after this ledger's work than {counted(most, 'request')} show, so the newest "
                f"{most * PAGE:,} of them alone were looked through for its marker",
            )

    # Closing.

    def rows_left(self) -> int:
        """Rows of the source that have no customer and so nothing to verify."""
        return self.reader.tally().count(Status.PENDING)

    def code(self, ended: Ended, tally: Tally, left: int) -> int:
        """1 when anything is off, 0 when every pairing is proven; rows in doubt have no pairing yet."""
        if ended.signal is not None or ended.error is not None:
            return super().code(ended, tally, left)
        return SOME_FAILED if self.proof.counts else OK

    def following(self, summary: Summary) -> str | None:
        """Look at the ledger when something is off, fetch the map when all is proven; without customers, import."""
        ledger = quoted(str(self.path))
        if summary.exit_code == OK and not self.proof.rows:
            return import_line(self.reader.commands())
        match summary.exit_code:
            case 0:
                return f"bulk-import export {ledger} --what map"
            case 1 if self._are_all_in_doubt():
                return import_line(self.reader.commands())
            case 1:
                return f"bulk-import export {ledger} --what all"
            case _:
                return self.line

    def _are_all_in_doubt(self) -> bool:
        """Whether what is off may well be the customers of rows in doubt, which only a run or a retry finds out."""
        counts = self.proof.counts
        return {*counts} == {Kind.STRANGER} and counts[Kind.STRANGER] <= self.reader.tally().count(Status.IN_DOUBT)
