"""What time it is at Stripe, as far as its answers tell: lists are bounded by its clock, not by ours."""

from __future__ import annotations

from collections.abc import Callable

from bulk_import.model import Endpoint, Reply
from bulk_import.replies import created_in

FUTURE = 86_400.0
"""Seconds by which Stripe's clock may be ahead of ours: with a later date, lists from then on would show nobody."""


class StripesClock:
    """Stripe's clock, in seconds; `now` is ours, `dated` is how the last answer was dated, None before any was.

    A date may be a proxy's, and then be ahead; so may our own clock.
    """

    __slots__ = ("_now", "_shown", "dated")

    def __init__(self, now: Callable[[], float]) -> None:
        self.dated: float | None = None
        self._now = now
        self._shown: float | None = None  # how far its clock is before ours, as customers have shown

    @property
    def passed(self) -> float | None:
        """A moment that Stripe's clock has surely passed, and not long ago; None while no answer was dated.

        A list that begins later would hide whoever came before, so of the two clocks the one that is earlier counts; ours
        is put right by customers who were shown as made just then.
        """
        return None if self.dated is None else min(self.dated, self._now() + (self._shown or 0.0))

    def heard(self, endpoint: Endpoint, reply: Reply) -> None:
        """Learn from one reply."""
        if reply.stripe_time is not None and reply.stripe_time < self._now() + FUTURE:
            self.dated = reply.stripe_time
        if endpoint is Endpoint.CREATE and not reply.replayed and (made := created_in(reply)) is not None:
            shown = min(made - self._now(), FUTURE)  # none of them can be later than Stripe's clock
            self._shown = shown if self._shown is None else max(self._shown, shown)
