"""`plan`: the run's own way up to its last step, on a ledger that is gone afterwards; it only reads.

Nothing is sent: what `run` would claim is counted and kept in a temporary ledger, so that later batches find the
owners of e-mails as they would. A ledger that was begun before is copied first and never written to.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from bulk_import.engine import Ended, Engine, run_loop
from bulk_import.existing import Choice
from bulk_import.existing.newest import OVERLAP
from bulk_import.existing.pages import PAGE
from bulk_import.job.caps import binding, seconds_at_caps
from bulk_import.job.doubts import PIECE
from bulk_import.job.importing import RunJob
from bulk_import.job.plan import Plan, warnings_of
from bulk_import.job.script import Batches, Script
from bulk_import.job.simulating import begun_account, state_file
from bulk_import.job.sources import spool_path
from bulk_import.job.terms import Terms
from bulk_import.ledger import Connection, Planned, Purpose, Tally, is_begun, open_scratch
from bulk_import.model import Claim, Endpoint, Request, Settled, Status
from bulk_import.options import Observer, RunOptions, Start
from bulk_import.reading.passing import passing_folder
from bulk_import.report.summary import OK, SOME_FAILED, Summary
from bulk_import.steps import steps_of

NOT_SETTLED = (Status.CLAIMED, Status.PENDING)

TellRow = Callable[[Planned], None]
"""Told of each row in turn."""


def plan_job(options: RunOptions, observer: Observer, tell: TellRow | None = None) -> tuple[Plan, Summary]:
    """Say what `run` would do with these options, and do nothing of it.

    *tell* is given every row, one after another. Raises `BulkImportError` for whatever makes a plan impossible.
    """
    with passing_folder() as folder:
        job = PlanJob(options, observer, folder, tell)
        summary = run_loop(job.main)
    return job.plan, summary


class PlanJob(RunJob):
    """`plan`: a run whose last step counts instead of sending."""

    verb = "plan"
    sends = False

    def __init__(self, options: RunOptions, observer: Observer, folder: Path, tell: TellRow | None) -> None:
        super().__init__(options, observer, lambda start: True)
        self.plan = Plan(source=options.source)
        self._folder = folder
        self._tell_row = tell
        self._writes: Counter[Endpoint] = Counter()
        self._creates: list[int] = []
        self._before = bytearray()

    def take_ledger(self, path: Path) -> None:
        """Work on a copy of the ledger, which nobody ever sees, and of what lies beside it."""
        self.real = path
        temporary = self._folder / path.name
        if spool_path(path).exists():
            shutil.copyfile(spool_path(path), spool_path(temporary))
        super().take_ledger(temporary)
        if is_begun(path):
            self.open_ledger()
            self.purpose = self.reader.purpose()

    def open_database(self) -> Connection:
        """A ledger without a name: what a killed plan knew of people is gone with it."""
        return open_scratch(self.real if is_begun(self.real) else None)

    @property
    def named(self) -> Path:
        """The ledger that was copied."""
        return self.real

    def simulated_state(self, purpose: Purpose | None) -> Path | None:
        """A copy of the simulated account, so that not even its file is written."""
        if not self.connecting.simulate:
            return None
        copy = state_file(self.path)
        if purpose is not None and purpose.state_file:
            shutil.copyfile(begun_account(self.real, purpose.state_file), copy)
        elif state_file(self.real).exists():
            shutil.copyfile(state_file(self.real), copy)
        return copy

    def announce(self, start: Start) -> None:
        """A plan asks nothing, and begins nothing."""
        self.observer.notice("plan", f"planning for {start.account}; nothing is sent")

    async def course(self, engine: Engine) -> None:
        """Go the way of a run, then sum up and tell the rows."""
        await super().course(engine)
        if not self._before:  # a finished ledger came to nothing more, and nobody was asked
            self._note_settled()
        self._sum_up_plan()
        if self._tell_row is not None:
            for planned in self.reader.planned(self._before):
                self._tell_row(planned)

    async def follow(self, terms: Terms, choice: Choice, batches: Batches, *, doubtful: bool) -> None:
        """Take every row up to the last step; what is at rest is counted as sent once more."""
        self.plan.dedupe, self.plan.dedupe_reason = choice.name, choice.reason
        self._note_settled()
        self._count_what_rests()
        script = Script(self.common(terms), self._note)
        await script.feed(choice.directory, batches)
        await self._probe()

    def _count_what_rests(self) -> None:
        row = 0
        while claims := self.reader.claims((Status.CLAIMED, Status.IN_DOUBT), row, PIECE):
            row = claims[-1].row
            for claim in claims:
                self._count(claim)

    def _note_account(self, purpose: Purpose) -> None:
        plan = self.plan
        plan.account, plan.account_name = purpose.account, purpose.account_name
        plan.livemode, plan.simulated = purpose.livemode, purpose.simulated
        plan.restricted = self.key is not None and self.key.restricted
        plan.may_write = None if plan.restricted else True

    def _note_settled(self) -> None:
        self._before = self.reader.looked_at()
        tally = self.reader.tally()
        self.plan.settled = {s.value: n for s in Status if s not in NOT_SETTLED and (n := tally.count(s))}

    def dedupe_clock(self) -> float:
        """The clock as the run's would show: later by what it would have taken to send what was planned so far."""
        handed_on = self._writes.total() - self.gate.max_in_flight - self.gate.claims_ahead
        if self.pacing.rate is None or handed_on <= 0:
            return self.now()
        share = handed_on / self._writes.total()
        return self.now() + (seconds_at_caps(self._writes, self.pacing) or 0.0) * share

    async def _note(self, claims: Sequence[Claim], settled: Sequence[Settled]) -> None:
        """The last step: keep and count what would be done."""
        await self.engine.record(claims, settled)
        for claim in claims:
            self.plan.verdicts["create" if claim.target is None else "update"] += 1
            self.plan.fields.update(list(claim.before))
            self._count(claim)
        self._creates.append(sum(claim.target is None for claim in claims))
        self.plan.verdicts.update(type(one.outcome).__name__.lower() for one in settled)

    def _count(self, claim: Claim) -> None:
        self._writes.update(step.endpoint for step in steps_of(claim))

    async def _probe(self) -> None:
        """What a restricted key may do shows only when it is asked; what it may write, only when it writes."""
        if self.key is not None and self.key.restricted:
            request = Request(Endpoint.LIST, "GET", "/v1/customers", {"limit": 1})
            self.plan.may_read = (await self.engine.ask(request, accept=(403,))).status == 200
            self.engine.requests[Endpoint.LIST] -= 1

    def _sum_up_plan(self) -> None:
        plan = self.plan
        counted = Counter(self.engine.requests) + self._writes
        counted[Endpoint.LIST] += self._own_pages()
        if self.purpose is not None:
            self._note_account(self.purpose)
        plan.rows = self.selection.count
        plan.requests = Counter({e.value: n for e, n in sorted(counted.items()) if n})
        plan.seconds = seconds_at_caps(counted, self.pacing)
        plan.rate, plan.binding = binding(self.pacing)
        plan.warnings = list(warnings_of(plan))

    def _own_pages(self) -> int:
        """Pages of the newest customers that will hold those the run itself made by then."""
        if self.plan.dedupe not in ("snapshot", "search") or self.pacing.rate is None:
            return 0
        earlier = sum(self._creates[:-1])
        took = seconds_at_caps({Endpoint.CREATE: earlier}, self.pacing) or 0.0
        again = earlier * (1.0 - OVERLAP / took) if took > OVERLAP else 0.0
        return int(earlier // PAGE + again // PAGE)

    # Closing.

    def code(self, ended: Ended, tally: Tally, left: int) -> int:
        """1 where rows would be, or are, invalid or failed; 0 where every row would have its customer."""
        if ended.signal is not None or ended.error is not None:
            return super().code(ended, tally, left)
        return SOME_FAILED if tally.count(Status.INVALID) or tally.count(Status.FAILED) or tally.orphans else OK

    def following(self, summary: Summary) -> str | None:
        """The command line knows the words of the run that was planned."""
        return None
