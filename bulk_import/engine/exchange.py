"""One request's way through the gate to Stripe and back, and reads of Stripe's until there is an answer."""

from __future__ import annotations

from bulk_import.age import is_young
from bulk_import.engine.ahead import Ahead
from bulk_import.engine.parts import Outdated, Parts, Stopped, TooOld
from bulk_import.engine.stopping import Stop
from bulk_import.engine.weighing import Scales
from bulk_import.errors import OutOfReach, StripeRefuses
from bulk_import.model import Claim, Endpoint, Reply, Request
from bulk_import.pace.outage import Sign, sign_of
from bulk_import.replies import answers, halting, is_refusal, of_another_mode, refusal_of, was_not_executed
from bulk_import.settle import backoff

VIEW_LIFE = 180.0
"""Seconds that what was read of the account may be old when a claim made from it is first sent: an outage, or a low rate,
can make it wait for much longer, and meanwhile people sign up and change their customers."""


class Exchange:
    """Every request of a run; `requests` counts them, and `stripe_time` is Stripe's clock as last seen, in seconds."""

    def __init__(self, parts: Parts, stop: Stop, scales: Scales, ahead: Ahead) -> None:
        self.parts = parts
        self.stripe_time: float | None = None
        self.requests: dict[Endpoint, int] = {}
        self._stop = stop
        self._scales = scales
        self._ahead = ahead
        self._well = 0

    async def ask(self, request: Request, *, accept: tuple[int, ...] = ()) -> Reply:
        """Read something of Stripe's, paced and retried; a 200 with an object, or a refusal, is the answer.

        Statuses in *accept* come back as they are. Raises `StripeRefuses` where the key or the address is
        refused and `OutOfReach` when no usable answer comes after the usual attempts. Attempts while nobody
        is answered are not counted: that is an outage, and how long to wait for its end is for the gate to say.
        """
        used = tried = waits = 0
        while True:
            self._stop.check()
            well = self._well
            started, reply = await self.attempt(request)
            if reply.status == 200 and isinstance(reply.body, dict) and answers(request, reply.body):
                if request.endpoint is Endpoint.RETRIEVE:
                    self._scales.impossible = 0  # only Stripe itself knows the customer
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
                await self._stop.nap(max(backoff(min(waits, 5), self.parts.chance()), reply.retry_after or 0.0))
                continue
            if is_refusal(reply):
                return reply
            if reply.status == 200:
                self.saw_impossible(started)
            tried, used = tried + 1, used + (self._well > well)
            if used >= self.parts.limits.attempts:
                raise OutOfReach(
                    f"Stripe gave no usable answer to {request.method} {request.path} in {tried} attempts "
                    f"({refusal.message}); run the same command again later"
                )
            await self._stop.nap(backoff(min(tried, 10), self.parts.chance()))

    async def attempt(
        self, request: Request, claim: Claim | None = None, seen_at: float | None = None
    ) -> tuple[float, Reply]:
        """Send it once, when its turn comes; when that began (monotonic, seconds), and the reply.

        Raises `Stopped` where the run stops before the turn, `TooOld` where the key of *claim* is by then, and `Outdated`
        where what was read at *seen_at* (wall clock) is.
        """
        gate = self.parts.gate
        if (turn := await gate.turn_now(request.endpoint)) is not None:  # no wait that a stop would have to cut short
            with turn:
                return await self._fly(request, claim, seen_at)
        with self._stop.cuts_short() as waiting:
            async with gate.turn(request.endpoint):
                self._stop.takes_off(waiting)
                return await self._fly(request, claim, seen_at)
        raise Stopped

    def saw_impossible(self, started: float) -> None:
        """A 200 that is no success, to an attempt that began then; too many end the run."""
        why = self._scales.saw_impossible(started, self.parts.tick())
        if why is not None:
            self._stop.halt(why)

    async def _fly(self, request: Request, claim: Claim | None, seen_at: float | None) -> tuple[float, Reply]:
        self._stop.check()
        if claim is not None:
            self._ahead.has_started(claim.row)
            if not is_young(claim.claimed_at, self.parts.now()):  # only now: it may have waited, or slept, for a day
                raise TooOld
        if seen_at is not None and self.parts.now() - seen_at > VIEW_LIFE:
            raise Outdated
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
