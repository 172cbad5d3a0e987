"""The composition root: chooses the parts of a run, wires them, opens and closes, and sums up."""

from __future__ import annotations

import random
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from bulk_import import __version__
from bulk_import.budget import Budget
from bulk_import.caps import binding, endpoint_caps
from bulk_import.emails import email_key
from bulk_import.engine import SIGNALS, Ended, Engine, Parts, in_one_thread
from bulk_import.errors import SourceError, UsageError
from bulk_import.existing import Means, choose
from bulk_import.feeding import from_source
from bulk_import.identity import Account, identify
from bulk_import.keys import SecretKey, parse_key
from bulk_import.ledger import Lock, Purpose, Reader, Tally, Writer, new_salt, new_token, open_for_writing
from bulk_import.model import Reply, Request, Settled, Status
from bulk_import.opening import (
    Boot,
    as_text,
    check_file,
    check_key,
    check_piped,
    check_purpose,
    check_reading,
    check_source,
    clock_jumped,
    ledger_path,
    options_text,
    same_account,
    spool_path,
    spooled_source,
    this_boot,
)
from bulk_import.options import Confirm, Connecting, Observer, Pacing, RunOptions, Start
from bulk_import.pace import Gate
from bulk_import.reading import Fingerprint, Reading
from bulk_import.report.summary import Summary, exit_code
from bulk_import.script import Batches, Script, Terms
from bulk_import.selection import Selection
from bulk_import.settle import Limits
from bulk_import.simulating import KEY, simulator, state_file
from bulk_import.survey import Survey, preparation, survey
from bulk_import.watching import Watch

if TYPE_CHECKING:
    from bulk_import.stripe_api import StripeApi

DRY_RUN_METHOD = "pm_card_visa"
"""What every payment method becomes in a rehearsal: a real one belongs to another mode."""


def run_job(options: RunOptions, observer: Observer, confirm: Confirm) -> Summary:
    """Import a source, or go on with an import, and say how it ended.

    Raises `BulkImportError` for whatever makes it impossible before the ledger was opened.
    """
    return anyio.run(partial(_RunJob(options, observer, confirm).main))


