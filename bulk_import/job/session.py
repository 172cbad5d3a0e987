"""What every job on a ledger shares: the lock, the ledger, the gate, the way to Stripe, the engine, the closing."""

from __future__ import annotations

import random
import shlex
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bulk_import.budget import Budget
from bulk_import.customer.emails import email_key
from bulk_import.engine import SIGNALS, Ended, Engine, Parts, in_one_thread
from bulk_import.errors import LedgerRefuses, UsageError
from bulk_import.existing import Choice, Means, Nobody, choose
from bulk_import.job.begun import BegunUndos
from bulk_import.job.caps import binding, endpoint_caps, seconds_at_caps
from bulk_import.job.clock import steady
from bulk_import.job.identity import Account
from bulk_import.job.opening import Boot, check_key, check_purpose, same_account
from bulk_import.job.script import Batches, Script, Terms
from bulk_import.job.simulating import KEY, simulator
from bulk_import.job.telling import Told
from bulk_import.job.watching import Watch
from bulk_import.keys import SecretKey, parse_key
from bulk_import.ledger import Lock, Pairings, Purpose, Reader, Tally, Writer, open_for_writing
from bulk_import.model import Claim, Endpoint, InDoubt, Released, Reply, Request, Settled, Status
from bulk_import.options import DRY_RUN_METHOD, STRIPE, Confirm, Connecting, Observer, Pacing, Start
from bulk_import.pace.gate import Gate
from bulk_import.report.summary import DOUBT, STOPPED, Summary, exit_code
from bulk_import.series import Sample, Series
from bulk_import.settle import Limits
from bulk_import.undo import Known

if TYPE_CHECKING:
    from bulk_import.stripe_api.sending import StripeApi


LONGEST_ATTEMPT = 30.0
"""Seconds for which a server may go on acting on a request, however early we stopped listening to it."""


