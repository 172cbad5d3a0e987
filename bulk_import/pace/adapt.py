"""What Stripe's refusals teach about its limits: slow down at once, then feel the way back (pure).

A refused rate is cut to 0.7 of itself for one second, so that what piled up drains; then 0.95 of
it is tried, and 0.2 % more every second until Stripe refuses again or our own cap is reached. The same law
holds for the number of requests in flight. It finds an account's real limit from above and from below and
stays within a few per cent of it. All times are seconds of one monotonic clock.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

from bulk_import.model import Reply

BRAKE = 0.7
BRAKE_SECONDS = 1.0
BACK_TO = 0.95
GROWTH_A_SECOND = 1.002
LONGEST_GROWTH = 36_000.0
"""Seconds after which growth has long reached any cap; bounds the power below."""
SLOWEST = 1.0
"""A refusal never slows below one a second (or below the cap): feeling the way back would take hours."""
LONGEST_HOLD = 600.0
"""The longest `Retry-After` in seconds that is believed."""
MEMORY = 3.0
"""Seconds for which replies are counted: long enough to average over a limiter that counts by the second."""
FEW = 5
"""Refusals within `MEMORY` that may be chance."""
CHANCE = 0.05
"""The share of refusals that may have nothing to do with our rate: other traffic, or a server that misbehaves."""
STREAK_GAP = 10.0
"""Seconds without a refusal that end a streak of them."""
STUBBORN = 8.0
"""Seconds of one streak in which every refusal counts: braking as often as that ends what our rate has caused."""
CALM = 20.0
"""Seconds after a brake in which refusals by chance do not brake again. By then the pace has nearly grown back, so a
limit that is really there is soon found again, and refusals that fall at any pace cost a part of it and not all."""


class Limit(Enum):
    """Which of Stripe's limits a 429 names (Stripe facts, section 2)."""

    ENDPOINT_RATE = auto()
    GLOBAL_RATE = auto()
    CONCURRENCY = auto()


def limit_hit(reply: Reply) -> Limit | None:
    """The limit that refused this request; None also where only this one row has to wait (a locked object)."""
    match reply.limited_reason:
        case "endpoint-rate":
            return Limit.ENDPOINT_RATE
        case "global-rate":
            return Limit.GLOBAL_RATE
        case "endpoint-concurrency" | "global-concurrency":
            return Limit.CONCURRENCY
        case None if reply.status in (400, 429) and _is_about_rate(reply):
            return Limit.ENDPOINT_RATE
        case _:
            return None


def _is_about_rate(reply: Reply) -> bool:
    """Without the header: Stripe's older forms say so in the code, and a proxy's 429 has no Stripe error at all."""
    error = reply.body.get("error") if isinstance(reply.body, Mapping) else None
    if not isinstance(error, Mapping):
        return reply.status == 429
    return error.get("code") == "rate_limit"


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one limit lets us go: never above `cap`, and below `refused` once that was refused.

    `refused` is the lowest rate known to be refused, `braked_at` when the brake was last put on,
    `changed_at` when `refused` was last corrected, `hold_until` the end of a `Retry-After`.
    """

    cap: float
    refused: float = math.inf
    braked_at: float = -math.inf
    changed_at: float = -math.inf
    hold_until: float = -math.inf


def allowed(pace: Pace, now: float) -> float:
    """The rate that may be used now."""
    if pace.refused == math.inf:
        return pace.cap
    elapsed = now - pace.braked_at - BRAKE_SECONDS
    if elapsed < 0:
        return max(BRAKE * pace.refused, _floor(pace))
    growth = math.pow(GROWTH_A_SECOND, min(elapsed, LONGEST_GROWTH))
    return min(pace.cap, BACK_TO * pace.refused * growth)


def after_refusal(pace: Pace, now: float, began: float, in_use: float = math.inf, *, by_chance: bool = False) -> Pace:
    """The pace once a request begun at `began` was refused while no more than `in_use` was in use.

    A burst that is refused as a whole slows us once: refusals of what was sent before we slowed down say
    nothing new, and within one second of braking there is no second brake; if so few are refused that it may be
    `by_chance`, there is none for longer.
    """
    if began < pace.changed_at or now < pace.braked_at + (CALM if by_chance else BRAKE_SECONDS):
        return pace
    refused = max(min(allowed(pace, began), in_use), _floor(pace))
    return replace(pace, refused=refused, braked_at=now, changed_at=now)


def bounded(pace: Pace, shown: float, now: float) -> Pace:
    """The pace once replies have shown that no rate above `shown` can be kept."""
    shown = max(shown, _floor(pace))
    return replace(pace, refused=shown, changed_at=now) if shown < pace.refused else pace


def held(pace: Pace, now: float, retry_after: float | None) -> Pace:
    """The pace once Stripe asked to wait for `retry_after` seconds."""
    if retry_after is None or not 0 < retry_after < math.inf:
        return pace
    return replace(pace, hold_until=max(pace.hold_until, now + min(retry_after, LONGEST_HOLD)))


def _floor(pace: Pace) -> float:
    return min(SLOWEST, pace.cap)


@dataclass(frozen=True, slots=True)
class Tally:
    """When the replies of the last three seconds were heard, oldest first, and since when refusals keep coming."""

    accepted: tuple[float, ...] = ()
    refused: tuple[float, ...] = ()
    streak_began: float = math.inf
    last_refused: float = -math.inf


def counted(tally: Tally, now: float, *, refused: bool) -> Tally:
    """The tally with one reply more and without those that are too old."""
    accepted = tally.accepted[bisect_right(tally.accepted, now - MEMORY) :]
    refusals = tally.refused[bisect_right(tally.refused, now - MEMORY) :]
    if not refused:
        return replace(tally, accepted=(*accepted, now), refused=refusals)
    began = tally.streak_began if now - tally.last_refused <= STREAK_GAP else now
    return Tally(accepted, (*refusals, now), began, now)


def may_be_chance(tally: Tally, now: float) -> bool:
    """Whether few of the last replies were refusals, and they keep coming although we slowed down for them."""
    refused = len(tally.refused)
    if now - tally.streak_began < STUBBORN:
        return False
    return refused < FEW or refused <= CHANCE * (refused + len(tally.accepted))


def rate_shown(tally: Tally, now: float) -> float:
    """The highest rate that may have been refused, judged by what is accepted; infinite while little is refused.

    A server that refuses a third of what it is sent shows its limit by the rest. Braking from the rate given
    here leads to just that, so that a cap many times too high costs one burst and not one for each cut.
    """
    if len(tally.refused) < max(FEW, len(tally.accepted) / 2):
        return math.inf
    began = min(times[0] for times in (tally.accepted, tally.refused) if times)
    return len(tally.accepted) / max(now - began, 0.1) / BRAKE
