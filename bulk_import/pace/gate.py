"""The gate: every request takes a turn here, so that the user's cap is never exceeded and Stripe's limits are found.

A start needs a place in flight, room under the cap for all requests and room under the cap of its
endpoint. It takes all three in one turn of the event loop, in the task that sends, once all have room: a
request that waits holds nothing, so a slow endpoint never blocks another one, and no start is counted
earlier than it happens. This is the only module that uses aiolimiter.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType

from aiolimiter import AsyncLimiter

from bulk_import.errors import OutOfReach
from bulk_import.model import Endpoint, Reply
from bulk_import.pace import adapt, evidence, flight, outage
from bulk_import.pace.line import Line

BURST = 0.005
REFILL = 0.9925
SLACK = 0.005
"""Seconds by which a late start may be made up for; a little less than the hard cap itself allows
(`BURST / REFILL`), so that a start that our own spacing lets through finds room there."""
MARGIN = 0.0075
"""Seconds that a second is longer for us: starts that reach the server a little closer together than they left us still
keep the cap there."""
RECHECK = 0.001
NOTICE_EVERY = 60.0
USUAL_RATE = 100.0
AT_HAND = 4
"""Without a rate, claims at hand for each request in flight: the next batch is on disk before the workers run dry."""
READING = 4.0
"""Seconds that reading the newest customers may take at an unusual rate."""


class Level:
    """One hard cap of `cap` starts in any second, and in front of it the spacing that refusals ask for.

    A bucket of capacity b refilled at r lets b + r through in its first second. Here that is
    1 + 0.9975 · cap: never one more than the cap, even counting both ends of the second. What is made up for after a
    late start could still bring a second close to that, so the start as many places before as the cap must be a
    second and a margin ago.
    """

    def __init__(self, cap: float) -> None:
        capacity = 1 + BURST * cap
        self.cap = cap
        self.pace = adapt.Pace(cap)
        self._evidence = evidence.Evidence()
        self._limiter = AsyncLimiter(capacity, capacity / (REFILL * cap))
        self._due = -math.inf
        self._starts: deque[float] = deque(maxlen=math.ceil(cap))

    def opens_at(self, now: float) -> float:
        """When the next start is due; the hard cap has the last word."""
        opens_at = max(self._due + self._spacing(now), self.pace.hold_until)
        if len(self._starts) == self._starts.maxlen:
            opens_at = max(opens_at, self._starts[0] + 1 + MARGIN)
        return now + RECHECK if opens_at <= now and not self._limiter.has_capacity() else opens_at

    async def take(self, now: float) -> None:
        """Count one start; it never suspends while `opens_at` says that there is room."""
        self._due = max(self._due + self._spacing(now), now - SLACK)
        self._starts.append(now)
        evidence.begun(self._evidence, now)
        await self._limiter.acquire()

    def hear(self, reply: Reply, now: float, *, refused: bool) -> bool:
        """Learn from one reply; true if it changed the pace."""
        began, before = now - reply.seconds, self.pace
        evidence.answered(self._evidence, before, began, refused=refused)
        if not refused:
            return False
        if evidence.is_chance(self._evidence):
            calm_until = max(before.braked_at, before.tried_at) + evidence.CALM
            pace = adapt.tried(before, now) if now >= calm_until else before
        else:
            pace = adapt.after_refusal(before, now, began)
            shown = evidence.rate_shown(self._evidence, began)
            pace = adapt.bounded(pace, shown, now)
            if shown < math.inf:
                evidence.forget_moments(self._evidence)
        self.pace = adapt.held(pace, now, reply.retry_after)
        return self.pace.refused != before.refused

    def _spacing(self, now: float) -> float:
        return 1 / min(REFILL * self.cap, adapt.allowed(self.pace, now))


def say_nothing(code: str, message: str) -> None:
    """Drop a notice."""


class Gate:
    """Where every request of a run takes its turn.

    `rate` is the most starts in any second, all endpoints together (None: no rate limits at all, meant for
    a loopback server), `endpoint_rates` the same for each endpoint. `concurrency` is the most in flight;
    None sizes it by the rate and the latency measured. `notify(code, message)` is told with the code
    `slowed`, `paused` or `resumed`. The caps live as long as the gate: a process MUST have only one.
    """

    def __init__(
        self,
        rate: float | None,
        endpoint_rates: Mapping[Endpoint, float],
        *,
        concurrency: int | None = None,
        give_up_after: float = 900.0,
        clock: Callable[[], float] | None = None,
        notify: Callable[[str, str], None] = say_nothing,
        rng: random.Random | None = None,
    ) -> None:
        self._rate = rate
        self._give_up_after = give_up_after
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._notify = notify
        self._rng = rng or random.Random()  # noqa: S311  # spreads probes over time, keeps no secret
        self._total = None if rate is None else Level(rate)
        self._own = {} if rate is None else {e: Level(min(rate, own)) for e, own in endpoint_rates.items()}
        self._levels = {e: tuple(filter(None, (self._total, self._own.get(e)))) for e in Endpoint}
        self._flight = flight.flight_for(rate, concurrency)
        self._flown = evidence.Evidence()
        self._reach = outage.Reach()
        self._fault = ""
        self._turned_away: dict[Endpoint, outage.TurnedAway] = {}
        self._refused_too_long_at = math.inf
        self._noticed: dict[str, float] = {}
        self._line = Line(self._opens_at, self._gives_up_at, self._clock)
        self.starts: Counter[Endpoint] = Counter()
        self.first_start: float | None = None
        self.last_start: float | None = None
        self.in_flight = 0
        self.rate_limited = 0

    @property
    def max_in_flight(self) -> int:
        """The most requests that will ever be in flight at once: no run needs more workers."""
        return self._flight.most

    @property
    def claims_ahead(self) -> int:
        """How many claims may wait for a worker: few, as they were judged by who was there then.

        Far above Stripe's usual rates there must be enough to go on with while the newest customers are read.
        """
        if self._rate is None:
            return self.max_in_flight * AT_HAND
        return self.max_in_flight + math.ceil(max(0.0, self._rate - USUAL_RATE) * READING)

    @property
    def first_lead(self) -> float:
        """How many seconds a batch may take before any was seen to: nothing at Stripe's usual rates."""
        return READING if (self._rate or 0.0) > USUAL_RATE else 0.0

    def current_rate(self, endpoint: Endpoint) -> float:
        """How many starts a second this endpoint is allowed now; infinite without a rate."""
        now = self._clock()
        return min((adapt.allowed(level.pace, now) for level in self._levels[endpoint]), default=math.inf)

    def share(self) -> float | None:
        """How much of the cap was used between the first and the last start; None if that cannot be said."""
        if self._rate is None or self.first_start is None or self.last_start is None:
            return None
        seconds = self.last_start - self.first_start
        return (self.starts.total() - 1) / seconds / self._rate if seconds > 0 else None

    @asynccontextmanager
    async def turn(self, endpoint: Endpoint) -> AsyncIterator[None]:
        """Wait until one request may start, and count it as in flight until the block is left.

        Starts come in order within an endpoint, and endpoints take turns. Raises OutOfReach once Stripe has been out of reach
        for longer than the run may wait. A cancelled wait takes nothing.
        """
        turn = await self.turn_now(endpoint)
        if turn is None:
            async with self._line.front(endpoint):
                turn = await self._start(endpoint, self._clock())
        with turn:
            yield

    async def turn_now(self, endpoint: Endpoint) -> Turn | None:
        """The same where nothing has to be waited for: nobody is in line, and everything has room; None elsewhere.

        It never suspends, so there is nothing that could be cancelled.
        """
        if not self._line.is_empty:
            return None
        now = self._clock()
        if self._gives_up_at() <= now or self._opens_at(endpoint, now) > now:
            return None
        return await self._start(endpoint, now)

    def heard(self, endpoint: Endpoint, reply: Reply) -> None:
        """Learn from a reply, good or bad; every reply MUST pass here once."""
        now, sign, limit = self._clock(), outage.sign_of(reply), adapt.limit_hit(reply)
        self._judge_reach(reply, sign, now)
        self._judge_acceptance(endpoint, reply, sign, limit, now)
        if reply.status is not None:
            self.rate_limited += reply.status == 429
            self._judge_limits(endpoint, reply, limit, now)
        self._line.look()

    def land(self, *, is_probe: bool) -> None:
        """Give up the place of one request that was in flight; for `Turn` to call, once."""
        self.in_flight -= 1
        if is_probe:
            self._reach = outage.probe_over(self._reach, self._clock(), self._rng.random())
        self._line.look()

    async def _start(self, endpoint: Endpoint, now: float) -> Turn:
        """Take a place in flight and a start from both levels without suspending."""
        if self._gives_up_at() <= now:
            raise OutOfReach(
                f"Stripe has been out of reach for {_duration(self._give_up_after)} ({self._fault}); "
                "nothing is lost, run the same command again to continue"
            )
        self.in_flight += 1
        evidence.begun(self._flown, now)
        for level in self._levels[endpoint]:
            await level.take(now)
        self.starts[endpoint] += 1
        self.first_start = now if self.first_start is None else self.first_start
        self.last_start = now
        self._reach = outage.probe_begun(self._reach)
        return Turn(self, is_probe=self._reach.pause is not None)

    def _gives_up_at(self) -> float:
        return min(outage.gives_up_at(self._reach, self._give_up_after), self._refused_too_long_at)

    def _opens_at(self, endpoint: Endpoint, now: float) -> float:
        """When a place, Stripe's health and both levels let a request start; leaving and hearing look again."""
        if self.in_flight >= flight.places(self._flight, now):
            return math.inf
        opens_at = max(outage.next_start_at(self._reach), self._flight.pace.hold_until)
        for level in self._levels[endpoint]:
            opens_at = max(opens_at, level.opens_at(now))
        return opens_at

    def _judge_reach(self, reply: Reply, sign: outage.Sign, now: float) -> None:
        before = self._reach.pause
        self._reach = outage.after_reply(self._reach, sign, now, self._rng.random())
        pause = self._reach.pause
        if before is None and pause is not None:
            self._fault = f"HTTP {reply.status}" if reply.status else reply.detail or reply.fault or "no answer"
            self._notify(
                "paused",
                f"Stripe is out of reach, {pause.cause} ({self._fault}): waiting for up to "
                f"{_duration(self._give_up_after)}, with a probe now and then; no row is lost",
            )
        elif before is not None and pause is None:
            self._notify("resumed", "Stripe answers again, the run goes on")

    def _judge_acceptance(
        self, endpoint: Endpoint, reply: Reply, sign: outage.Sign, limit: adapt.Limit | None, now: float
    ) -> None:
        """Close once an endpoint has accepted nothing for as long as the run may wait."""
        if reply.status == 429 or limit is not None:
            hold = adapt.hold_of(reply.retry_after)
            since = outage.turned_away(self._turned_away.get(endpoint), now, hold)
            self._turned_away[endpoint] = since
            if now - since.since >= self._give_up_after and self._refused_too_long_at > now:
                self._refused_too_long_at = now
                self._fault = f"every {endpoint.value} is answered with {reply.limited_reason or reply.status}"
        elif sign is outage.Sign.WELL:
            self._turned_away.pop(endpoint, None)

    def _judge_limits(self, endpoint: Endpoint, reply: Reply, limit: adapt.Limit | None, now: float) -> None:
        """Slow down whatever the reply says is too fast."""
        if limit is None:
            self._flight = flight.after_answer(self._flight, reply.seconds)
        elif limit is adapt.Limit.CONCURRENCY:
            self._lower_flight(reply, now)
        own, total = self._own.get(endpoint), self._total
        if own is not None and own.hear(reply, now, refused=limit is adapt.Limit.ENDPOINT_RATE):
            self._say_slowed(endpoint.value, own, reply, now)
        if total is not None and total.hear(reply, now, refused=limit is adapt.Limit.GLOBAL_RATE):
            self._say_slowed("all requests", total, reply, now)

    def _lower_flight(self, reply: Reply, now: float) -> None:
        before, began = flight.places(self._flight, now), now - reply.seconds
        evidence.answered(self._flown, self._flight.pace, began, refused=True)
        shown = evidence.rate_shown(self._flown, began)
        self._flight = flight.after_refusal(
            self._flight, now, began, reply.retry_after, self.in_flight or before, shown
        )
        after = flight.places(self._flight, now)
        if after < before:
            self._say_now_and_then(
                "concurrency",
                f"Stripe refuses {before} requests at once ({reply.limited_reason}): {after} at once for now",
                now,
            )

    def _say_slowed(self, what: str, level: Level, reply: Reply, now: float) -> None:
        rate = adapt.allowed(level.pace, now + adapt.BRAKE_SECONDS)
        reason = reply.limited_reason or "429 without a reason"
        outcome = (
            f"going on at about {rate:.3g} a second" if what in self._noticed else "slowing down to find its limit"
        )
        self._say_now_and_then(
            what, f"Stripe allows less than {level.cap:g} requests a second ({what}: {reason}): {outcome}", now
        )

    def _say_now_and_then(self, about: str, message: str, now: float) -> None:
        if now - self._noticed.get(about, -math.inf) >= NOTICE_EVERY:
            self._noticed[about] = now
            self._notify("slowed", message)


class Turn:
    """One request's place in flight, until the block is left."""

    __slots__ = ("_gate", "_is_probe")

    def __init__(self, gate: Gate, *, is_probe: bool) -> None:
        self._gate = gate
        self._is_probe = is_probe

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gate.land(is_probe=self._is_probe)


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
