"""Whole runs in virtual time: the real engine, gate and ledger file against the simulated account, and the oracle."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, TypeVarTuple

import anyio

from bulk_import.budget import Budget
from bulk_import.customer.emails import email_key
from bulk_import.engine import Ended, Engine, Parts, inline
from bulk_import.existing import Means, Offload, choose
from bulk_import.job.begun import BegunUndos
from bulk_import.job.caps import endpoint_caps
from bulk_import.job.clock import Boot, clock_jumped
from bulk_import.job.common import Common
from bulk_import.job.feeding import from_source, in_batches
from bulk_import.job.identity import identify
from bulk_import.job.letting_go import LettingGo
from bulk_import.job.script import Batches, LetGo, Script, nobody
from bulk_import.job.selection import Selection
from bulk_import.job.terms import Terms
from bulk_import.job.watching import Watch
from bulk_import.keys import parse_key
from bulk_import.ledger import Connection, Line, Pairings, Purpose, Reader, Writer, open_for_reading, open_for_writing
from bulk_import.mapping import MappingOptions
from bulk_import.model import Claim, Record, Reply, Request, Settled, Status
from bulk_import.options import Dedupe, OnExisting, Pacing, Preparing
from bulk_import.pace.gate import Gate
from bulk_import.prepare.rows import prepare
from bulk_import.reading import Fingerprint, Reading
from bulk_import.report.summary import exit_code
from bulk_import.settle import Limits
from bulk_import.survey import Survey, preparation, survey
from bulk_import.undo import Known
from tests.promises import Seen, Sent, check, finished_code, ledger_lines, worst_second
from tests.virtual_stripe import EPOCH, Arrival, VirtualStripe
from tests.virtual_time import run_virtual

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

TOKEN = "00112233445566{:02x}"
SALT = "5a" * 16
BASE = "https://api.example.com"

Moment = Literal["before", "after"]


class Killed(BaseException):
    """The process is gone: nothing of it may run on."""


@dataclass(frozen=True, slots=True)
class Kill:
    """Where a process dies: before or after its n-th commit, or its n-th request."""

    what: Literal["commit", "send"]
    moment: Moment
    nth: int


@dataclass(frozen=True, slots=True)
class Settings:
    """What one run is asked to do; `disk` is how many seconds a commit takes, `retry` sends failed rows again.

    A retry takes over the fields of rows that were `mended`, and sends those. Columns mean what `mapping` says from this
    run on.
    """

    dedupe: Dedupe = "off"
    on_existing: OnExisting = "skip"
    batch_size: int = 5
    pacing: Pacing = field(default_factory=lambda: Pacing(rate=20.0, concurrency=8))
    marker: bool = True
    hash_emails: bool = False
    key: str = "sk_test_first"
    disk: float = 0.0
    retry: bool = False
    mended: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    allow_no_email: bool = False
    mapping: MappingOptions = field(default_factory=MappingOptions)
    signals: tuple[signal.Signals, ...] = ()


@dataclass(slots=True)
class Run:
    """What one process did; `killed` ones have no exit code."""

    exit_code: int | None = None
    ended: Ended | None = None
    arrivals: list[Arrival] = field(default_factory=list)
    notices: list[tuple[str, str]] = field(default_factory=list)
    commits: int = 0
    sends: int = 0
    group_commits: int = 0
    seconds: float = 0.0
    read: list[tuple[int, int]] = field(default_factory=list)
    claimed: list[tuple[int, int]] = field(default_factory=list)
    killed: bool = False

    def said(self, code: str) -> list[str]:
        """The notices under one code."""
        return [message for said, message in self.notices if said == code]

    def creates(self) -> list[Arrival]:
        """The requests that meant to make a customer."""
        return [a for a in self.arrivals if a.endpoint == "create"]


def people(count: int, first: int = 1) -> list[str]:
    """Rows of a source: `person7@example.com,Person 7`."""
    return [f"person{n}@example.com,Person {n}" for n in range(first, first + count)]


class World:
    """One source, one ledger and one account; processes come and go, time goes on.

    `clock_error` is how far our wall clock is from Stripe's, in seconds.
    """

    def __init__(
        self,
        folder: Path,
        rows: Sequence[str],
        stripe: VirtualStripe | None = None,
        name: str = "a",
        header: str = "email,name",
    ) -> None:
        self.source = folder / f"{name}.csv"
        self.source.write_text("\n".join([header, *rows]) + "\n")
        self.ledger = folder / f"{name}.ledger.db"
        self.stripe = stripe or VirtualStripe()
        self.rows = len(rows)
        self.token = TOKEN.format(ord(name[0]))
        self.strangers: set[str] = set(self.stripe.account.customers)
        self.seconds = 1000.0
        self.clock_error = 0.0
        self.starts: list[float] = []
        self.stays_finished = False

    def run(self, settings: Settings | None = None, kill: Kill | None = None, **changes: Any) -> Run:
        """Start a process on the ledger and see it end; the next one starts a moment later."""
        asked = replace(settings or Settings(), **changes)
        process = _Process(self, asked, kill)
        try:
            run = run_virtual(process.live, start=self.seconds)
        except BaseException as error:
            if not process.run.killed:
                raise
            if not _all_killed(error):
                raise
            run = process.run
            process.bury()
        self.seconds = process.ended_at + 0.05
        self.stripe.land(EPOCH + self.seconds)
        return run

    def wait(self, seconds: float) -> None:
        """Let time pass between two processes."""
        self.seconds += seconds

    def stranger(self, email: str, **params: Any) -> str:
        """Somebody else makes a customer between two processes."""
        customer = self.stripe.create(email, EPOCH + self.seconds, **params)
        self.strangers.add(customer)
        return customer

    def lines(self) -> list[Line]:
        """The ledger's own word on every row."""
        return ledger_lines(self.ledger)

    def claims(self) -> list[Claim]:
        """What rests in the ledger without an end."""
        db = open_for_reading(self.ledger)
        try:
            return Reader(db, self.ledger).claims((Status.CLAIMED, Status.IN_DOUBT))
        finally:
            db.close()

    def tally(self) -> dict[str, int]:
        """Rows by status."""
        return dict(Counter(line.status for line in self.lines()))

    def status(self, row: int) -> str:
        """Where one row stands."""
        return self.lines()[row - 1].status


