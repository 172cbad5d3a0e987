"""What the jobs that make customers share: the terms, the announcement, who is asked for existing ones, the script."""

from __future__ import annotations

from bulk_import.customer.emails import email_key
from bulk_import.errors import UsageError
from bulk_import.existing import Choice, Means, Nobody, choose
from bulk_import.job.begun import BegunUndos
from bulk_import.job.caps import binding, seconds_at_caps
from bulk_import.job.clock import longest_attempt
from bulk_import.job.closing import mended_command, quoted
from bulk_import.job.common import Common
from bulk_import.job.identity import Account
from bulk_import.job.script import Batches, Script
from bulk_import.job.session import Session
from bulk_import.job.terms import Terms
from bulk_import.ledger import Purpose
from bulk_import.model import Endpoint
from bulk_import.options import DRY_RUN_METHOD, Confirm, Connecting, Observer, Pacing, Start
from bulk_import.report.summary import SOME_FAILED, Summary
from bulk_import.undo import Known
from bulk_import.wording import counted


class Making(Session):
    """A job that makes or updates customers."""

    def __init__(self, connecting: Connecting, pacing: Pacing, observer: Observer, line: str, confirm: Confirm) -> None:
        super().__init__(connecting, pacing, observer, line)
        self.confirm = confirm

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
            rereads=terms.on_existing == "update",
        )
        if rows_left:
            choice = await choose(dedupe, rows_left, means)
            self.observer.notice("dedupe", f"{choice.name}: {choice.reason}")
        else:
            choice = Choice("off", Nobody(), "no row is left to look for")
        await self.follow(terms, choice, batches, doubtful=doubtful)

    async def follow(self, terms: Terms, choice: Choice, batches: Batches, *, doubtful: bool) -> None:
        """Carry out what the script says, to the last step."""
        script = Script(self.common(terms))
        await script.follow(choice.directory, batches, self.let_go, doubtful=doubtful)
        self.advice = script.advice

    def common(self, terms: Terms) -> Common:
        """What everybody has who works on the rows of this run."""
        return Common(self.engine, terms, self.writer, self.reader, self.offload, self.watch, self.observer.notice)

    async def let_go(self) -> Batches | None:
        """The rows that those that were sent have let go; None where that is nobody."""
        return None

    def following(self, summary: Summary) -> str | None:
        """Rows that a retry has left mended and unsent come first: the export to mend them in would only ask for more."""
        if summary.exit_code == SOME_FAILED and self.purpose is not None and self.reader.has_mended():
            return mended_command(summary.ledger, live=self.purpose.livemode)
        return super().following(summary)

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
            deadline=longest_attempt(self.pacing.timeout),
            clock_jumped=jumped,
            release=self.verb == "run",
            looks=stored.get("dedupe", "auto") != "off",
        )

    def start_of(
        self, purpose: Purpose, account: Account, dedupe: str, rows: int, settled: int = 0, most: int | None = None
    ) -> Start:
        """What is about to happen.

        *most* is how many rows can come to be sent, where that is known better than by counting.
        """
        rate, which = binding(self.pacing)
        most = rows - settled if most is None else most
        return Start(
            purpose.source, str(self.path), purpose.account, account.name or purpose.account_name, purpose.livemode,
            purpose.simulated, rows, settled, self.pacing.rate, rate, which, dedupe, purpose.dry_run,
            most, seconds_at_caps({Endpoint.CREATE: most}, self.pacing),
        )  # fmt: skip

    def announce(self, start: Start) -> None:
        """Say what is about to happen; a live account is asked for once more before anything is written."""
        if start.livemode and not self.connecting.yes and not self.confirm(start):
            raise UsageError("not confirmed, so nothing was sent; answer the question, or pass --yes")
        self.observer.start(start)

    async def settle_begun_undos(self, purpose: Purpose) -> None:
        """See what an undo that was cut short has taken back, before anything that the ledger says is believed."""
        if not (begun := self.reader.begun_undos()):
            return
        self.observer.notice(
            "undo",
            f"an undo of this ledger was cut short: looking at {counted(begun, 'customer')} that it may have deleted or put back; "
            f"to finish it instead, type bulk-import undo {quoted(str(self.named))}",
        )
        known = Known(purpose.token, purpose.salt_bytes(), purpose.livemode)
        # By then whatever the dead process had begun has ended; a plan is believed for no longer than it takes to read.
        sure = self.outlasted if self.sends else self.now()
        begun_undos = BegunUndos(self.engine, self.pairings, self.offload, known, sure, self.observer.notice)
        await begun_undos.settle()
