"""`retry`: sends failed rows again, out of the ledger alone."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bulk_import.engine import Ended, Engine, run_loop
from bulk_import.job.corrections import read_corrections
from bulk_import.job.feeding import in_batches
from bulk_import.job.history import FINISHED, import_line, last_import
from bulk_import.job.making import Making
from bulk_import.job.opening import clock_jumped, preparing_from, this_boot
from bulk_import.ledger import Purpose, Tally
from bulk_import.model import Record, Released, Row, Settled, Status
from bulk_import.options import Confirm, Observer, RetryOptions
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


Corrections = Mapping[int, Mapping[str, Any]]
"""The corrected fields of each row that a person has mended."""


class _RetryJob(Making):
    """`retry`: account, mode and API base come from the ledger, rows and options too."""

    verb = "retry"

    def __init__(self, options: RetryOptions, observer: Observer, confirm: Confirm) -> None:
        super().__init__(options.connecting, options.pacing, observer, options.command_line, confirm)
        self.options = options

    async def course(self, engine: Engine) -> None:
        """Open the ledger, meet Stripe, and send the chosen rows again."""
        purpose = self.take_known_ledger(self.options.ledger)
        how = self._preparation(purpose)
        corrections = self._corrections(purpose, how)
        boot = this_boot()
        jumped = clock_jumped(self.reader.commands(), boot)
        self.begin_command(boot)
        rows = self._rows(corrections)
        doubtful = Status.IN_DOUBT.value in self.options.only
        at_rest = self.reader.tally().count(Status.IN_DOUBT) if doubtful else 0
        self.watch.begin(purpose.rows, self.reader.tally())
        if left := self.rows_left():
            never = counted(left, "row of the source was", "rows of the source were")
            self.observer.notice("never-sent", f"{never} never sent, which is for run to do")
        self._tell_of_codes()
        if not rows and not at_rest and not self.reader.begun_undos():
            self.observer.notice("nothing", "no row of this ledger is to be sent again, so nothing was sent")
            return
        account = await self.reach_same_account(purpose)
        await self.settle_begun_undos(purpose)
        dedupe = purpose.options.get("dedupe", "auto")
        self.announce(self.start_of(purpose, account, dedupe, len(rows) + at_rest))
        records = self._records(rows, corrections, await self._freed(engine, corrections, how))
        self.watch.reopened_failures(line.status for line in self.reader.lines(rows))
        batches = in_batches(records, how, self.options.batch_size)
        terms = self.terms(purpose, jumped=jumped)
        await self.go(batches, dedupe, terms, len(rows), doubtful=doubtful)

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
        """Where rows were never sent, the import as it was typed last, for all rows."""
        goes_on = (
            summary.exit_code in (OK, SOME_FAILED, STOPPED) and summary.pending and self.engine.ended.error is None
        )
        return (import_line(self.reader.commands()) if goes_on else None) or super().following(summary)

    def _preparation(self, purpose: Purpose) -> Preparation:
        stored = dict(purpose.options)
        reading = Reading.from_json(purpose.reading)
        marker = bool(stored.get("marker", True))
        return preparation(reading, preparing_from(stored), self.method(purpose), marker=marker)

    def _corrections(self, purpose: Purpose, how: Preparation) -> Corrections:
        """What the file corrects; a duplicate that still has its failed owner's e-mail goes on following it."""
        if self.options.fixed is None:
            return {}
        orphans = {number: owner for number, _, owner in self.reader.orphans()}
        found = read_corrections(
            self.options.fixed, self.options.overrides, purpose, self.reader, how, self.observer.notice
        )
        self.stack.callback(found.close)
        following = (number for number in found if number in orphans)
        found.discard([n for n in following if not self._has_moved(orphans[n], found[n], how)])
        return found

    def _rows(self, corrections: Corrections) -> Sequence[int]:
        """The rows to send again, in their order; there may be as many as in the whole source."""
        wanted = [s for s in (Status.FAILED, Status.INVALID) if s.value in self.options.only]
        if self.options.fixed is not None:
            return array("q", sorted(corrections))
        return self.reader.numbers(wanted, self.options.codes)

    async def _freed(self, engine: Engine, corrections: Corrections, how: Preparation) -> dict[int, Record]:
        """Rows whose e-mail was corrected let their duplicates go, or go themselves: those are sent as rows of their own.

        Their fields are taken along, since the ledger forgets those of a row that begins anew.
        """
        moved = array("q", (n for n, fields in corrections.items() if self._has_moved(n, fields, how)))
        spare = array("q", (n for n, fields in corrections.items() if self._has_other_method(n, fields, how)))
        own_way = {number for number, _, _ in self.reader.orphans()} & corrections.keys()
        freed = sorted({number for owner in moved for number in self.reader.duplicates_of(owner)} | own_way)
        kept = {record.number: record for record in self.reader.records(freed)}
        # First of all of them, so that a row may take the e-mail or the payment method of one that comes later.
        await self.offload(self.writer.disown, moved, spare)
        if kept:
            await engine.claim([], [Settled(number, Released(0)) for number in kept])
        return kept

    def _has_moved(self, owner: int, fields: Mapping[str, Any], how: Preparation) -> bool:
        """Whether these fields have another e-mail than the one that *owner* owns."""
        row = prepare(Record(owner, 0, fields), how)
        key = row.email_key if isinstance(row, Row) else None
        return self.writer.owned_key(key) != self.reader.owned_key_of(owner)

    def _has_other_method(self, owner: int, fields: Mapping[str, Any], how: Preparation) -> bool:
        """Whether these fields have another payment method than the one that *owner* has to itself."""
        method = prepare(Record(owner, 0, fields), how).method
        return self.writer.owned_method(method) != self.reader.owned_method_of(owner)

    def _records(self, rows: Sequence[int], corrections: Corrections, freed: Mapping[int, Record]) -> Iterator[Record]:
        """The records in row order, a batch of the ledger's at a time, each with its corrected fields where there are any."""
        numbers = sorted({*rows, *freed}) if freed else rows
        for start in range(0, len(numbers), 500):
            chunk = numbers[start : start + 500]
            found = {**{record.number: record for record in self.reader.records(chunk)}, **freed}
            for number in chunk:
                fields = corrections.get(number)
                if number in found:
                    yield found[number] if fields is None else replace(found[number], fields=fields)