class Session:
    """What every job on a ledger shares: the lock, the ledger, the gate, the way to Stripe, and the closing."""

    verb = "run"

    def __init__(self, connecting: Connecting, pacing: Pacing, observer: Observer, batch_size: int, line: str) -> None:
        self.connecting = connecting
        self.pacing = pacing
        self.observer = observer
        self.batch_size = batch_size
        self.line = line
        self.stack = ExitStack()
        self.path = Path()
        self.key: SecretKey | None = connecting.key
        self.api_base = connecting.api_base
        self.purpose: Purpose | None = None
        self.process_started = time.time()
        self.began = time.monotonic()
        self.command: int | None = None
        self._writer: Writer | None = None
        self._reader: Reader | None = None
        self._api: StripeApi | None = None

    # Opening.

    def take_ledger(self, path: Path) -> None:
        """Lock the ledger and, where it exists, open it."""
        self.path = path
        lock = Lock(path)
        self.stack.callback(lock.release)
        self.process_started = time.time()
        if path.exists() and path.stat().st_size:
            self.open_ledger()
            self.purpose = self.reader.purpose()

    def open_ledger(self) -> None:
        """Open or make the ledger file; the lock is held."""
        db = open_for_writing(self.path)
        self._writer, self._reader = Writer(db, self.path, time.time), Reader(db, self.path)
        self.stack.callback(self._close_ledger)

    def begin_command(self, boot: Boot) -> None:
        """Log in the ledger that this command works on it."""
        self.command = self.writer.begin_command(self.verb, boot.id, boot.offset)

    @property
    def writer(self) -> Writer:
        """The open ledger, to change it."""
        if self._writer is None:
            raise RuntimeError("the ledger is not open")
        return self._writer

    @property
    def reader(self) -> Reader:
        """The open ledger, to ask it."""
        if self._reader is None:
            raise RuntimeError("the ledger is not open")
        return self._reader

    def reach_stripe(self, simulated: Path | None) -> None:
        """Make the way to Stripe, or start the simulator on its state file *simulated*."""
        # Imported here because it costs a third of a second, and a finished ledger needs none of it.
        from bulk_import.stripe_api import STRIPE_VERSION, StripeApi

        if simulated is not None:
            self.api_base = self.stack.enter_context(simulator(simulated))
            self.key = parse_key(KEY)
        if self.key is None:
            raise UsageError("no API key was given: set STRIPE_API_KEY or pass --api-key-file")
        self.stripe_version = self.purpose.stripe_version if self.purpose else STRIPE_VERSION
        self._api = StripeApi(
            self.key,
            base=self.api_base,
            stripe_account=self.connecting.stripe_account,
            connections=self.gate.max_in_flight,
            deadline=self.pacing.timeout,
            stripe_version=self.stripe_version,
        )

    # Running.

    async def main(self) -> Summary:
        """Run the job under the engine, close everything, and sum up."""
        pacing = self.pacing
        self.gate = Gate(
            pacing.rate, endpoint_caps(pacing), concurrency=pacing.concurrency, give_up_after=pacing.give_up_after,
            notify=self.observer.notice,
        )  # fmt: skip
        self.watch = Watch(self.gate, time.monotonic)
        self.offload = in_one_thread()
        livemode = self.key.livemode if self.key and not self.connecting.simulate else False
        self.engine = Engine(
            Parts(
                write=lambda claims, settled: self.writer.write(claims, settled),
                send=self._send,
                gate=self.gate,
                offload=self.offload,
                offload_reading=in_one_thread(abandon=True),
                now=time.time,
                tick=time.monotonic,
                chance=random.random,
                written=self._written,
                progress=lambda: self.observer.progress(self.watch.progress()),
                limits=Limits(pacing.max_attempts, pacing.timeout),
                livemode=livemode,
                budget=Budget(pacing.max_errors, pacing.max_error_share),
            )
        )
        with self.stack:
            try:
                ended = await self.engine.run(self.course, SIGNALS)
            finally:
                if self._api is not None:
                    await self._api.aclose()
            if ended.error is not None and self.command is None:
                raise ended.error
            return self._sum_up(ended)

    async def course(self, engine: Engine) -> None:
        """What this job does; each kind of job has its own."""
        raise NotImplementedError

    async def go(self, batches: Batches, dedupe: str, terms: Terms, rows_left: int, *, doubtful: bool) -> None:
        """Choose who to ask for existing customers, and follow the script."""
        engine = self.engine
        means = Means(engine.ask, engine.together, self.offload, self.writer, self.reader, time.time, email_key)
        choice = await choose(dedupe if rows_left else "off", rows_left, means)
        if rows_left:
            self.observer.notice("dedupe", f"{choice.name}: {choice.reason}")
        script = Script(engine, terms, self.writer, self.reader, self.offload, self.watch, self.observer.notice)
        await script.follow(choice.directory, batches, doubtful=doubtful)

    def terms(self, purpose: Purpose, *, jumped: bool) -> Terms:
        """What holds for this run on this ledger."""
        stored = purpose.options
        assert self.key is not None  # noqa: S101 - `reach_stripe` refused to go on without
        return Terms(
            token=purpose.token,
            fingerprint=self.key.fingerprint(purpose.salt_bytes()),
            marker=bool(stored.get("marker", True)),
            on_existing=stored.get("on_existing", "skip"),
            process_started=self.process_started,
            deadline=self.pacing.timeout,
            clock_jumped=jumped,
        )

    async def let_the_last_second_pass(self) -> None:
        """A process that died a moment ago may have started requests in this very second: its second counts, too."""
        await self.engine.nap(1.0 - (time.time() - self.process_started))

    async def _send(self, request: Request) -> Reply:
        assert self._api is not None  # noqa: S101 - nothing is sent before `reach_stripe`
        return await self._api.send(request)

    def _written(self, settled: Sequence[Settled]) -> None:
        self.watch.written(settled)
        if self.observer.wants_rows:
            self.observer.lines(list(self.reader.lines([s.number for s in settled])))

    # Closing.

    def rows_left(self) -> int:
        """Chosen rows that were never sent."""
        raise NotImplementedError

    def _sum_up(self, ended: Ended) -> Summary:
        tally = self.reader.tally() if self.command is not None else Tally(0, {}, 0)
        count = tally.count
        left = self.rows_left() if self.command is not None else 0
        code = exit_code(
            signal=ended.signal, error_code=ended.error.exit_code if ended.error else None,
            in_doubt=count(Status.IN_DOUBT), failed=count(Status.FAILED), invalid=count(Status.INVALID),
            orphans=tally.orphans, pending=left,
        )  # fmt: skip
        seconds = time.monotonic() - self.began
        requests = {e.value: n for e, n in sorted(self.engine.requests.items())}
        reason = str(ended.error) if ended.error else f"stopped by signal {ended.signal}" if ended.signal else None
        summary = Summary(
            exit_code=code,
            rows=sum(count(s) for s in Status if s not in (Status.PENDING, Status.CLAIMED)) + left,
            created=count(Status.CREATED), existing=count(Status.EXISTING), updated=count(Status.UPDATED),
            duplicate=count(Status.DUPLICATE), invalid=count(Status.INVALID), failed=count(Status.FAILED),
            in_doubt=count(Status.IN_DOUBT), pending=left,
            requests=sum(requests.values()), requests_by_endpoint=requests, rate_limited=self.gate.rate_limited,
            seconds=round(seconds, 3), requests_per_second=_pace(self.gate),
            rows_per_second=round(self.watch.fresh / max(seconds, 1e-9), 2),
            ledger=str(self.path), next=None, reason=reason, unwritten=tuple(ended.unwritten),
        )  # fmt: skip
        summary = replace(summary, next=next_command(summary, self.line))
        if self.command is not None:
            with suppress(Exception):  # a full disk was reported already; the log line stays open
                facts = {"requests": requests, "rate_limited": self.gate.rate_limited, "seconds": summary.seconds}
                self.writer.end_command(self.command, code, reason, facts)
        return summary

    def _close_ledger(self) -> None:
        with suppress(Exception):  # everything that counts was committed; the next start truncates the log
            self.writer.close()


