"""The run: every task, channel and signal; the only concurrency of the project.

A script (see `job`) claims batches and asks Stripe questions; W workers carry the claims out; one
scribe writes claims and outcomes in group commits. Channels are bounded, so reading never runs ahead
of sending. Whatever ends the run early, a signal or a refusal, stops the script at its next step, lets
flights land, writes what they brought, and only then returns.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence
from math import ceil, inf
from typing import assert_never

import anyio
from anyio.abc import TaskStatus
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from bulk_import import early
from bulk_import.age import is_young
from bulk_import.change import METHOD
from bulk_import.engine.parts import Ended, Parts, Stopped, T, TooOld, Trip, Ts, first_of
from bulk_import.engine.scribe import Scribe
from bulk_import.engine.weighing import Scales
from bulk_import.errors import (
    BulkImportError,
    OutOfReach,
    StripeRefuses,
)
from bulk_import.existing import Piece, customer_from, is_attached
from bulk_import.model import (
    Claim,
    Created,
    Doubt,
    Endpoint,
    Failed,
    InDoubt,
    Outcome,
    Refusal,
    Released,
    Reply,
    Request,
    Settled,
    Updated,
)
from bulk_import.pace.outage import Sign, sign_of
from bulk_import.settle import (
    Again,
    Done,
    Expected,
    Halt,
    Taken,
    Tries,
    answers,
    backoff,
    halting,
    is_refusal,
    never_began,
    of_another_mode,
    refusal_of,
    settle,
    was_not_executed,
)
from bulk_import.steps import Makes, Step, explained, steps_of

RECONSIDER = 0.25
"""Seconds between two looks at whether another batch is needed, where no start asks for one."""

REPORT_EVERY = 0.25
"""Seconds between two looks at the progress."""

STORED_IS_FRESH = 60.0
"""Seconds in which nobody has found and deleted the customer that an earlier process made."""

SIGNALS = early.SIGNALS

Work = tuple[Claim, bool]


class Engine:
    """One run in progress. `token` is the ledger's, set by the script before anything is claimed."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.token = ""
        self.ended = Ended()
        self.stripe_time: float | None = None
        self.requests: dict[Endpoint, int] = {}
        self.scales = Scales(parts.budget)
        self._scribe = Scribe(parts, self.halt)
        self._well = 0
        self._stop = anyio.Event()
        self._flights: anyio.CancelScope | None = None
        self._waiting: set[anyio.CancelScope] = set()
        self._unstarted: set[int] = set()
        self._few = 0
        self._few_left = anyio.Event()
        self._work: MemoryObjectSendStream[Work]

    @property
    def stopping(self) -> bool:
        """Whether the run is on its way out."""
        return self._stop.is_set()

    async def run(self, script: Callable[[Engine], Awaitable[None]], signals: Iterable[signal.Signals] = ()) -> Ended:
        """Follow *script* to its end, or to the first signal or error, and say how it ended."""
        async with anyio.create_task_group() as watch:
            await watch.start(self._listen, tuple(signals))
            watch.start_soon(self._report)
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
            self._flights = hands.cancel_scope
            for _ in range(workers):
                hands.start_soon(self._carry_out_all, work.clone())
            work.close()
            async with self._work:
                try:
                    await script(self)
                except Stopped:
                    pass
                except BulkImportError as error:
                    self.halt(error)

    # What a script may do.

    async def claim(self, claims: Sequence[Claim], settled: Sequence[Settled] = (), *, release: bool = True) -> None:
        """Put *claims* and *settled* on disk in one commit, then hand the claims to the workers.

        A claim that a stop keeps from ever being sent begins anew, unless not *release*: then it stays as it is.
        """
        await self.record(claims, settled)
        await self.dispatch(claims, fresh=release)

    async def record(self, claims: Sequence[Claim], settled: Sequence[Settled]) -> None:
        """Put *claims* and *settled* on disk in one commit, and send nothing."""
        self.check()
        if not await self._scribe.write(claims, settled):
            raise Stopped

    async def dispatch(self, claims: Sequence[Claim], *, fresh: bool) -> None:
        """Hand claims that are on disk to the workers; *fresh* ones were surely never sent."""
        for claim in claims:
            self._scribe.took_off()
            self._unstarted.add(claim.row)
            try:
                self._work.send_nowait((claim, fresh))  # no trip through the event loop while there is room
            except anyio.WouldBlock:
                await self._work.send((claim, fresh))
        self.check()

    async def until_needed(self) -> None:
        """Wait until so few claims have not had their turn that another batch is needed to keep the gate busy.

        Whoever claims earlier than that claims rows in ignorance of who signs up meanwhile, and leaves them in doubt if killed.
        """
        while len(self._unstarted) >= (few := self._enough_for_now()):
            self._few, self._few_left = few, anyio.Event()
            with anyio.move_on_after(RECONSIDER):  # the rate and the number in flight change
                await self._few_left.wait()
            self.check()

    def _enough_for_now(self) -> int:
        """As many as may start within a second; without a rate, as many as may be in flight."""
        rate = self.parts.gate.current_rate(Endpoint.CREATE)
        return max(1, ceil(rate)) if rate < inf else self.parts.gate.max_in_flight

    def _has_started(self, row: int) -> None:
        self._unstarted.discard(row)
        if len(self._unstarted) < self._few:
            self._few_left.set()

    async def idle(self) -> None:
        """Wait until everything handed out has landed and is on disk."""
        await self._scribe.quiet()
        self.check()

    async def ask(self, request: Request, *, accept: tuple[int, ...] = ()) -> Reply:
        """Read something of Stripe's, paced and retried; a 200 with an object, or a refusal, is the answer.

        Statuses in *accept* come back as they are. Raises `StripeRefuses` where the key or the address is
        refused and `OutOfReach` when no usable answer comes after the usual attempts. Attempts while nobody
        is answered are not counted: that is an outage, and how long to wait for its end is for the gate to say.
        """
        used = tried = waits = 0
        while True:
            self.check()
            well = self._well
            started, reply = await self._attempt(request)
            if reply.status == 200 and isinstance(reply.body, dict) and answers(request, reply.body):
                if request.endpoint is Endpoint.RETRIEVE:
                    self.scales.impossible = 0  # only Stripe itself knows the customer
                if self.parts.strict and (halt := of_another_mode(reply.body, livemode=self.parts.livemode)):
                    raise StripeRefuses(halt.message)
                return reply
            if reply.status in accept:
                return reply
            refusal = refusal_of(reply)
            if halt := halting(reply, refusal):
                raise StripeRefuses(halt.message)
            if was_not_executed(reply, refusal):
                waits += 1
                await self.nap(max(backoff(min(waits, 5), self.parts.chance()), reply.retry_after or 0.0))
                continue
            if is_refusal(reply):
                return reply
            if reply.status == 200:
                self._saw_impossible(started)
            tried, used = tried + 1, used + (self._well > well)
            if used >= self.parts.limits.attempts:
                raise OutOfReach(
                    f"Stripe gave no usable answer to {request.method} {request.path} in {tried} attempts "
                    f"({refusal.message}); run the same command again later"
                )
            await self.nap(backoff(min(tried, 10), self.parts.chance()))

    async def blocking(self, work: Callable[[*Ts], T], /, *args: *Ts) -> T:
        """Do blocking work that changes nothing; it is abandoned when the run stops."""
        self.check()
        with anyio.CancelScope() as waiting:
            self._waiting.add(waiting)
            try:
                return await self.parts.offload_reading(work, *args)
            finally:
                self._waiting.discard(waiting)
        raise Stopped

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
        with anyio.move_on_after(seconds):
            await self._stop.wait()

    def check(self) -> None:
        """Raise `Stopped` when the run is on its way out."""
        if self.stopping:
            raise Stopped

    def halt(self, error: BulkImportError) -> None:
        """Stop the run because of *error*; the first one is the one that is reported."""
        if self.ended.error is None:
            self.ended.error = error
        self._wind_down()

    def _wind_down(self) -> None:
        """Whoever waits for a turn gives up; who has begun goes on."""
        self._stop.set()
        self._few_left.set()
        for waiting in tuple(self._waiting):
            waiting.cancel()

    # The workers.

    async def _carry_out_all(self, work: MemoryObjectReceiveStream[Work]) -> None:
        with work:
            while True:
                try:
                    claim, fresh = await _taken(work)
                except anyio.EndOfStream:
                    return
                settled = await self._carry_out(claim, fresh=fresh)
                self._has_started(claim.row)  # or never will
                await self._scribe.landed(settled)

    async def _carry_out(self, claim: Claim, *, fresh: bool) -> list[Settled]:
        """Try one claim, step by step, until it is settled; an empty answer leaves it claimed."""
        trip = Trip(claim, fresh=fresh, resumed=not fresh, attached=claim.attached)
        taken = Taken(claim.target or "", None)
        for step in steps_of(claim):
            if step.makes is Makes.PAYMENT_METHOD and trip.attached is not None:
                continue  # an earlier process has seen it done
            end = await self._take(step, trip)
            if not isinstance(end, Taken):
                return end
            taken = end
            if step.makes is Makes.PAYMENT_METHOD:
                trip.attached = end.made
        return self._weighed(trip, Updated(claim.target or "", taken.request_id, claim.note))

    async def _take(self, step: Step, trip: Trip) -> Taken | list[Settled]:
        """Try one step until it is done, or until that settles the claim or leaves it."""
        claim, tries = trip.claim, Tries()
        request = step.request(claim, self.token, trip.attached)
        expected = Expected(self.parts.livemode, claim.marker, claim.email, claim.target, step.makes)
        while True:
            if self.stopping:
                return [Settled(claim.row, Released(claim.generation))] if trip.fresh else []
            try:
                started, reply = await self._attempt(request, claim)
            except TooOld:
                why = Refusal(type="key_too_old", message="its idempotency key is too old to be sent again unseen")
                return [trip.ends(InDoubt(why))]
            except Stopped:
                continue
            except OutOfReach as error:
                self.halt(error)
                continue
            trip.attempts, trip.ended_at = trip.attempts + 1, self.parts.now()
            trip.begun = started if trip.begun is None else trip.begun
            trip.fresh = trip.fresh and never_began(reply)
            verdict = settle(
                reply, expected, tries, self.parts.limits,
                started=started, ended=self.parts.tick(), chance=self.parts.chance(),
            )  # fmt: skip
            match verdict:
                case Taken():
                    return verdict
                case Done(Failed(refusal)) if claim.target is not None:
                    return await self._refused(step, trip, refusal)
                case Done(outcome):
                    if trip.resumed and reply.replayed and isinstance(outcome, Created):
                        seen = await self._if_there(claim, outcome)
                        if seen is None:
                            return []
                        outcome = seen
                    if reply.status == 200 and isinstance(outcome, InDoubt):
                        self._saw_impossible(started)
                    return self._weighed(trip, outcome)
                case Halt(message):
                    self.halt(StripeRefuses(message))
                case Again(delay, tries, impossible):
                    if impossible:
                        self._saw_impossible(started)
                    await self.nap(delay)
                case _:
                    assert_never(verdict)

    async def _refused(self, step: Step, trip: Trip, refusal: Refusal) -> Taken | list[Settled]:
        """A step of an update was refused; that a payment method is this customer's already is no refusal."""
        claim = trip.claim
        if step.makes is Makes.PAYMENT_METHOD:
            try:
                if await is_attached(self.ask, claim.params[METHOD], claim.target):
                    return Taken(claim.params[METHOD], refusal.request_id)
            except Stopped:
                return []
            except BulkImportError as error:
                self.halt(error)
                return []
        return self._weighed(trip, Failed(explained(refusal, claim, step)))

    def _weighed(self, trip: Trip, outcome: Outcome) -> list[Settled]:
        if trip.begun is not None:
            self.parts.landed(trip.claim.row, self.parts.tick() - trip.begun, trip.attempts)
        settled, end = self.scales.weigh(trip.claim, trip.ends(outcome))
        if end is not None:
            self.halt(end)
        return settled

    async def _if_there(self, claim: Claim, made: Created) -> Outcome | None:
        """Believe a stored answer to an earlier process only once its customer was seen: it may be deleted by now."""
        if self.parts.now() - claim.claimed_at < STORED_IS_FRESH:
            return made
        request = Request(Endpoint.RETRIEVE, "GET", f"/v1/customers/{made.customer_id}")
        try:
            reply = await self.ask(request, accept=(404,))
        except Stopped:
            return None
        except BulkImportError as error:
            self.halt(error)
            return None
        shown = customer_from(reply.body) if reply.status == 200 else None
        if shown is not None and not shown.deleted:
            return made
        why = f"{made.customer_id} was made for this row and has been deleted since"
        return InDoubt(Refusal(type="deleted", message=why), Doubt.REPLAYED)

    async def _attempt(self, request: Request, claim: Claim | None = None) -> tuple[float, Reply]:
        gate = self.parts.gate
        if gate.starts_at_once(request.endpoint):  # nothing to wait for, so nothing that a stop would have to cut short
            async with gate.turn(request.endpoint):
                return await self._fly(request, claim)
        with anyio.CancelScope() as waiting:
            self._waiting.add(waiting)
            try:
                async with gate.turn(request.endpoint):
                    self._waiting.discard(waiting)  # from here on it is a flight, and flights land
                    return await self._fly(request, claim)
            finally:
                self._waiting.discard(waiting)
        raise Stopped

    async def _fly(self, request: Request, claim: Claim | None) -> tuple[float, Reply]:
        self.check()
        if claim is not None:
            self._has_started(claim.row)
            if not is_young(claim.claimed_at, self.parts.now()):  # only now: it may have waited, or slept, for a day
                raise TooOld
        started = self.parts.tick()
        reply = await self.parts.send(request)
        self._heard(request.endpoint, reply)
        return started, reply

    def _heard(self, endpoint: Endpoint, reply: Reply) -> None:
        self.requests[endpoint] = self.requests.get(endpoint, 0) + 1
        self.parts.heard(endpoint, reply)
        self._well += sign_of(reply) is Sign.WELL
        if reply.stripe_time is not None:
            self.stripe_time = reply.stripe_time
        self.parts.gate.heard(endpoint, reply)

    def _saw_impossible(self, started: float) -> None:
        why = self.scales.saw_impossible(started, self.parts.tick())
        if why is not None:
            self.halt(why)

    # Signals and the clock.

    async def _report(self) -> None:
        while True:
            await anyio.sleep(REPORT_EVERY)
            self.parts.progress()

    def _told_to_stop(self, number: int) -> None:
        if self.ended.signal is not None and self._flights is not None:
            self._flights.cancel()
        self.ended.signal = self.ended.signal or int(number)
        self._wind_down()

    async def _listen(self, signals: tuple[signal.Signals, ...], *, task_status: TaskStatus[None]) -> None:
        """The first signal stops the script and lets flights land; a second one cancels the flights."""
        heeded = [s for s in signals if signal.getsignal(s) is not signal.SIG_IGN]
        if not heeded:
            task_status.started()
            return
        try:
            with anyio.open_signal_receiver(*heeded) as received:
                for number in early.caught:
                    self._told_to_stop(number)
                task_status.started()
                async for number in received:
                    self._told_to_stop(number)
        finally:
            if self.ended.signal is not None:
                # What was asked for is done. One more impatient Ctrl-C must not cut off the closing of the ledger.
                for number in heeded:
                    signal.signal(number, signal.SIG_IGN)


async def _taken(work: MemoryObjectReceiveStream[Work]) -> Work:
    """The next piece of work; what waits already comes at once, where `receive` would go through the event loop."""
    try:
        return work.receive_nowait()
    except anyio.WouldBlock:
        return await work.receive()
