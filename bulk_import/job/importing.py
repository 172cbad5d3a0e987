"""The composition root: chooses the parts of a run, wires them, opens and closes, and sums up."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from bulk_import import __version__
from bulk_import.engine import Engine, Stopped, run_loop
from bulk_import.errors import SourceError
from bulk_import.job.adopting import changed_options, changes, options_text, prepares, with_kept_key
from bulk_import.job.clock import clock_jumped, this_boot
from bulk_import.job.feeding import from_source
from bulk_import.job.history import REFUSED, import_line
from bulk_import.job.identity import Account, identify
from bulk_import.job.making import Making
from bulk_import.job.opening import check_key, check_purpose, check_reading
from bulk_import.job.remarks import doubt_of_mapping, said_before, said_of_changes
from bulk_import.job.selection import Selection, for_all_rows
from bulk_import.job.simulating import KEY, begun_account, state_file
from bulk_import.job.sources import check_file, check_piped, check_source, ledger_path, spool_path, spooled_source
from bulk_import.keys import parse_key
from bulk_import.ledger import Purpose, new_salt, new_token
from bulk_import.model import Status
from bulk_import.options import Confirm, Observer, RunOptions
from bulk_import.prepare.rows import Preparation
from bulk_import.reading import Fingerprint, Reading, discard_unfinished
from bulk_import.report.summary import OK, Summary
from bulk_import.survey import Survey, preparation, survey


def run_job(options: RunOptions, observer: Observer, confirm: Confirm) -> Summary:
    """Import a source, or go on with an import, and say how it ended.

    Raises `BulkImportError` for whatever makes it impossible before the ledger was opened.
    """
    return run_loop(RunJob(options, observer, confirm).main)


class RunJob(Making):
    """`run`: from a source into its ledger; `plan` goes the same way up to the last step."""

    def __init__(self, options: RunOptions, observer: Observer, confirm: Confirm) -> None:
        super().__init__(options.connecting, options.pacing, observer, options.command_line, confirm)
        self.options = options
        self.selection = Selection(0)

    async def course(self, engine: Engine) -> None:
        """Open or found the ledger, pre-flight the source, meet Stripe, and import."""
        options = self.options
        path = ledger_path(options)
        if not self.connecting.simulate:
            self.key = check_key(self.connecting)
        if options.source != "-":
            check_file(Path(options.source))
        self.take_ledger(path)
        purpose = self.purpose
        if purpose is None:
            await self._found(engine)
        else:
            await self._go_on(engine, purpose)

    async def _found(self, engine: Engine) -> None:
        """A new ledger: nothing is written before the source is known to be good and the account answers."""
        source, spooled = await self._source(engine)
        try:
            purpose, fingerprint = await self._founded(engine, source, spooled=spooled)
        except BaseException as error:
            if not spooled:
                raise
            if not self.path.exists():  # nobody would read it again, and it is personal data
                source.unlink(missing_ok=True)
            if isinstance(error, SourceError):
                raise SourceError(str(error).replace(str(source), "standard input")) from error
            raise
        await self._import(purpose, source, fingerprint, jumped=False)

    async def _founded(self, engine: Engine, source: Path, *, spooled: bool) -> tuple[Purpose, Fingerprint]:
        found = await engine.blocking(partial(survey, source, self.options.preparing, read_progress=self.observer.read))
        self._tell(found)
        boot = this_boot()
        salt = new_salt()
        self.selection = Selection(found.rows, self.options.limit, self.options.sample)
        self.rows_ahead = self.selection.count
        self.reach_stripe(self.simulated_state(None))
        account = await self._account(engine, salt)
        purpose = self._purpose_of(found, source, account, salt, spooled=spooled)
        most = min(self.selection.count, found.valid - found.duplicates)
        self.announce(self.start_of(purpose, account, self.options.dedupe, self.selection.count, most=most))
        self.open_ledger()
        self.writer.found(purpose)
        self.purpose = purpose
        self.begin_command(boot)
        return purpose, found.fingerprint

    async def _go_on(self, engine: Engine, purpose: Purpose) -> None:
        """A ledger that was begun before: everything must fit what it is for."""
        self.observer.notice("continuing", f"going on with the ledger {self.named}")
        key = parse_key(KEY) if self.connecting.simulate else check_key(self.connecting)
        base = purpose.api_base if self.connecting.simulate else self.connecting.api_base
        check_purpose(purpose, self.connecting, key, base)
        check_reading(Reading.from_json(purpose.reading), self.options.preparing.overrides)
        self.writer.adopt(purpose)
        boot = this_boot()
        jumped = clock_jumped(self.reader.commands(), boot)
        self.selection = Selection(purpose.rows, self.options.limit, self.options.sample)
        used = self.reader.tally().count(Status.PENDING) < purpose.rows
        self.options = with_kept_key(self.options, purpose.options, used=used)
        source, fingerprint = await self._same_source(engine, purpose)
        afresh = source is not None and self._prepares_afresh(purpose)
        if afresh or not self._is_finished():
            self._preparation(purpose)
        # Only now: a command that is refused leaves no trace that later ones would take for advice.
        self.begin_command(boot)
        again = sum(map(self.selection.holds, self.reader.never_sent())) if afresh else 0
        self._tell_changes(purpose, again)
        self._watch_chosen()
        if not again and self._is_finished():
            await self.offload(self.reader.check)
            self.observer.notice("finished", "every row was settled before; nothing was sent")
            self._drop_spool(purpose)
            return
        self.reach_stripe(self.simulated_state(purpose))
        account = await self.see_account(purpose)
        purpose = self.purpose or purpose
        await self.settle_begun_undos(purpose)
        self._watch_chosen()
        settled = self.watch.settled - again
        self.announce(self.start_of(purpose, account, self.options.dedupe, self.watch.rows, settled))
        if again:  # not before: whoever answers no finds the ledger as it was
            self.writer.reconsider()
        purpose = self._with_options(purpose)
        assert source is not None  # noqa: S101 - an unfinished ledger was checked to have its source
        await self._import(purpose, source, fingerprint, jumped=jumped)

    async def _import(self, purpose: Purpose, source: Path, fingerprint: Fingerprint, *, jumped: bool) -> None:
        looked_at = self.reader.looked_at()
        left = self.selection.left(looked_at)
        self._watch_chosen()
        reading, how = Reading.from_json(purpose.reading), self._preparation(purpose)
        batches = from_source(source, fingerprint, reading, how, self.selection, looked_at, self.options.batch_size)
        await self.go(batches, self.options.dedupe, self.terms(purpose, jumped=jumped), left, doubtful=True)
        self._doubt_the_mapping()
        self._drop_spool(purpose)

    def _preparation(self, purpose: Purpose) -> Preparation:
        """How a record becomes a row; raises `UsageError` for a mapping that does not fit the ledger's columns."""
        reading, method = Reading.from_json(purpose.reading), self.method(purpose)
        return preparation(reading, self.options.preparing, method, marker=self.options.marker)

    def _prepares_afresh(self, purpose: Purpose) -> bool:
        """Whether other rows may be valid than when the ledger was begun."""
        return prepares(changed_options(dict(purpose.options), options_text(self.options)))

    def _watch_chosen(self) -> None:
        """Count the rows this run is about: those chosen, and whatever is in doubt, which every run looks into."""
        tally = self.reader.tally()
        if self.selection.is_whole:
            self.watch.begin(self.selection.count, tally)
            return
        resting = self.reader.numbers((Status.CLAIMED, Status.IN_DOUBT))
        rows = self.selection.count + sum(not self.selection.holds(n) for n in resting)
        left = self.selection.left(self.reader.looked_at())
        self.watch.begin(rows, tally, rows - left - len(resting))

    def simulated_state(self, purpose: Purpose | None) -> Path | None:
        """Where the simulated account lies, None for a real one; *purpose* is that of a ledger that was begun before."""
        if purpose is not None:
            return begun_account(self.path, purpose.state_file) if purpose.state_file else None
        return state_file(self.path) if self.connecting.simulate else None

    # The source.

    async def _source(self, engine: Engine) -> tuple[Path, bool]:
        if self.options.source != "-":
            return Path(self.options.source), False
        target = spool_path(self.path)
        limit = self.options.preparing.overrides.max_bytes
        try:
            return await engine.blocking(partial(spooled_source, sys.stdin, target, limit)), True
        except Stopped:
            discard_unfinished(target)  # the thread that fills it waits for input and will not be waited for
            raise

    async def _same_source(self, engine: Engine, purpose: Purpose) -> tuple[Path | None, Fingerprint]:
        stored = Fingerprint(purpose.size, purpose.sha256, purpose.chunks)
        if self.options.source != "-":
            path = Path(self.options.source)
            await engine.blocking(partial(check_source, purpose, path))
            return path, stored
        target = spool_path(self.path)
        await engine.blocking(partial(check_piped, sys.stdin, target, purpose, needed=not self._is_finished()))
        if target.exists():
            return target, stored
        if not self._is_finished():
            raise SourceError(
                f"the spooled standard input {target} is gone; pipe the same once more, or start a new ledger with --ledger"
            )
        return None, stored

    def _drop_spool(self, purpose: Purpose) -> None:
        """Once every row of standard input is settled, not only every chosen one, nothing of it is needed any more."""
        tally = self.reader.tally()
        if purpose.spooled and not (tally.count(Status.PENDING) or tally.count(Status.IN_DOUBT)):
            spool_path(self.path).unlink(missing_ok=True)

    def _is_finished(self) -> bool:
        at_rest = self.reader.tally().count(Status.IN_DOUBT) or self.reader.begun_undos()
        return not at_rest and not self.rows_left()

    def following(self, summary: Summary) -> str | None:
        """Once the chosen rows have their customers, the same for all rows; what was refused is no advice."""
        if summary.exit_code in REFUSED and self.command is not None:
            return import_line(self.reader.commands()[:-1])
        if summary.exit_code == OK and self.purpose is not None and self.selection.count < self.purpose.rows:
            return for_all_rows(self.line)
        return super().following(summary)

    def rows_left(self) -> int:
        """Chosen rows that were never sent."""
        if self.selection.is_whole:
            return self.reader.tally().count(
                Status.PENDING
            )  # counted by an index, where a look at a million rows takes 0.3 s
        return self.selection.left(self.reader.looked_at())

    # What the ledger is for.

    async def _account(self, engine: Engine, salt: str) -> Account:
        assert self.key is not None  # noqa: S101 - `reach_stripe` refused to go on without
        return await identify(engine.ask, self.key, self.api_base, bytes.fromhex(salt))

    def _purpose_of(self, found: Survey, source: Path, account: Account, salt: str, *, spooled: bool) -> Purpose:
        options, print_ = self.options, found.fingerprint
        return Purpose(
            token=new_token(), salt=salt, source="-" if spooled else str(source.resolve()), size=print_.size,
            sha256=print_.sha256, chunks=print_.chunks, reading=found.reading.to_json(), rows=found.rows,
            mapping=found.mapping.digest(), options=options_text(options), account=account.id,
            account_name=account.name, livemode=self.key.livemode if self.key else False,
            stripe_account=options.connecting.stripe_account, api_base=self.api_base,
            state_file=str(state_file(self.path).resolve()) if options.connecting.simulate else None,
            stripe_version=self.stripe_version, tool_version=__version__, created_at=time.time(),
            dry_run=options.connecting.dry_run, hash_emails=options.hash_emails, spooled=spooled,
        )  # fmt: skip

    def _with_options(self, purpose: Purpose) -> Purpose:
        """Today's options hold for rows not yet claimed; where none is left to claim, the ledger's stay."""
        asked = options_text(self.options)
        if not (self.rows_left() and changed_options(dict(purpose.options), asked)):
            return purpose
        purpose = replace(purpose, options=asked)
        self.writer.found(purpose)
        self.purpose = purpose
        return purpose

    # What is said.

    def _doubt_the_mapping(self) -> None:
        if said := doubt_of_mapping(self.reader.tally(), next(iter(self.reader.troubles(1)), None)):
            self.observer.notice("mapping", said)

    def _tell_changes(self, purpose: Purpose, again: int) -> None:
        """Say each option that changed; so many rows that were refused here, under another mapping, are prepared *again*."""
        asked, stored = options_text(self.options), dict(purpose.options)
        if not changed_options(stored, asked):
            return
        settled = self.reader.tally().settled - again
        self.observer.notice("options", said_of_changes(changes(stored, asked), settled, again))

    def _tell(self, found: Survey) -> None:
        for code, message in said_before(found, self.options):
            self.observer.notice(code, message)
