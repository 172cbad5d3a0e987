"""The gate: every request takes a turn here, so that the user's cap is never exceeded and Stripe's limits are found.

A start needs a place in flight, room under the cap for all requests and room under the cap of its
endpoint. It takes all three in one turn of the event loop, in the task that sends, once all have room: a
request that waits holds nothing, so a slow endpoint never blocks another one, and no start is counted
earlier than it happens.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType

from bulk_import.errors import OutOfReach
from bulk_import.model import Endpoint, Reply
from bulk_import.pace import adapt, connections, evidence, flight, outage
from bulk_import.pace.connections import Connections
from bulk_import.pace.level import Level
from bulk_import.pace.line import Line
from bulk_import.pace.notices import Notices, not_trusted, out_of_reach, say_nothing

USUAL_RATE = 100.0
AT_HAND = 4
"""Without a rate, claims at hand for each request in flight: the next batch is on disk before the workers run dry."""
LONG_WAIT = 10.0
"""Seconds of a `Retry-After` from which on it is told: longer than our own delays are at first."""
READING = 4.0
"""Seconds that reading the newest customers may take at an unusual rate."""


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
        self._notices = Notices(notify)
        self._rng = rng or random.Random()  # noqa: S311  # spreads probes over time, keeps no secret
        self._total = None if rate is None else Level(rate)
        self._own = {} if rate is None else {e: Level(min(rate, own)) for e, own in endpoint_rates.items()}
        self._levels = {e: tuple(filter(None, (self._total, self._own.get(e)))) for e in Endpoint}
        self._flight = flight.flight_for(rate, concurrency)
        self._connections = Connections()
        self._flown = evidence.Evidence()
        self._reach = outage.Reach()
        self._fault = ""
        self._turned_away: dict[Endpoint, outage.TurnedAway] = {}
        self._closed_at = math.inf
        self._why_closed: str | None = None
        self._line = Line(self._opens_at, self._gives_up_at, self._clock)
        self.starts: Counter[Endpoint] = Counter()
        self.first_start: float | None = None
        self.last_start: float | None = None
        self.rate_limited = 0

    @property
    def is_paused(self) -> bool:
        """Whether Stripe is out of reach: the gate then lets one request go at a time, at its own intervals."""
        return self._reach.pause is not None

    @property
    def max_in_flight(self) -> int:
        """The most requests that will ever be in flight at once: no run needs more workers."""
        return self._flight.most

    @property
    def in_flight(self) -> int:
        """How many requests are in flight."""
        return self._connections.in_use

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
                now = self._clock()
                if self._gives_up_at() <= now:
                    raise OutOfReach(self._why_closed or out_of_reach(self._give_up_after, self._fault))
                turn = await self._start(endpoint, now)
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
            if (hold := _asks_for(reply)) >= LONG_WAIT:
                self._notices.told_to_wait(endpoint.value, hold, reply, now)
        self._line.look()

    def within_patience(self, endpoint: Endpoint, reply: Reply) -> Reply:
        """The same reply, with a `Retry-After` no longer than the run may still wait."""
        patience = outage.patience_left(self._turned_away.get(endpoint), self._clock(), self._give_up_after)
        return reply._replace(retry_after=patience) if _asks_for(reply) > patience else reply

    def land(self, *, is_probe: bool, unused: bool = False) -> None:
        """Give up the place of one request that was in flight; for `Turn` to call, once."""
        now = self._clock()
        connections.returned(self._connections, now)
        if is_probe and unused:
            self._reach = outage.probe_unused(self._reach)
        elif is_probe:
            self._reach = outage.probe_over(self._reach, now, self._rng.random())
        self._line.look()

    async def _start(self, endpoint: Endpoint, now: float) -> Turn:
        """Take a place in flight and a start from both levels without suspending."""
        connections.taken(self._connections)
        evidence.begun(self._flown, now)
        for level in self._levels[endpoint]:
            await level.take(now)
        self.starts[endpoint] += 1
        self.first_start = now if self.first_start is None else self.first_start
        self.last_start = now
        self._reach = outage.probe_begun(self._reach, now)
        return Turn(self, is_probe=self._reach.pause is not None)

    def _gives_up_at(self) -> float:
        idle = not self._connections.in_use
        return min(outage.gives_up_at(self._reach, self._give_up_after, idle=idle), self._closed_at)

    def _opens_at(self, endpoint: Endpoint, now: float) -> float:
        """When a place, Stripe's health, both levels and a connection let a request start; leaving and hearing look again."""
        if self._connections.in_use >= flight.places(self._flight, now):
            return math.inf
        opens_at = max(outage.next_start_at(self._reach), self._flight.pace.hold_until)
        for level in self._levels[endpoint]:
            opens_at = max(opens_at, level.opens_at(now))
        return connections.opens_at(self._connections, opens_at, self._flight.latency.mean, now)

    def _judge_reach(self, reply: Reply, sign: outage.Sign, now: float) -> None:
        before = self._reach.pause
        self._reach = outage.after_reply(self._reach, sign, now, self._rng.random())
        pause = self._reach.pause
        if self._give_up_after < math.inf and outage.is_hopeless(self._reach, reply.fault):
            self._closed_at, self._why_closed = now, not_trusted(reply.detail)
        elif before is None and pause is not None:
            self._fault = f"HTTP {reply.status}" if reply.status else reply.detail or reply.fault or "no answer"
            self._notices.paused(pause.cause, self._fault, self._give_up_after)
        elif before is not None and pause is None:
            self._notices.resumed()

    def _judge_acceptance(
        self, endpoint: Endpoint, reply: Reply, sign: outage.Sign, limit: adapt.Limit | None, now: float
    ) -> None:
        """Close once an endpoint has accepted nothing for as long as the run may wait."""
        if reply.status == 429 or limit is not None:
            hold = _asks_for(reply)
            since = outage.turned_away(self._turned_away.get(endpoint), now, hold)
            self._turned_away[endpoint] = since
            if now - since.since >= self._give_up_after and self._closed_at > now:
                self._closed_at = now
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
            self._notices.too_fast(endpoint.value, own, reply.limited_reason, now)
        if total is not None and total.hear(reply, now, refused=limit is adapt.Limit.GLOBAL_RATE):
            self._notices.too_fast("all requests", total, reply.limited_reason, now)

    def _lower_flight(self, reply: Reply, now: float) -> None:
        before, began = flight.places(self._flight, now), now - reply.seconds
        evidence.answered(self._flown, self._flight.pace, began, refused=True)
        shown = evidence.rate_shown(self._flown, began)
        self._flight = flight.after_refusal(
            self._flight, now, began, reply.retry_after, self.in_flight or before, shown
        )
        self._notices.too_many(before, flight.places(self._flight, now), reply.limited_reason, now)


def _asks_for(reply: Reply) -> float:
    return adapt.hold_of(reply.retry_after)


class Unused(Exception):
    """A turn is given back: nothing was sent in it."""


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
        self._gate.land(is_probe=self._is_probe, unused=kind is not None and issubclass(kind, Unused))
