"""What the gate tells while it waits or slows down: once when it begins, and not too often while it lasts."""

from __future__ import annotations

import math
from collections.abc import Callable

from bulk_import.model import Reply
from bulk_import.pace import adapt, outage
from bulk_import.pace.level import Level

EVERY = 60.0
"""Seconds between two notices about the same limit."""


def say_nothing(code: str, message: str) -> None:
    """Drop a notice."""


def out_of_reach(seconds: float, fault: str) -> str:
    """Why a run ends after it has waited that long."""
    return (
        f"Stripe has been out of reach for {duration(seconds)} ({fault}); "
        "nothing is lost, run the same command again to continue"
    )


def not_trusted(detail: str | None) -> str:
    """Why a run does not even wait: *detail* says whose certificate this machine does not trust."""
    return (
        f"{detail or 'the TLS certificate of the server is not trusted here'}, so nothing was sent; check --api-base and the "
        "clock of this machine, or, if a server or proxy of yours has its own certificate, name its file in SSL_CERT_FILE, "
        "then run the same command again"
    )


class Notices:
    """Words for what the gate does; `notify(code, message)` is told with the code `slowed`, `paused` or `resumed`."""

    def __init__(self, notify: Callable[[str, str], None]) -> None:
        self._notify = notify
        self._said: dict[str, float] = {}

    def paused(self, cause: outage.Sign, fault: str, give_up_after: float) -> None:
        """Nothing starts any more."""
        self._notify(
            "paused",
            f"Stripe is out of reach, {cause} ({fault}): waiting for up to {duration(give_up_after)}, "
            "with a probe now and then; no row is lost",
        )

    def resumed(self) -> None:
        """It is over."""
        self._notify("resumed", "Stripe answers again, the run goes on")

    def too_many(self, before: int, after: int, reason: str | None, now: float) -> None:
        """So many at once were refused, and from now on there will be fewer, if there are."""
        if after < before:
            self._say(
                "concurrency", f"Stripe refuses {before} requests at once ({reason}): {after} at once for now", now
            )

    def too_fast(self, what: str, level: Level, reason: str | None, now: float) -> None:
        """A rate below the cap was refused."""
        rate = adapt.allowed(level.pace, now + adapt.BRAKE_SECONDS)
        outcome = f"going on at about {rate:.3g} a second" if what in self._said else "slowing down to find its limit"
        why = reason or "429 without a reason"
        self._say(what, f"Stripe allows less than {level.cap:g} requests a second ({what}: {why}): {outcome}", now)

    def told_to_wait(self, what: str, seconds: float, reply: Reply, now: float) -> None:
        """An answer asks to be left alone for long."""
        why = reply.limited_reason or f"HTTP {reply.status}"
        said = f"Stripe asks to wait before it is asked again ({what}: {why}): waiting for {duration(round(seconds))}"
        self._say(f"wait for {what}", f"{said}; no row is lost", now)

    def _say(self, about: str, message: str, now: float) -> None:
        if now - self._said.get(about, -math.inf) >= EVERY:
            self._said[about] = now
            self._notify("slowed", message)


def duration(seconds: float) -> str:
    """Minutes from one minute on, else seconds."""
    return f"{round(seconds / 60, 1):g} min" if seconds >= 60 else f"{seconds:g} s"