def next_command(summary: Summary, line: str) -> str | None:
    """What to type next, None when nothing is left to do."""
    if summary.exit_code == 0:
        return f"bulk-import export {quoted(summary.ledger)} --what map"
    if summary.exit_code == 1:
        return f"bulk-import export {quoted(summary.ledger)} --what failed"
    return line


def quoted(text: str) -> str:
    """A path as a shell takes it."""
    return shlex.quote(text)


def _pace(gate: Gate) -> float:
    share, total = gate.starts.total(), gate
    if total.first_start is None or total.last_start is None or total.last_start <= total.first_start:
        return 0.0
    return round((share - 1) / (total.last_start - total.first_start), 2)


class _RunJob(Session):
    """`run`: from a source into its ledger."""

    def __init__(self, options: RunOptions, observer: Observer, confirm: Confirm) -> None:
        super().__init__(options.connecting, options.pacing, observer, options.batch_size, options.command_line)
        self.options = options
        self.confirm = confirm
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
        found = await engine.blocking(partial(survey, source, self.options.preparing, read_progress=self.observer.read))
        self._tell(found)
        boot = this_boot()
        salt = new_salt()
        self.reach_stripe(state_file(self.path) if self.connecting.simulate else None)
        account = await self._account(engine, salt)
        purpose = self._purpose_of(found, source, account, salt, spooled=spooled)
        self._start(purpose, settled=0, account=account)
        self.open_ledger()
        self.writer.found(purpose)
        self.purpose = purpose
        self.begin_command(boot)
        await self._import(purpose, source, found.fingerprint, jumped=False)

    async def _go_on(self, engine: Engine, purpose: Purpose) -> None:
        """A ledger that was begun before: everything must fit what it is for."""
        key = parse_key(KEY) if self.connecting.simulate else check_key(self.connecting)
        base = purpose.api_base if self.connecting.simulate else self.connecting.api_base
        check_purpose(purpose, self.connecting, key, base)
        check_reading(Reading.from_json(purpose.reading), self.options.preparing.overrides)
        self.writer.adopt(purpose)
        boot = this_boot()
        jumped = clock_jumped(self.reader.commands(), boot)
        self.selection = Selection(purpose.rows, self.options.limit, self.options.sample)
        self.begin_command(boot)
        source, fingerprint = await self._same_source(engine, purpose)
        purpose = self._with_options(purpose)
        self.watch.begin(self.selection.count, self.reader.tally())
        if self._is_finished():
            self.observer.notice("finished", "every row was settled before; nothing was sent")
            return
        self.reach_stripe(Path(purpose.state_file) if purpose.state_file else None)
        await self.let_the_last_second_pass()
        account = await same_account(engine.ask, purpose, self.key or key, self.api_base, self.reader)
        self._start(purpose, settled=self.watch.settled, account=account)
        assert source is not None  # noqa: S101 - an unfinished ledger was checked to have its source
        await self._import(purpose, source, fingerprint, jumped=jumped)

    async def _import(self, purpose: Purpose, source: Path, fingerprint: Fingerprint, *, jumped: bool) -> None:
        self.selection = Selection(purpose.rows, self.options.limit, self.options.sample)
        looked_at = self.reader.looked_at()
        left = self.selection.left(looked_at)
        self.watch.begin(self.selection.count, self.reader.tally())
        reading = Reading.from_json(purpose.reading)
        how = preparation(reading, self.options.preparing, DRY_RUN_METHOD if purpose.dry_run else None)
        how = replace(how, marker=bool(purpose.options.get("marker", True)))
        batches = from_source(source, fingerprint, reading, how, self.selection, looked_at, self.batch_size)
        await self.go(batches, self.options.dedupe, self.terms(purpose, jumped=jumped), left, doubtful=True)
        if purpose.spooled and self._is_finished():
            spool_path(self.path).unlink(missing_ok=True)

    # The source.

    async def _source(self, engine: Engine) -> tuple[Path, bool]:
        if self.options.source != "-":
            return Path(self.options.source), False
        target = spool_path(self.path)
        limit = self.options.preparing.overrides.max_bytes
        return await engine.blocking(partial(spooled_source, sys.stdin, target, limit)), True

    async def _same_source(self, engine: Engine, purpose: Purpose) -> tuple[Path | None, Fingerprint]:
        stored = Fingerprint(purpose.size, purpose.sha256, purpose.chunks)
        if self.options.source != "-":
            path = Path(self.options.source)
            await engine.blocking(partial(check_source, purpose, path))
            return path, stored
        target = spool_path(self.path)
        await engine.blocking(partial(check_piped, sys.stdin, target, purpose))
        if target.exists():
            return target, stored
        if not self._is_finished():
            raise SourceError(f"the spooled standard input {target} is gone; start a new ledger with --ledger")
        return None, stored

    def _is_finished(self) -> bool:
        tally = self.reader.tally()
        return not tally.count(Status.IN_DOUBT) and not self.selection.left(self.reader.looked_at())

    def rows_left(self) -> int:
        """Chosen rows that were never sent."""
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
        """Today's options hold for rows not yet claimed; a change is said aloud."""
        asked = options_text(self.options)
        if as_text(asked) == as_text(dict(purpose.options)):
            return purpose
        self.observer.notice(
            "options", "options changed since this ledger was begun; they hold for rows not yet claimed"
        )
        purpose = replace(purpose, options=asked)
        self.writer.found(purpose)
        self.purpose = purpose
        return purpose

    # What is said.

    def _tell(self, found: Survey) -> None:
        for notice in found.reading_notices:
            self.observer.notice(notice.code, notice.message)
        for mapped in found.mapping.notices:
            self.observer.notice("mapping", mapped)
        if self.connecting.dry_run:
            self.observer.notice("dry-run", f"dry run: every payment method is replaced by {DRY_RUN_METHOD}")

    def _start(self, purpose: Purpose, settled: int, account: Account) -> None:
        rate, which = binding(self.pacing)
        selection = Selection(purpose.rows, self.options.limit, self.options.sample)
        start = Start(
            purpose.source, str(self.path), purpose.account, account.name or purpose.account_name, purpose.livemode,
            purpose.simulated, selection.count, settled, self.pacing.rate, rate, which, self.options.dedupe,
            purpose.dry_run,
        )  # fmt: skip
        if purpose.livemode and not self.connecting.yes and not self.confirm(start):
            raise UsageError("not confirmed, so nothing was sent; answer the question, or pass --yes")
        self.observer.start(start)
