"""What a run is made of, how it ends, and how blocking work leaves the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar, TypeVarTuple

import anyio

from bulk_import.budget import Budget
from bulk_import.errors import BulkImportError
from bulk_import.existing import Offload
from bulk_import.model import Claim, Endpoint, Outcome, Reply, Request, Settled
from bulk_import.pace import Gate, Unused
from bulk_import.settle import Limits, Tries

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def ignore(*_: object) -> None:
    """Nobody measures this run."""


class Stopped(Exception):
    """The run is stopping; the script unwinds."""


class Outdated(Unused):
    """What was read of the account is too old for an attempt upon it, so nothing more was sent. Never leaves a job."""


class TooOld(Unused):
    """A key no longer protects, so nothing was sent. Never leaves `engine`."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a run is made of.

    `write` is one commit of claims and outcomes, and answers the outcomes as they were written. `now` is the wall clock
    and `tick` a monotonic one, both in seconds; `chance` draws from [0, 1). `written` hears of outcomes once they are on
    disk, `progress` is called a few times a second (None: nobody looks). Ledger work leaves the loop through `offload`,
    reading that may be abandoned when the run stops through `offload_reading`. A *strict* run stops at anything it reads
    that is not of `livemode`. `heard` is told of every request and its answer, `landed` of each row that an answer
    settled, with the seconds since its first attempt began and the number of attempts.
    """

    write: Callable[[Sequence[Claim], Sequence[Settled]], Sequence[Settled]]
    send: Callable[[Request], Awaitable[Reply]]
    gate: Gate
    offload: Offload
    offload_reading: Offload
    now: Callable[[], float]
    tick: Callable[[], float]
    chance: Callable[[], float]
    written: Callable[[Sequence[Settled]], None]
    progress: Callable[[], None] | None
    limits: Limits
    livemode: bool
    budget: Budget
    strict: bool = True
    heard: Callable[[Endpoint, Reply], None] = ignore
    landed: Callable[[int, float, int], None] = ignore


@dataclass(slots=True)
class Trip:
    """One claim under way: what was tried of it so far, and the id that its payment method got when attached.

    `untouched` is True as long as no attempt of this process can have been acted upon, `resumed` if an earlier one may have
    been. `release` is whether it may begin anew from the source when the run stops before either, or finds a mapping mistake
    (a retry's may not: its fields may be mended ones). `begun` is when its first attempt of this process began (monotonic,
    seconds), and `good_until` how long what was read of the account before it may be believed (wall clock, seconds), None
    for ever; `late_looks` counts those in a row that left it little time for an attempt. `done` counts the steps behind it,
    and `tries` are those of the step that it has come to.
    """

    claim: Claim
    resumed: bool
    release: bool = True
    untouched: bool = True
    attached: str | None = None
    attempts: int = 0
    ended_at: float | None = None
    begun: float | None = None
    good_until: float | None = None
    late_looks: int = 0
    done: int = 0
    tries: Tries = field(default_factory=Tries)

    @property
    def fresh(self) -> bool:
        """Whether nothing of it can have been acted upon."""
        return self.untouched and not self.resumed

    def begin_anew(self) -> None:
        """From here on it is a claim of another generation, of which nothing was sent."""
        self.resumed, self.untouched, self.attached, self.done, self.tries = False, True, None, 0, Tries()

    def ends(self, outcome: Outcome) -> Settled:
        """What to write when it ends so."""
        return Settled(self.claim.row, outcome, None, self.attempts, self.ended_at, self.attached)


@dataclass(slots=True)
class Ended:
    """How a run ended: by a signal, an error, or by itself; `unwritten` pairs are known but not on disk."""

    signal: int | None = None
    error: BulkImportError | None = None
    unwritten: list[tuple[int, str]] = field(default_factory=list)


def first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that counts among those of several tasks: one that ends the run, before the rest."""
    leaves: list[BaseException] = []
    for error in errors.exceptions:
        leaves.append(first_of(error) if isinstance(error, BaseExceptionGroup) else error)
    return next((leaf for leaf in leaves if isinstance(leaf, BulkImportError)), leaves[0])


class OneThread:
    """A thread for all blocking work on one resource, one piece at a time; `offload` is the production `Offload`.

    Whoever is cancelled meanwhile still waits for the work that was begun. For each piece anyio's own way off the loop
    takes three turns of it and this one: with 64 requests in flight that is 9 ms instead of 27, six times a batch.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)

    async def offload(self, work: Callable[[*Ts], T], /, *args: *Ts) -> T:
        """Do *work* in the thread."""
        done = asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
        with anyio.CancelScope(shield=True):
            await done
        return done.result()

    def close(self) -> None:
        """End the thread; nothing is under way any more."""
        self._pool.shutdown()


def abandoning() -> Offload:
    """Blocking reading leaves the loop one piece at a time; a cancelled wait leaves the work to end by itself."""
    limiter = anyio.CapacityLimiter(1)

    async def offload(work: Callable[[*Ts], T], /, *args: *Ts) -> T:
        return await anyio.to_thread.run_sync(work, *args, limiter=limiter, abandon_on_cancel=True)

    return offload


async def inline(work: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """Blocking work stays on the loop; the `Offload` of virtual time."""
    return work(*args)
