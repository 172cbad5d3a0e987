"""What every job on a ledger shares: the ledger it holds, the gate, the way to Stripe, the engine, the closing."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bulk_import.budget import Budget
from bulk_import.engine import SIGNALS, Ended, Engine, OneThread, Parts, abandoning
from bulk_import.errors import LedgerRefuses, UsageError
from bulk_import.job.caps import binding, endpoint_caps
from bulk_import.job.clock import Boot, longest_attempt
from bulk_import.job.closing import figures, next_command, stopped_by, stopping
from bulk_import.job.holding import Holding
from bulk_import.job.identity import Account, same_account
from bulk_import.job.opening import check_key, check_purpose
from bulk_import.job.simulating import KEY, begun_account, simulator
from bulk_import.job.telling import Told
from bulk_import.job.watching import Watch
from bulk_import.keys import SecretKey, parse_key
from bulk_import.ledger import Purpose, Tally
from bulk_import.model import Claim, InDoubt, Released, Reply, Request, Settled, Status
from bulk_import.options import STRIPE, Connecting, Observer, Pacing
from bulk_import.pace.gate import Gate
from bulk_import.report.summary import DOUBT, STOPPED, Summary, exit_code
from bulk_import.series import Sample, Series
from bulk_import.settle import Limits
from bulk_import.wording import counted

if TYPE_CHECKING:
    from bulk_import.stripe_api.sending import StripeApi


class Session(Holding):
    """What every job on a ledger shares: the ledger it holds, the gate, the way to Stripe, the engine, and the closing."""

    verb = "run"
    sends = True
    """Whether this job makes customers."""

    def __init__(self, connecting: Connecting, pacing: Pacing, observer: Observer, line: str) -> None:
        super().__init__()
        self.connecting = connecting
        self.pacing = pacing
        self.observer = observer
        self.line = line
        self.rows_ahead = 0  # of a ledger that is not founded yet
        self.key: SecretKey | None = connecting.key
        self.api_base = connecting.api_base
        self.began = time.monotonic()
        self.command: int | None = None
        self._has_said_stopping = False
        self._samples: deque[Sample] = deque()  # handed from the event loop to the thread that writes
        self.advice: str | None = None
        self._api: StripeApi | None = None

    # Opening.

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
        self.reach_stripe(begun_account(self.path, purpose.state_file) if purpose.state_file else None)
        return await self.see_account(purpose)

    async def see_account(self, purpose: Purpose) -> Account:
        """See that the way to Stripe leads to the account this ledger is for."""
        await self.let_the_last_second_pass()
        assert self.key is not None  # noqa: S101 - `reach_stripe` refused to go on without
        account = await same_account(self.engine.ask, purpose, self.key, self.api_base, self.reader)
        if account.id != purpose.account and not self.reader.held_customers(1):
            self._move(replace(purpose, account=account.id, account_name=account.name))
        return account

    def _move(self, purpose: Purpose) -> None:
        """Nothing proves that this is the account the ledger was begun on, and nothing was made or found there: it goes along.

        What was read of the other account goes in the same commit, or it would say who is in this one.
        """
        self.writer.move(purpose)
        self.purpose = purpose
        said = (
            "this is another key, and nothing proves that its account is the same; nobody was created or found so far"
        )
        self.observer.notice(
            "account", f"{said}, so what was read before is forgotten and {purpose.account} is read anew"
        )

    def begin_command(self, boot: Boot) -> None:
        """Log in the ledger that this command works on it."""
        self.command = self.writer.begin_command(self.verb, boot.id, boot.offset, self.line)

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
            clock=time.monotonic, notify=self.observer.notice,
        )  # fmt: skip
        # The caps tell how many rows a second may be created, which is no measure of a command that creates none.
        self.watch = Watch(self.gate, time.monotonic, binding(pacing)[0] if self.sends else None)
        self.series = Series(self.now, pacing.rate)
        self.told = Told(lambda numbers: self.reader.lines(numbers))
        desk = OneThread()
        self.stack.callback(desk.close)
        self.offload = desk.offload
        livemode = self.key.livemode if self.key and not self.connecting.simulate else False
        self.engine = Engine(
            Parts(
                write=self.commit,
                send=self._send,
                gate=self.gate,
                offload=self.offload,
                offload_reading=abandoning(),
                now=self.now,
                tick=time.monotonic,
                chance=random.random,
                written=self._written,
                progress=self.tell_progress,
                limits=Limits(pacing.max_attempts, longest_attempt(pacing.timeout)),
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
        if self.engine.ended.signal is not None and not self._has_said_stopping:
            self._has_said_stopping = True
            self.observer.notice("stopping", stopping(self.gate.in_flight))
        self.observer.progress(self.watch.progress())
        if self.series.is_due() and not self._samples:
            self._samples.append(self.series.take())

    async def course(self, engine: Engine) -> None:
        """What this job does; each kind of job has its own."""
        raise NotImplementedError

    @property
    def outlasted(self) -> float:
        """From when on nothing that a process before this one had begun can act any more (wall clock, seconds)."""
        return self.process_started + longest_attempt(self.pacing.timeout)

    async def let_the_last_second_pass(self) -> None:
        """A process that died a moment ago may have started requests in this very second: its second counts, too."""
        await self.engine.nap(1.0 - (self.now() - self.process_started))

    async def _send(self, request: Request) -> Reply:
        assert self._api is not None  # noqa: S101 - nothing is sent before `reach_stripe`
        return await self._api.send(request)

    def commit(self, claims: Sequence[Claim], settled: Sequence[Settled]) -> Sequence[Settled]:
        """One commit; what was measured goes along when it is time."""
        return self.writer.write(claims, settled, self._samples.popleft() if self._samples else None)

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
        return f"{counted(left, 'row was', 'rows were')} never sent; run the same command again"

    def following(self, summary: Summary) -> str | None:
        """What to type next."""
        return next_command(summary, self.line)

    def _sum_up(self, ended: Ended) -> Summary:
        tally = self.reader.tally() if self.is_open else Tally(0, {}, 0)
        left = self.rows_left() if self.is_open else self.rows_ahead
        code = self.code(ended, tally, left)
        summary = figures(
            tally, left, self.engine.requests, self.gate, self.watch, time.monotonic() - self.began, str(self.path)
        )
        summary = replace(
            summary, exit_code=code, reason=self._reason(ended, code, left), unwritten=tuple(ended.unwritten)
        )
        summary = replace(summary, next=self.following(summary))
        if self.command is not None:
            if self.observer.wants_rows:
                self.observer.lines(self.told.rest())
            self._end_command(self.command, summary)
        return summary

    def _reason(self, ended: Ended, code: int, left: int) -> str | None:
        """Why it ended so, where that needs saying."""
        if ended.error is not None:
            return str(ended.error)
        if ended.signal is not None:
            return stopped_by(ended.signal)
        if code == STOPPED:
            return self.why_unfinished(left)
        return self.advice if code == DOUBT else None

    def _end_command(self, command: int, summary: Summary) -> None:
        facts = {
            "line": self.line,
            "requests": summary.requests_by_endpoint,
            "rate_limited": summary.rate_limited,
            "seconds": summary.seconds,
        }
        with suppress(Exception):  # a full disk was reported already; the log line stays open
            for sample in (*self._samples, self.series.take()):
                self.writer.write((), (), sample)
            self.writer.end_command(command, summary.exit_code, summary.reason, facts)
