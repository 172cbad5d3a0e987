"""Rate limiters in three shapes, on two levels: all requests together, and each endpoint (Stripe facts, section 2)."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, assert_never

Shape = Literal["sliding", "bucket", "calendar"]
Reason = Literal["global-rate", "endpoint-rate", "global-concurrency", "endpoint-concurrency"]

STRIPE_ENDPOINT_RATE = 25.0
STRIPE_SEARCH_RATE = 20.0


class Limiter(Protocol):
    """Says whether one more request has room; times are seconds that never run backwards."""

    def room(self, now: float) -> bool:
        """Whether a request may start now."""

    def take(self, now: float) -> None:
        """Count a request that starts now."""


class Sliding:
    """At most *rate* requests in any second, seen from each request backwards."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._starts: deque[float] = deque()

    def room(self, now: float) -> bool:
        """Forget what is a second old; see whether a place is free."""
        while self._starts and self._starts[0] <= now - 1.0:
            self._starts.popleft()
        return len(self._starts) < self._rate

    def take(self, now: float) -> None:
        """Remember the start."""
        self._starts.append(now)


class Bucket:
    """A bucket of *rate* tokens, full at first and refilled at *rate* a second: lets one burst through after a pause."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._capacity = max(1.0, rate)
        self._tokens = self._capacity
        self._seen: float | None = None

    def room(self, now: float) -> bool:
        """Refill, then see whether a whole token is there."""
        if self._seen is not None:
            self._tokens = min(self._capacity, self._tokens + (now - self._seen) * self._rate)
        self._seen = now
        return self._tokens >= 1.0

    def take(self, now: float) -> None:
        """Spend a token."""
        self._tokens -= 1.0


class Calendar:
    """At most *rate* requests in each second of the clock: lets twice as many through across a boundary."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._second = -math.inf
        self._count = 0

    def room(self, now: float) -> bool:
        """Start counting anew in a new second."""
        second = math.floor(now)
        if second != self._second:
            self._second, self._count = second, 0
        return self._count < self._rate

    def take(self, now: float) -> None:
        """Count the start."""
        self._count += 1


def limiter(shape: Shape, rate: float) -> Limiter:
    """A limiter of the given shape."""
    match shape:
        case "sliding":
            return Sliding(rate)
        case "bucket":
            return Bucket(rate)
        case "calendar":
            return Calendar(rate)
        case _:
            assert_never(shape)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account allows, in requests a second and in requests in flight; None means no limit."""

    rate: float | None = 100.0
    endpoint_rate: float | None = STRIPE_ENDPOINT_RATE
    endpoint_rates: Mapping[str, float | None] = field(default_factory=lambda: {"search": STRIPE_SEARCH_RATE})
    shape: Shape = "sliding"
    concurrency: int | None = None
    endpoint_concurrency: int | None = None

    def of(self, endpoint: str) -> float | None:
        """The rate of one endpoint."""
        return self.endpoint_rates.get(endpoint, self.endpoint_rate)


UNLIMITED = Limits(rate=None, endpoint_rate=None, endpoint_rates={})


class Turnstile:
    """The limiters of one account and mode: a request passes both levels or counts on neither."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._overall = None if limits.rate is None else limiter(limits.shape, limits.rate)
        self._endpoints: dict[str, Limiter | None] = {}
        self._in_flight: Counter[str] = Counter()
        self._flying = 0

    def enter(self, endpoint: str, now: float) -> Reason | None:
        """Let a request in, or give the reason why not."""
        limits, own = self._limits, self._of(endpoint)
        if limits.concurrency is not None and self._flying >= limits.concurrency:
            return "global-concurrency"
        if limits.endpoint_concurrency is not None and self._in_flight[endpoint] >= limits.endpoint_concurrency:
            return "endpoint-concurrency"
        if self._overall is not None and not self._overall.room(now):
            return "global-rate"
        if own is not None and not own.room(now):
            return "endpoint-rate"
        if self._overall is not None:
            self._overall.take(now)
        if own is not None:
            own.take(now)
        self._flying += 1
        self._in_flight[endpoint] += 1
        return None

    def leave(self, endpoint: str) -> None:
        """Note that a request that was let in has ended."""
        self._flying -= 1
        self._in_flight[endpoint] -= 1

    def _of(self, endpoint: str) -> Limiter | None:
        if endpoint not in self._endpoints:
            rate = self._limits.of(endpoint)
            self._endpoints[endpoint] = None if rate is None else limiter(self._limits.shape, rate)
        return self._endpoints[endpoint]