class Session:
    """What every job on a ledger shares: the lock, the ledger, the gate, the way to Stripe, and the closing."""

    verb = "run"
    sends = True
    """Whether this job makes customers."""

    def __init__(self, connecting: Connecting, pacing: Pacing, observer: Observer, line: str) -> None:
        self.connecting = connecting
        self.pacing = pacing
        self.observer = observer
        self.line = line
        self.stack = ExitStack()
        self.path = Path()
        self.key: SecretKey | None = connecting.key
        self.api_base = connecting.api_base
        self.purpose: Purpose | None = None
        self.now = steady()
        self.process_started = self.now()
        self.began = time.monotonic()
        self.command: int | None = None
        self._samples: deque[Sample] = deque()  # handed from the event loop to the thread that writes
        self.advice: str | None = None
        self._writer: Writer | None = None
        self._pairings: Pairings | None = None
        self._reader: Reader | None = None
        self._api: StripeApi | None = None

    # Opening.

    def take_ledger(self, path: Path) -> None:
        """Lock the ledger and, where it exists, open it."""
        self.path = path
        lock = Lock(path)
        self.stack.callback(lock.release)
        self.process_started = self.now()
        if path.exists() and path.stat().st_size:
            self.open_ledger()
            self.purpose = self.reader.purpose()

    def open_ledger(self) -> None:
        """Open or make the ledger file; the lock is held."""
        db = open_for_writing(self.path)
        self._writer, self._reader = Writer(db, self.path, self.now), Reader(db, self.path)
        self._pairings = Pairings(db, self.path, self.now)
        self.stack.callback(self._close_ledger)

    def take_known_ledger(self, path: Path) -> Purpose:
        """Open a ledger that a run wrote, and take account, mode, server and kind over from it."""
        if not path.exists():
            raise LedgerRefuses(f"the ledger {path} is not there; give the path of a ledger that a run wrote")
        self.take_ledger(path)
        purpose = self.purpose
        if purpose is None:
            raise LedgerRefuses(f"the ledger {self.path} knows no source yet; run the import first")
        self._take_over(purpose)
        self.writer.adopt(purpose)
        return purpose

    def _take_over(self, purpose: Purpose) -> None:
        """Server, connected account and kind come from the ledger; a key must still be allowed there."""
        asked = self.connecting
        base = asked.api_base if asked.api_base != STRIPE else purpose.api_base
        account = asked.stripe_account or purpose.stripe_account
        self.connecting = replace(asked, api_base=base, stripe_account=account, simulate=purpose.simulated)
        self.api_base = base
        self.key = parse_key(KEY) if purpose.simulated else check_key(self.connecting)
        check_purpose(purpose, self.connecting, self.key, base)

    async def reach_same_account(self, purpose: Purpose) -> Account:
        """Make the way to Stripe and see that it leads to the account this ledger is for."""
        self.reach_stripe(Path(purpose.state_file) if purpose.state_file else None)
        await self.let_the_last_second_pass()
        assert self.key is not None  # noqa: S101 - `reach_stripe` refused to go on without
        return await same_account(self.engine.ask, purpose, self.key, self.api_base, self.reader)

    def begin_command(self, boot: Boot) -> None:
        """Log in the ledger that this command works on it."""
        self.command = self.writer.begin_command(self.verb, boot.id, boot.offset, self.line)

    async def settle_begun_undos(self, purpose: Purpose) -> None:
        """See what an undo that was cut short has taken back, before anything that the ledger says is believed."""
        if not (begun := self.reader.begun_undos()):
            return
        self.observer.notice(
            "undo",
            f"an undo of this ledger was cut short: looking at {begun} customers that it may have deleted or put back; "
            f"to finish it instead, type bulk-import undo {quoted(str(self.path))}",
        )
        known = Known(purpose.token, purpose.salt_bytes(), purpose.livemode)
        # By then whatever the dead process had begun has ended; a plan is believed for no longer than it takes to read.
        sure = self.process_started + longest_attempt(self.pacing) if self.sends else self.now()
        begun_undos = BegunUndos(self.engine, self.pairings, self.offload, known, sure, self.observer.notice)
        await begun_undos.settle()

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

    @property
    def pairings(self) -> Pairings:
        """The open ledger's rows and their customers."""
        if self._pairings is None:
            raise RuntimeError("the ledger is not open")
        return self._pairings

    def reach_stripe(self, simulated: Path | None) -> None:
        """Make the way to Stripe, or start the simulator on its state file *simulated*."""
        # Imported here because it costs a third of a second, and a finished ledger needs none of it.
        from bulk_import.stripe_api.composing import STRIPE_VERSION
        from bulk_import.stripe_api.sending import StripeApi

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
        self.watch = Watch(self.gate, time.monotonic, binding(pacing)[0])
        self.series = Series(self.now, pacing.rate)
        self.told = Told(lambda numbers: self.reader.lines(numbers))
        self.offload = in_one_thread()
        livemode = self.key.livemode if self.key and not self.connecting.simulate else False
        self.engine = Engine(
            Parts(
                write=self.commit,
                send=self._send,
                gate=self.gate,
                offload=self.offload,
                offload_reading=in_one_thread(abandon=True),
                now=self.now,
                tick=time.monotonic,
                chance=random.random,
                written=self._written,
                progress=self.tell_progress,
                limits=Limits(pacing.max_attempts, longest_attempt(pacing)),
                livemode=livemode,
                budget=Budget(pacing.max_errors, pacing.max_error_share),
                strict=self.sends,
                heard=self.series.heard,
                landed=self.series.landed,
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

    def tell_progress(self) -> None:
        """Called a few times a second."""
        self.observer.progress(self.watch.progress())
        if self.series.is_due() and not self._samples:
            self._samples.append(self.series.take())

    async def course(self, engine: Engine) -> None:
        """What this job does; each kind of job has its own."""
        raise NotImplementedError

    async def go(self, batches: Batches, dedupe: str, terms: Terms, rows_left: int, *, doubtful: bool) -> None:
        """Choose who to ask for existing customers, and follow the script."""
        engine = self.engine
        means = Means(
            engine.ask,
            engine.together,
            self.offload,
            self.writer,
            self.reader,
            self.dedupe_clock,
            email_key,
            lambda: engine.stripe_time,
            self.observer.notice,
        )
        if rows_left:
            choice = await choose(dedupe, rows_left, means)
            self.observer.notice("dedupe", f"{choice.name}: {choice.reason}")
        else:
            choice = Choice("off", Nobody(), "no row is left to look for")
        await self.follow(terms, choice, batches, doubtful=doubtful)

    async def follow(self, terms: Terms, choice: Choice, batches: Batches, *, doubtful: bool) -> None:
        """Carry out what the script says, to the last step."""
        script = Script(self.engine, terms, self.writer, self.reader, self.offload, self.watch, self.observer.notice)
        await script.follow(choice.directory, batches, doubtful=doubtful)
        self.advice = script.advice

    def dedupe_clock(self) -> float:
        """The clock by which the newest customers are read again, in seconds."""
        return self.now()

    def method(self, purpose: Purpose) -> str | None:
        """What every payment method becomes, None where each row's own is sent."""
        return purpose.options.get("dry_run_method", DRY_RUN_METHOD) if purpose.dry_run else None

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
            deadline=longest_attempt(self.pacing),
            clock_jumped=jumped,
            release=self.verb == "run",
        )

    def announce(
        self,
        purpose: Purpose,
        rows: int,
        settled: int,
        account: Account,
        dedupe: str,
        confirm: Confirm,
        most: int | None = None,
    ) -> None:
        """Say what is about to happen; a live account is asked for once more before anything is written.

        *most* is how many rows can come to be sent, where that is known better than by counting.
        """
        rate, which = binding(self.pacing)
        most = rows - settled if most is None else most
        start = Start(
            purpose.source, str(self.path), purpose.account, account.name or purpose.account_name, purpose.livemode,
            purpose.simulated, rows, settled, self.pacing.rate, rate, which, dedupe, purpose.dry_run,
            most, seconds_at_caps({Endpoint.CREATE: most}, self.pacing),
        )  # fmt: skip
        if purpose.livemode and not self.connecting.yes and not confirm(start):
            raise UsageError("not confirmed, so nothing was sent; answer the question, or pass --yes")
        self.observer.start(start)

    async def let_the_last_second_pass(self) -> None:
        """A process that died a moment ago may have started requests in this very second: its second counts, too."""
        await self.engine.nap(1.0 - (self.now() - self.process_started))

    async def _send(self, request: Request) -> Reply:
        assert self._api is not None  # noqa: S101 - nothing is sent before `reach_stripe`
        return await self._api.send(request)

    def commit(self, claims: Sequence[Claim], settled: Sequence[Settled]) -> None:
        """One commit; what was measured goes along when it is time."""
        self.writer.write(claims, settled, self._samples.popleft() if self._samples else None)

    def _written(self, settled: Sequence[Settled]) -> None:
        self.watch.written(settled)
        self.series.written(sum(not isinstance(one.outcome, Released | InDoubt) for one in settled))
        if self.observer.wants_rows:
            self.observer.lines(self.told.known(self.reader.lines([s.number for s in settled])))

    # Closing.

    def rows_left(self) -> int:
        """Chosen rows that were never sent."""
        raise NotImplementedError

    def code(self, ended: Ended, tally: Tally, left: int) -> int:
        """What this command ends with."""
        return exit_code(
            signal=ended.signal, error_code=ended.error.exit_code if ended.error else None,
            in_doubt=tally.count(Status.IN_DOUBT), failed=tally.count(Status.FAILED),
            invalid=tally.count(Status.INVALID), orphans=tally.orphans, pending=left,
        )  # fmt: skip

    def why_unfinished(self, left: int) -> str:
        """Why a command that nothing stopped is not finished."""
        return f"{left:,} rows were never sent; run the same command again"

    def following(self, summary: Summary) -> str | None:
        """What to type next."""
        return next_command(summary, self.line)

    def _sum_up(self, ended: Ended) -> Summary:
        tally = self.reader.tally() if self.command is not None else Tally(0, {}, 0)
        count = tally.count
        left = self.rows_left() if self.command is not None else 0
        code = self.code(ended, tally, left)
        seconds = time.monotonic() - self.began
        requests = {e.value: n for e, n in sorted(self.engine.requests.items())}
        reason = str(ended.error) if ended.error else f"stopped by signal {ended.signal}" if ended.signal else None
        if reason is None and code == STOPPED:
            reason = self.why_unfinished(left)
        reason = reason or (self.advice if code == DOUBT else None)
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
        summary = replace(summary, next=self.following(summary))
        if self.observer.wants_rows and self.command is not None:
            self.observer.lines(self.told.rest())
        if self.command is not None:
            with suppress(Exception):  # a full disk was reported already; the log line stays open
                facts = {
                    "line": self.line,
                    "requests": requests,
                    "rate_limited": self.gate.rate_limited,
                    "seconds": summary.seconds,
                }
                for sample in (*self._samples, self.series.take()):
                    self.writer.write((), (), sample)
                self.writer.end_command(self.command, code, reason, facts)
        return summary

    def _close_ledger(self) -> None:
        with suppress(Exception):  # everything that counts was committed; the next start truncates the log
            self.writer.close()


def longest_attempt(pacing: Pacing) -> float:
    """How long after an attempt began it may still act, in seconds; what proves absence must be later than that.

    `--timeout` says how long we listen. A short one must not make the proof any weaker.
    """
    return max(pacing.timeout, LONGEST_ATTEMPT)


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
    """Starts a second between the first and the last; of a run shorter than that, its starts in a whole second."""
    if gate.first_start is None or gate.last_start is None:
        return 0.0
    return round((gate.starts.total() - 1) / max(gate.last_start - gate.first_start, 1.0), 2)