class _Process:
    """One process: wired as `session.Session` and `job` wire the real one, with the clock and the network swapped."""

    def __init__(self, world: World, settings: Settings, kill: Kill | None) -> None:
        self.world = world
        self.settings = settings
        self.kill = kill
        self.run = Run()
        self.ended_at = world.seconds
        self._db: Connection | None = None
        self._died: Path | None = None

    async def live(self) -> Run:
        """From start to end."""
        world, pacing = self.world, self.settings.pacing
        self.process_started, self.began = self.now(), asyncio.get_running_loop().time()
        before = len(world.stripe.arrivals)
        dice = random.Random(world.rows)  # noqa: S311 - reproducible on purpose, guards nothing
        self.gate = Gate(
            pacing.rate, endpoint_caps(pacing), concurrency=pacing.concurrency, give_up_after=pacing.give_up_after,
            notify=self._notice, rng=dice,
        )  # fmt: skip
        self.watch = Watch(self.gate, lambda: asyncio.get_running_loop().time())
        self.engine = Engine(
            Parts(
                write=self._write, send=self._send, gate=self.gate, offload=self._offload(), offload_reading=inline,
                now=self.now, tick=lambda: asyncio.get_running_loop().time(), chance=dice.random,
                written=self.watch.written, progress=None,
                limits=Limits(pacing.max_attempts, pacing.timeout), livemode=False,
                budget=Budget(pacing.max_errors, pacing.max_error_share),
            )
        )  # fmt: skip
        try:
            self.run.ended = await self.engine.run(self._course, self.settings.signals)
            self.run.exit_code = self._exit_code(self.run.ended)
            self._close()
        finally:
            self.ended_at = asyncio.get_running_loop().time()
            self.run.seconds = self.ended_at - self.began
            self.run.arrivals = world.stripe.arrivals[before:]
        return self.run

    def now(self) -> float:
        """Our wall clock."""
        return EPOCH + asyncio.get_running_loop().time() + self.world.clock_error

    async def _course(self, engine: Engine) -> None:
        world, settings, pacing = self.world, self.settings, self.settings.pacing
        db = open_for_writing(world.ledger, self._connect)
        self._db = db
        writer, reader = Writer(db, world.ledger, self.now), Reader(db, world.ledger)
        self.writer, self.reader = writer, reader
        boot = Boot("one-boot", self.world.clock_error)
        purpose = reader.purpose()
        fresh = purpose is None
        if purpose is None:
            purpose = self._purpose()
            writer.found(purpose)
        writer.adopt(purpose)
        jumped = clock_jumped(reader.commands(), boot)
        command = writer.begin_command("retry" if settings.retry else "run", boot.id, boot.offset)
        selection = Selection(purpose.rows)
        left = selection.left(reader.looked_at())
        self.watch.begin(selection.count, reader.tally())
        if not fresh:
            await engine.nap(1.0 - (self.now() - self.process_started))
        if left or settings.retry or reader.tally().count(Status.IN_DOUBT):
            await identify(engine.ask, parse_key(settings.key), BASE, bytes.fromhex(SALT))
        if not fresh:
            known = Known(purpose.token, purpose.salt_bytes(), purpose.livemode)
            sure = self.process_started + pacing.timeout
            pairings = Pairings(db, world.ledger, self.now)
            await BegunUndos(engine, pairings, engine.parts.offload, known, sure, self._notice).settle()
            left = selection.left(reader.looked_at())
        reading = Reading.from_json(purpose.reading)
        preparing = Preparing(mapping=settings.mapping, allow_no_email=settings.allow_no_email)
        how = replace(preparation(reading, preparing), marker=settings.marker)
        if settings.retry:
            fixed = (prepare(Record(number, 0, fields), how) for number, fields in settings.mended.items())
            rows = (
                writer.mend(fixed, command, None).to_send
                if settings.mended
                else reader.numbers((Status.FAILED, Status.INVALID))
            )
            batches = in_batches(iter(reader.records(rows)), how, settings.batch_size)
            left, letting_go = len(rows), LettingGo(reader, rows)

            async def let_go() -> Batches | None:
                freed = reader.records(letting_go.rows())
                return self._watched(in_batches(iter(freed), how, settings.batch_size)) if freed else None

        else:
            found = Fingerprint(purpose.size, purpose.sha256, purpose.chunks)
            looked_at = reader.looked_at()
            batches = from_source(world.source, found, reading, how, selection, looked_at, settings.batch_size)
        await self._go(
            engine, purpose, self._watched(batches), left, let_go if settings.retry else nobody, jumped=jumped
        )

    async def _go(
        self, engine: Engine, purpose: Purpose, batches: Batches, left: int, let_go: LetGo, *, jumped: bool
    ) -> None:
        settings, offload = self.settings, engine.parts.offload
        means = Means(
            engine.ask, engine.together, offload, self.writer, self.reader, self.now, email_key,
            lambda: engine.stripe_time, self._notice, rereads=settings.on_existing == "update",
        )  # fmt: skip
        choice = await choose(settings.dedupe if left else "off", left, means)
        self._notice("dedupe", choice.name)
        terms = Terms(
            token=purpose.token, fingerprint=parse_key(settings.key).fingerprint(purpose.salt_bytes()),
            marker=settings.marker, on_existing=settings.on_existing, process_started=self.process_started,
            deadline=settings.pacing.timeout, clock_jumped=jumped, release=not settings.retry,
            looks=settings.dedupe != "off",
        )  # fmt: skip
        script = Script(Common(engine, terms, self.writer, self.reader, offload, self.watch, self._notice))
        await script.follow(choice.directory, batches, let_go)

    def _purpose(self) -> Purpose:
        world, settings = self.world, self.settings
        found = _surveyed(world.source, world.source.read_text(), allow_no_email=settings.allow_no_email)
        return Purpose(
            token=world.token, salt=SALT, source=str(world.source), size=found.fingerprint.size,
            sha256=found.fingerprint.sha256, chunks=found.fingerprint.chunks, reading=found.reading.to_json(),
            rows=found.rows, mapping=found.mapping.digest(), options={}, account=world.stripe.account.id,
            account_name=None, livemode=False, stripe_account=None, api_base=BASE, state_file=None,
            stripe_version="test", tool_version="test", created_at=self.now(), hash_emails=settings.hash_emails,
        )  # fmt: skip

    def _watched(self, batches: Batches) -> Batches:
        """Note how far the source was read, and how many requests had been started by then."""
        for batch in batches:
            self.run.read.append((batch[-1].number, self.run.sends))
            yield batch

    async def _send(self, request: Request) -> Reply:
        self.world.starts.append(asyncio.get_running_loop().time())
        self.run.sends += 1
        self._die_if_due("send", "before", self.run.sends)
        nth = self.run.sends
        reply = await self.world.stripe.send(request, self.settings.key, self.settings.pacing.timeout)
        self._die_if_due("send", "after", nth)
        return reply

    def _notice(self, code: str, message: str) -> None:
        self.run.notices.append((code, message))

    def _write(self, claims: Sequence[Claim], settled: Sequence[Settled]) -> Sequence[Settled]:
        self.run.group_commits += 1
        if claims:
            self.run.claimed.append((claims[-1].row, self.run.sends))
        return self.writer.write(claims, settled)

    def _offload(self) -> Offload:
        if not self.settings.disk:
            return inline
        return _slow(self.settings.disk)

    def _connect(self, path: str) -> Connection:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        return _Counted(db, self._commits)

    def _commits(self, moment: Moment) -> None:
        self.run.commits += moment == "before"
        self._die_if_due("commit", moment, self.run.commits)

    def _die_if_due(self, what: str, moment: Moment, nth: int) -> None:
        kill = self.kill
        if kill is None or self.run.killed or (kill.what, kill.moment, kill.nth) != (what, moment, nth):
            return
        self.run.killed = True
        self._died = self.world.ledger.with_name("died.db")
        self._died.unlink(missing_ok=True)
        for suffix in ("", "-wal"):
            source = Path(f"{self.world.ledger}{suffix}")
            Path(f"{self._died}{suffix}").unlink(missing_ok=True)
            if source.exists():
                shutil.copyfile(source, f"{self._died}{suffix}")
        raise Killed

    def bury(self) -> None:
        """Leave the ledger's files as they were at the moment of death."""
        if self._db is not None:
            self._db.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.world.ledger}{suffix}").unlink(missing_ok=True)
            left = Path(f"{self._died}{suffix}")
            if left.exists():
                left.rename(f"{self.world.ledger}{suffix}")

    def _exit_code(self, ended: Ended) -> int:
        tally = self.reader.tally()
        return exit_code(
            signal=ended.signal, error_code=ended.error.exit_code if ended.error else None,
            in_doubt=tally.count(Status.IN_DOUBT), failed=tally.count(Status.FAILED),
            invalid=tally.count(Status.INVALID), orphans=tally.orphans, pending=tally.count(Status.PENDING),
        )  # fmt: skip

    def _close(self) -> None:
        self.writer.close()


