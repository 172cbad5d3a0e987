"""One request's way through the gate to Stripe and back, and reads of Stripe's until there is an answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from bulk_import.age import is_young
from bulk_import.engine.ahead import Ahead
from bulk_import.engine.parts import Outdated, Parts, TooOld
from bulk_import.engine.stopping import Stop
from bulk_import.engine.stripes_clock import StripesClock
from bulk_import.engine.viewing import View
from bulk_import.engine.weighing import Scales
from bulk_import.errors import OutOfReach, StripeRefuses
from bulk_import.model import Claim, Endpoint, Refusal, Reply, Request
from bulk_import.pace.outage import Sign, sign_of
from bulk_import.replies import (
    answers,
    halting,
    is_doubtful,
    of_another_mode,
    refusal_of,
    refuses,
    was_not_executed,
)
from bulk_import.settle import PATIENCE_WITH_409, backoff

_VIEW: ContextVar[View | None] = ContextVar("view", default=None)
"""The look at the account that a task, or the one that has started it, is taking."""


class Exchange:
    """Every request of a run; `requests` counts them, and `clock` is what they tell of Stripe's clock."""

    def __init__(self, parts: Parts, stop: Stop, scales: Scales, ahead: Ahead) -> None:
        self.parts = parts
        self.clock = StripesClock(parts.now)
        self.requests: dict[Endpoint, int] = {}
        self._stop = stop
        self._scales = scales
        self._ahead = ahead
        self._well = 0

    @contextmanager
    def viewing(self) -> Iterator[View]:
        """Measure what is read of the account in this block, and in the tasks that it starts."""
        view = View(self.parts.now(), self.parts.limits.deadline)
        outer = _VIEW.set(view)
        try:
            yield view
        finally:
            _VIEW.reset(outer)

    def seen_at(self, view: View) -> float:
        """When the account was seen by a look that ends now."""
        return view.seen_at(self.parts.now())

    def life(self, view: View) -> float:
        """For how many seconds a look is believed at the present rate."""
        return view.life(self.parts.gate.current_rate(Endpoint.CREATE))

    async def ask(
        self,
        request: Request,
        *,
        accept: tuple[int, ...] = (),
        good_until: float | None = None,
        begins: Callable[[], None] | None = None,
    ) -> Reply:
        """Read something of Stripe's, paced and retried; a 200 with an object, or Stripe's own refusal, is the answer.

        Statuses in *accept* come back as they are, without Stripe's error object once they came twice: they MUST lead to
        nothing but another way to the same end. That a customer is missing has to come twice as well. Raises
        `StripeRefuses` where the key or the address is refused and `OutOfReach` when no usable answer comes after the
        usual attempts. Attempts while nobody is answered are not counted: that is an outage, and how long to wait for its
        end is for the gate to say. What is to act upon something that was seen begins no attempt after *good_until* (wall
        clock): then `Outdated` is raised, and earlier attempts may have acted. *begins* is called before each attempt that
        really goes out: until then nothing can have acted.
        """
        used = tried = waits = conflicts = 0
        was_accepted = was_doubtful = False
        view = _VIEW.get()
        while True:
            self._stop.check()
            well = self._well
            if view is not None:
                view.asked += 1
            started, reply = await self.attempt(request, good_until=good_until, begins=begins)
            if reply.status == 200 and isinstance(reply.body, dict) and answers(request, reply.body):
                if view is not None:
                    now = self.parts.now()
                    view.answered(now - (self.parts.tick() - started), now)
                if request.endpoint is Endpoint.RETRIEVE:
                    self._scales.impossible = 0  # only Stripe itself knows the customer
                if self.parts.strict and (halt := of_another_mode(reply.body, livemode=self.parts.livemode)):
                    raise StripeRefuses(halt.message)
                return reply
            accepted, doubtful = reply.status in accept, is_doubtful(request, reply)
            if accepted and (was_accepted or not doubtful):
                return reply
            was_accepted, refusal = accepted, refusal_of(reply)
            if not accepted and (halt := halting(reply, refusal)):
                raise StripeRefuses(halt.message)
            if was_not_executed(reply, refusal):
                waits, conflicts = waits + 1, conflicts + (reply.status == 409)
                if conflicts >= PATIENCE_WITH_409:  # 429s are counted by the gate
                    raise unusable(request, waits, refusal)
                await self._stop.nap(max(backoff(min(waits, 5), self.parts.chance()), reply.retry_after or 0.0))
                continue
            if refuses(request, reply) and (was_doubtful or not doubtful):
                return reply
            was_doubtful = doubtful
            if reply.status == 200:
                self.saw_impossible(started)
            tried, used = tried + 1, used + (self._well > well)
            if used >= self.parts.limits.attempts:
                raise unusable(request, tried, refusal)
            if not self.parts.gate.is_paused:  # else the gate says when to try again, and when to give up
                await self._stop.nap(backoff(min(tried, 10), self.parts.chance()))

    async def attempt(
        self,
        request: Request,
        claim: Claim | None = None,
        good_until: float | None = None,
        begins: Callable[[], None] | None = None,
    ) -> tuple[float, Reply]:
        """Send it once, when its turn comes; when that began (monotonic, seconds), and the reply.

        Raises `Stopped` where the run stops before the turn, `TooOld` where the key of *claim* is by then, and `Outdated`
        where what was read of the account is to be believed no longer than *good_until* (wall clock).
        """
        self._check_age(claim, good_until)
        gate = self.parts.gate
        if (turn := await gate.turn_now(request.endpoint)) is not None:  # no wait that a stop would have to cut short
            with turn:
                return await self._fly(request, claim, begins)
        # Whoever waits for too long leaves the line: at a low rate, turns that are not used would be most of them.
        with self._stop.cuts_short(math.inf if good_until is None else good_until - self.parts.now()) as waiting:
            async with gate.turn(request.endpoint):
                if not self._stop.takes_off(waiting):
                    self._stop.check()
                    raise Outdated
                self._check_age(claim, good_until)  # again: it may have waited, or slept, for a day
                return await self._fly(request, claim, begins)
        self._stop.check()
        raise Outdated

    def saw_impossible(self, started: float) -> None:
        """A 200 that is no success, to an attempt that began then; too many end the run."""
        why = self._scales.saw_impossible(started, self.parts.tick())
        if why is not None:
            self._stop.halt(why)

    async def _fly(
        self, request: Request, claim: Claim | None, begins: Callable[[], None] | None
    ) -> tuple[float, Reply]:
        self._stop.check()
        if begins is not None:
            begins()
        if claim is not None:
            self._ahead.has_started(claim.row)
        started = self.parts.tick()
        self.requests[request.endpoint] = self.requests.get(request.endpoint, 0) + 1
        reply = self.parts.gate.within_patience(request.endpoint, await self.parts.send(request))
        self._heard(request.endpoint, reply)
        return started, reply

    def _check_age(self, claim: Claim | None, good_until: float | None) -> None:
        if claim is None and good_until is None:
            return
        now = self.parts.now()
        if claim is not None and not is_young(claim.claimed_at, now):
            raise TooOld
        if good_until is not None and now > good_until:
            raise Outdated

    def _heard(self, endpoint: Endpoint, reply: Reply) -> None:
        self.parts.heard(endpoint, reply)
        self._well += sign_of(reply) is Sign.WELL
        self.clock.heard(endpoint, reply)
        self.parts.gate.heard(endpoint, reply)


def unusable(request: Request, attempts: int, refusal: Refusal) -> OutOfReach:
    """Why a run ends that asked so often and heard nothing that it could go on with."""
    return OutOfReach(
        f"Stripe gave no usable answer to {request.method} {request.path} in {attempts} attempts "
        f"({refusal.message}); run the same command again later"
    )
