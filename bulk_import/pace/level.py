"""One cap: no more starts in any second than it allows, and in front of it the pace that Stripe's refusals ask for.

This is the only module that uses aiolimiter.
"""

from __future__ import annotations

import math
from collections import deque

from aiolimiter import AsyncLimiter

from bulk_import.model import Reply
from bulk_import.pace import adapt, evidence

BURST = 0.005
REFILL = 0.9925
SLACK = 0.005
"""Seconds by which a late start may be made up for; a little less than the hard cap itself allows
(`BURST / REFILL`), so that a start that our own spacing lets through finds room there."""
MARGIN = 0.0075
"""Seconds that a second is longer for us: starts that reach the server a little closer together than they left us still
keep the cap there."""
RECHECK = 0.001


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