class _Counted:
    """A connection that tells of each commit before and after it."""

    def __init__(self, db: sqlite3.Connection, told: Callable[[Moment], None]) -> None:
        self._db = db
        self._told = told

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        if sql == "PRAGMA synchronous = FULL":
            sql = "PRAGMA synchronous = OFF"  # a kill loses nothing that was written, and thousands of runs are quicker
        if sql != "COMMIT":
            return self._db.execute(sql, parameters)
        self._told("before")
        done = self._db.execute(sql, parameters)
        self._told("after")
        return done

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:
        return self._db.executemany(sql, parameters)

    def close(self) -> None:
        self._db.close()


_SURVEYS: dict[str, Survey] = {}


def _surveyed(path: Path, text: str, *, allow_no_email: bool) -> Survey:
    """Pre-flight, once for each text: the same few files serve hundreds of runs."""
    if text not in _SURVEYS:
        _SURVEYS[text] = survey(path, Preparing(allow_no_email=allow_no_email))
    return _SURVEYS[text]


def _slow(seconds: float) -> Offload:
    async def offload(work: Callable[[*Ts], T], /, *args: *Ts) -> T:
        await anyio.sleep(seconds)
        return work(*args)

    return offload


def _all_killed(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_all_killed(inner) for inner in error.exceptions)
    return isinstance(error, Killed | anyio.BrokenResourceError)  # the second is what hits who speaks to a dead task


# The oracle.


def check_promises(world: World, last: Run | None = None, *, cap: float = 20.0, again: bool = True) -> dict[str, int]:
    """Hold the ledger against the account, and the exit code of the *last* run against both; rows by status.

    Unless told not to, a finished ledger is run *again*, once, and must send nothing.
    """
    lines = world.lines()
    assert len(lines) == world.rows, "a row is lost or twice in the ledger"
    sent = [Sent(a.at, a.key, str(a.params)) for a in world.stripe.arrivals]
    check(Seen(lines, world.stripe.account.customers, sent, world.strangers))
    assert worst_second(world.starts) <= cap, "more requests than the cap started within a second"
    if last is not None and last.exit_code is not None and last.ended is not None:
        error = last.ended.error
        assert last.exit_code == (error.exit_code if error is not None else finished_code(lines))
        assert not last.ended.unwritten
    if again and not world.stays_finished and not {"pending", "in_doubt"} & {line.status for line in lines}:
        rerun = world.run()
        assert not rerun.arrivals, "a finished ledger sent something"
        assert world.lines() == lines
        world.stays_finished = True
    return dict(Counter(line.status for line in lines))
