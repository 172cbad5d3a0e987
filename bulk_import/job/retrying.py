"""`retry`: sends failed rows again, out of the ledger alone."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from functools import partial

from bulk_import.engine import Ended, Engine, run_loop
from bulk_import.job.adopting import preparing_from
from bulk_import.job.clock import clock_jumped, this_boot
from bulk_import.job.corrections import CHUNK, digest_of, read_corrections
from bulk_import.job.feeding import in_batches
from bulk_import.job.history import FINISHED, import_line, last_file, last_import
from bulk_import.job.letting_go import LettingGo, waiting
from bulk_import.job.making import Making
from bulk_import.job.script import Batches
from bulk_import.job.selection import for_code
from bulk_import.ledger import MENDED, Mended, Purpose, TakenOver, Tally
from bulk_import.model import Prepared, Record, Row, Status
from bulk_import.options import Confirm, Observer, RetryOptions
from bulk_import.prepare.keeping import NOT_AS_GIVEN
from bulk_import.prepare.rows import Preparation, prepare
from bulk_import.reading import Reading
from bulk_import.report.summary import OK, SOME_FAILED, STOPPED, Summary
from bulk_import.survey import preparation
from bulk_import.wording import counted, nearest, terminal_safe


def retry_job(options: RetryOptions, observer: Observer, confirm: Confirm) -> Summary:
    """Send rows of a ledger again under new keys and say how that ended.

    Raises `BulkImportError` for whatever makes it impossible before the ledger was opened.
    """
    return run_loop(_RetryJob(options, observer, confirm).main)


class _RetryJob(Making):
    """`retry`: account, mode and API base come from the ledger, rows and options too."""

    verb = "retry"

    def __init__(self, options: RetryOptions, observer: Observer, confirm: Confirm) -> None:
        super().__init__(options.connecting, options.pacing, observer, options.command_line, confirm)
        self.options = options
        self._file: str | None = None
        self._goes_on = False
        self._has_taken_over = False
        self._letting_go: LettingGo
        self._how: Preparation

    async def course(self, engine: Engine) -> None:
        """Open the ledger, meet Stripe, take over what was mended, and send the chosen rows again."""
        purpose = self.take_known_ledger(self.options.ledger)
        how = self._preparation(purpose)
        mended = await self._mended(engine, purpose, how)
        boot = this_boot()
        jumped = clock_jumped(self.reader.commands(), boot)
        self.begin_command(boot)
        doubtful = Status.IN_DOUBT.value in self.options.only
        at_rest = self.reader.tally().count(Status.IN_DOUBT) if doubtful else 0
        self.watch.begin(purpose.rows, self.reader.tally())
        if left := self.rows_left():
            never = counted(left, "row of the source was", "rows of the source were")
            self.observer.notice("never-sent", f"{never} never sent, which is for run to do")
        self._tell_of_codes()
        self._tell_of_torn()
        count = self._count(mended, how)
        if not count and not mended and not at_rest and not self.reader.begun_undos():
            self.observer.notice("nothing", "no row of this ledger is to be sent again, so nothing was sent")
            return
        account = await self.reach_same_account(purpose)
        await self.settle_begun_undos(purpose)
        dedupe = purpose.options.get("dedupe", "auto")
        self.announce(self.start_of(purpose, account, dedupe, count + at_rest))
        rows, spoiled = await self._taken_over(mended, how)
        self.watch.begin(purpose.rows, self.reader.tally())
        self.watch.reopened_failures(line.status for line in self.reader.lines(rows))
        if self.observer.wants_rows:
            self.observer.lines(self.told.known(self.reader.lines(spoiled)))
        batches = in_batches(self._records(rows), how, self.options.batch_size)
        terms = self.terms(purpose, jumped=jumped)
        self._letting_go = LettingGo(self.reader, rows)
        self._how = how
        await self.go(batches, dedupe, terms, len(rows), doubtful=doubtful)

    async def let_go(self) -> Batches | None:
        """Duplicates of rows that came again as somebody else, or as nobody, go their own way at once."""
        freed = await self.offload(self._letting_go.rows)
        self.watch.reopened_failures(Status.DUPLICATE.value for _ in freed)
        return in_batches(self._records(freed), self._how, self.options.batch_size) if freed else None

    def _tell_of_codes(self) -> None:
        """Say which of the codes asked for no row has."""
        there = {trouble.code for trouble in self.reader.troubles(1) if trouble.status in self.options.only}
        known = sorted(code for code in there if code is not None)
        for code in self.options.codes:
            if code not in known:
                close = nearest(code, known)
                meant = f"did you mean {close}?" if close else f"there are {', '.join(known) or 'none'}"
                self.observer.notice(
                    "code", f"no row that is retried has the error code {terminal_safe(code)}; {meant}"
                )

    def rows_left(self) -> int:
        """Rows of the source that no run has come to yet."""
        return self.reader.tally().count(Status.PENDING)

    def code(self, ended: Ended, tally: Tally, left: int) -> int:
        """Rows that an import was not to send, with --limit say, are nothing that a retry left behind."""
        run = last_import(self.reader.commands()) if self.is_open else None
        return super().code(ended, tally, 0 if run is not None and run.exit_code in FINISHED else left)

    def why_unfinished(self, left: int) -> str:
        """A retry is about rows that failed; rows never sent are `run`'s."""
        return f"{counted(left, 'row of the source was', 'rows of the source were')} never sent; the import goes on with the next command"

    def following(self, summary: Summary) -> str | None:
        """Where mended rows are left, the same without their file, which the ledger has taken over; else rows never sent."""
        if self._has_taken_over and self.reader.has_mended():
            return for_code(self.line, MENDED)
        goes_on = (
            summary.exit_code in (OK, SOME_FAILED, STOPPED) and summary.pending and self.engine.ended.error is None
        )
        return (import_line(self.reader.commands()) if goes_on else None) or super().following(summary)

    def _preparation(self, purpose: Purpose) -> Preparation:
        stored = dict(purpose.options)
        reading = Reading.from_json(purpose.reading)
        marker = bool(stored.get("marker", True))
        return preparation(reading, preparing_from(stored), self.method(purpose), marker=marker)

    async def _mended(self, engine: Engine, purpose: Purpose, how: Preparation) -> Mended | None:
        """The rows of the file and their mended fields; None without a file."""
        options, said = self.options, list[tuple[str, str]]()
        if options.fixed is None:
            return None
        self._file = await engine.blocking(digest_of, options.fixed, options.overrides)
        self._goes_on = self._file is not None and self._file == last_file(self.reader.commands())
        read = partial(read_corrections, options.fixed, options.overrides, purpose, self.reader, how)
        try:
            found = await engine.blocking(
                partial(read, goes_on=self._goes_on), lambda code, message: said.append((code, message))
            )
        finally:
            for code, message in said:
                self.observer.notice(code, message)
        self.stack.callback(found.close)
        return found

    def _count(self, mended: Mended | None, how: Preparation) -> int:
        """How many rows are to be sent; a duplicate that still has its failed owner's e-mail goes on following it."""
        if mended is None:
            return len(self._failed())
        others = sum(number not in mended for number in waiting(self.reader)) if self._goes_on else 0
        return others + len(mended) - self._following(mended, how)

    def _following(self, mended: Mended, how: Preparation) -> int:
        numbers, count = mended.numbers(), 0
        for start in range(0, len(numbers), CHUNK):
            followed = self.reader.followed_keys(numbers[start : start + CHUNK])
            rows = (prepare(Record(number, 0, mended[number]), how) for number in followed)
            count += sum(
                isinstance(row, Row) and self.writer.owned_key(row.email_key) == followed[row.number] for row in rows
            )
        return count

    def _failed(self) -> array[int]:
        """The rows that were asked for, in their order; there may be as many as in the whole source."""
        wanted = [s for s in (Status.FAILED, Status.INVALID) if s.value in self.options.only]
        return self.reader.numbers(wanted, self.options.codes, sorted(NOT_AS_GIVEN))

    def _tell_of_torn(self) -> None:
        """Say how many rows are not sent though they were asked for: what the ledger holds is not what the source says."""
        asked = self.options.fixed is None and Status.INVALID.value in self.options.only
        torn = len(self.reader.numbers((Status.INVALID,), sorted(NOT_AS_GIVEN))) if asked else 0
        if torn:
            self.observer.notice(
                "torn",
                f"{counted(torn, 'row is', 'rows are')} torn, or held here with a card number or a password masked, and not "
                "sent: mend the failed export and give it back with --with",
            )

    async def _taken_over(self, mended: Mended | None, how: Preparation) -> TakenOver:
        """The rows to send again, and those that were mended and still cannot be sent.

        What was mended is in the ledger by then, whatever ends this command after that.
        """
        if mended is None:
            return TakenOver(self._failed(), array("q"))
        assert self.command is not None  # noqa: S101 - it has begun
        taken_over = await self.offload(self.writer.mend, self._prepared(mended, how), self.command, self._file)
        self._has_taken_over = True
        # A file that goes on may have let rows go that it does not name.
        return taken_over._replace(to_send=waiting(self.reader)) if self._goes_on else taken_over

    def _prepared(self, mended: Mended, how: Preparation) -> Iterator[Prepared]:
        """The mended rows; a stop in the middle ends the commit that takes them over, and then none of it is on disk."""
        for number, fields in mended.items():
            self.engine.check()
            yield prepare(Record(number, 0, fields), how)

    def _records(self, rows: Sequence[int]) -> Iterator[Record]:
        """The records in row order, a batch of the ledger's at a time."""
        for start in range(0, len(rows), CHUNK):
            yield from self.reader.records(rows[start : start + CHUNK])
