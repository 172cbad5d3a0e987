"""The run: every task, channel and signal; the only concurrency of the project.

A script (see `job`) claims batches and asks Stripe questions; W workers carry the claims out; one
scribe writes claims and outcomes in group commits. Channels are bounded, so reading never runs ahead
of sending. Whatever ends the run early, a signal or a refusal, stops the script at its next step, lets
flights land, writes what they brought, and only then returns.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from bulk_import.engine.ahead import Ahead
from bulk_import.engine.carrying import Carrying
from bulk_import.engine.exchange import Exchange
from bulk_import.engine.listening import listen, report
from bulk_import.engine.looking import LookAgain
from bulk_import.engine.parts import Ended, Parts, Stopped, T, Ts, first_of
from bulk_import.engine.reading_ahead import ReadAhead
from bulk_import.engine.scribe import Scribe
from bulk_import.engine.stopping import Stop
from bulk_import.engine.viewing import View
from bulk_import.engine.weighing import Scales
from bulk_import.errors import BulkImportError
from bulk_import.existing import Piece
from bulk_import.model import Claim, Endpoint, Settled

Work = tuple[Claim, bool, bool]


class Engine:
    """One run in progress."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._token: str | None = None
        self.ended = Ended()
        self.scales = Scales(parts.budget)
        self._stop = Stop(self.ended)
        self._ahead = Ahead(parts.gate, self._stop, parts.tick)
        self._exchange = Exchange(parts, self._stop, self.scales, self._ahead)
        self.ask = self._exchange.ask
        """Something that is read of Stripe, or undone there; see `Exchange.ask`."""
        self._carrying = Carrying(parts, self._stop, self.scales, self._exchange)
        self._scribe = Scribe(parts, self._stop.halt)
        self._work: MemoryObjectSendStream[Work]
        self._hands: TaskGroup

    @property
    def requests(self) -> dict[Endpoint, int]:
        """How many requests were sent, by endpoint, answered or not."""
        return self._exchange.requests

    @property
    def stripe_time(self) -> float | None:
        """Stripe's clock as last dated, in seconds."""
        return self._exchange.clock.dated

    @property
    def passed(self) -> float | None:
        """A moment that Stripe's clock has surely passed; see `StripesClock`."""
        return self._exchange.clock.passed

    async def run(self, script: Callable[[Engine], Awaitable[None]], signals: Iterable[signal.Signals] = ()) -> Ended:
        """Follow *script* to its end, or to the first signal or error, and say how it ended."""
        async with anyio.create_task_group() as watch:
            await watch.start(listen, tuple(signals), self._stop, self.ended)
            if self.parts.progress is not None:
                watch.start_soon(report, self.parts.progress)
            entries, drain = self._scribe.open()
            async with anyio.create_task_group() as desk:
                desk.start_soon(drain)
                async with entries:
                    await self._man(script)
            watch.cancel_scope.cancel()
        self.ended.unwritten = self._scribe.unwritten
        return self.ended

    async def _man(self, script: Callable[[Engine], Awaitable[None]]) -> None:
        workers = self.parts.gate.max_in_flight
        self._work, work = anyio.create_memory_object_stream[Work](self.parts.gate.claims_ahead)
        async with anyio.create_task_group() as hands:
            self._stop.flights = hands.cancel_scope
            self._hands = hands
            for _ in range(workers):
                hands.start_soon(self._carry_out_all, work.clone())
            work.close()
            async with self._work:
                try:
                    await script(self)
                except Stopped:
                    pass
                except BulkImportError as error:
                    self._stop.halt(error)

    async def _carry_out_all(self, work: MemoryObjectReceiveStream[Work]) -> None:
        with work:
            while True:
                try:
                    claim, fresh, release = await _taken(work)
                except anyio.EndOfStream:
                    return
                assert self._token is not None  # noqa: S101 - whoever claims has said so before
                settled = await self._carrying.carry_out(claim, self._token, fresh=fresh, release=release)
                self._ahead.has_started(claim.row)  # or never will
                await self._scribe.landed(settled)

    # What a script may do.

    def adopt(self, token: str) -> None:
        """Send claims under the keys of the ledger with this token, from now on."""
        self._token = token

    async def claim(self, claims: Sequence[Claim], settled: Sequence[Settled] = (), *, release: bool = True) -> None:
        """Put *claims* and *settled* on disk in one commit, then hand the claims to the workers.

        A claim that a stop keeps from ever being sent begins anew, unless not *release*: then it stays as it is.
        """
        await self.record(claims, settled)
        await self.dispatch(claims, fresh=True, release=release)

    async def record(self, claims: Sequence[Claim], settled: Sequence[Settled]) -> None:
        """Put *claims* and *settled* on disk in one commit, and send nothing."""
        self.check()
        if not await self._scribe.write(claims, settled):
            raise Stopped

    async def dispatch(self, claims: Sequence[Claim], *, fresh: bool, release: bool = False) -> None:
        """Hand claims that are on disk to the workers; *fresh* ones were surely never sent, and a stop may *release* those.

        What is not to be released may hold mended fields, unless it is its row's first claim: a mapping mistake takes back
        only what the source says, too.
        """
        for claim in claims:
            may_begin_anew = release or claim.is_first
            self._scribe.took_off()
            self._ahead.add(claim.row)
            try:
                self._work.send_nowait(
                    (claim, fresh, may_begin_anew)
                )  # no trip through the event loop while there is room
            except anyio.WouldBlock:
                await self._work.send((claim, fresh, may_begin_anew))
        self.check()

    def looks_again(self, look: LookAgain) -> None:
        """Claims that waited long go through *look* before they are first sent; see `SharedLook`."""
        self._carrying.second_look.look = look

    def alone(self) -> AbstractAsyncContextManager[None]:
        """Look at the account in this block while nobody else does: what one has read, the next need not read again."""
        return self._carrying.second_look.alone

    async def until_needed(self) -> None:
        """Wait until another batch is needed to keep the gate busy; see `Ahead`."""
        await self._ahead.until_needed()

    async def idle(self) -> None:
        """Wait until everything handed out has landed and is on disk."""
        await self._scribe.quiet()
        self.check()

    def viewing(self) -> AbstractContextManager[View]:
        """Measure what is read of the account in this block, for `seen_at`."""
        return self._exchange.viewing()

    def seen_at(self, view: View) -> float:
        """When the account was seen by a look that ends now: a claim made upon it is new enough for `VIEW_LIFE`."""
        return self._exchange.seen_at(view)

    def life(self, view: View) -> float:
        """For how many seconds that look is believed: `VIEW_LIFE`, and more at a very low rate."""
        return self._exchange.life(view)

    async def blocking(self, work: Callable[[*Ts], T], /, *args: *Ts) -> T:
        """Do blocking work that changes nothing; it is abandoned when the run stops."""
        self.check()
        with self._stop.cuts_short():
            return await self.parts.offload_reading(work, *args)
        raise Stopped

    def read_ahead(self, items: Iterator[T]) -> ReadAhead[T]:
        """The items of a blocking iterator, each read while the one before it is worked on."""
        return ReadAhead(items, lambda left: self.blocking(next, left, None), self._hands)

    async def together(self, work: Sequence[Piece], at_once: int, /) -> None:
        """Do pieces of reading side by side, *at_once* at most, and the pieces they lead to."""
        slots = anyio.Semaphore(at_once)

        async def carry(piece: Piece) -> None:
            async with slots:
                more = await piece()
            for following in more:
                group.start_soon(carry, following)

        try:
            async with anyio.create_task_group() as group:
                for piece in work:
                    group.start_soon(carry, piece)
        except BaseExceptionGroup as errors:
            raise first_of(errors) from None

    async def nap(self, seconds: float) -> None:
        """Sleep, but no longer than the run goes on."""
        await self._stop.nap(seconds)

    def check(self) -> None:
        """Raise `Stopped` when the run is on its way out."""
        self._stop.check()

    def halt(self, error: BulkImportError) -> None:
        """Stop the run because of *error*; the first one is the one that is reported."""
        self._stop.halt(error)


async def _taken(work: MemoryObjectReceiveStream[Work]) -> Work:
    """The next piece of work; what waits already comes at once, where `receive` would go through the event loop."""
    try:
        return work.receive_nowait()
    except anyio.WouldBlock:
        return await work.receive()
