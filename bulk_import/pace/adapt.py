"""What Stripe's refusals teach about its limits: slow down at once, then feel the way back (pure).

A refused rate is cut to 0.7 of itself for one second, so that what piled up drains; then 0.95 of
it is tried, and 0.2 % more every second until Stripe refuses again or our own cap is reached; above what was refused
the growth itself grows, since the limit must have risen. The same law holds for the number of requests in flight. It
finds an account's real limit from above and from below and stays within a few per cent of it. All times are seconds
of one monotonic clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

from bulk_import.model import Reply

BRAKE = 0.7
BRAKE_SECONDS = 1.0
BACK_TO = 0.95
GROWTH_A_SECOND = 1.002
LEVEL_AFTER = -math.log(BACK_TO) / math.log(GROWTH_A_SECOND)
"""Seconds after which growth is back at the rate that was refused."""
HASTE = 0.0005
"""How growth grows from there, per second squared: four times the rate in less than a minute."""
LONGEST_GROWTH = 300.0
"""Seconds after which growth has long reached any cap; bounds the powers below."""
SLOWEST = 1.0
"""A refusal never slows below one a second (or below the cap): feeling the way back would take hours."""
LONGEST_HOLD = 600.0
"""The longest `Retry-After` in seconds that is believed."""


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
        case None if _is_about_rate(reply):
            return Limit.ENDPOINT_RATE
        case _:
            return None


def _is_about_rate(reply: Reply) -> bool:
    """Without the header: a 429 that names nothing else is about the rate, also a proxy's; Stripe's oldest form is a 400."""
    if reply.status not in (400, 429):
        return False
    error = reply.body.get("error") if isinstance(reply.body, Mapping) else None
    code = error.get("code") if isinstance(error, Mapping) else None
    return code == "rate_limit" or (reply.status == 429 and code is None)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one limit lets us go: never above `cap`, and below `refused` once that was refused.

    `refused` is the lowest rate known to be refused, `braked_at` when the brake was last put on,
    `changed_at` when `refused` was last corrected by more than a little, `tried_at` when we last slowed down only to see whether that
    helps, `hold_until` the end of a `Retry-After`.
    """

    cap: float
    refused: float = math.inf
    braked_at: float = -math.inf
    changed_at: float = -math.inf
    tried_at: float = -math.inf
    hold_until: float = -math.inf


def allowed(pace: Pace, now: float) -> float:
    """The rate that may be used now."""
    rate = _grown(pace, now)
    return max(BRAKE * rate, _floor(pace)) if 0 <= now - pace.tried_at < BRAKE_SECONDS else rate


def _grown(pace: Pace, now: float) -> float:
    if pace.refused == math.inf:
        return pace.cap
    elapsed = now - pace.braked_at - BRAKE_SECONDS
    if elapsed < 0:
        return max(BRAKE * pace.refused, _floor(pace))
    elapsed = min(elapsed, LONGEST_GROWTH)
    beyond = max(0.0, elapsed - LEVEL_AFTER)
    growth = math.pow(GROWTH_A_SECOND, elapsed) * math.exp(HASTE * beyond * beyond)
    return min(pace.cap, BACK_TO * pace.refused * growth)


def after_refusal(pace: Pace, now: float, began: float, in_use: float = math.inf) -> Pace:
    """The pace once a request begun at `began` was refused while no more than `in_use` was in use.

    A burst that is refused as a whole slows us once: refusals of what was sent before we slowed down say
    nothing new, and what is sent while we brake is only refused by a limit far below (see `bounded`), or by chance.
    """
    if began < max(pace.changed_at, pace.braked_at + BRAKE_SECONDS):
        return pace
    refused = max(min(allowed(pace, began), in_use), _floor(pace))
    return replace(pace, refused=refused, braked_at=now, changed_at=now)


def bounded(pace: Pace, shown: float, now: float) -> Pace:
    """The pace once replies have shown that no rate above `shown` can be kept.

    What was sent before a small correction was refused at much the same rate, and still tells of it: were it not heard,
    corrections that come one by one would keep the brake off while half of what is sent is refused.
    """
    shown = max(shown, _floor(pace))
    if shown >= pace.refused:
        return pace
    return replace(pace, refused=shown, changed_at=now if shown < BACK_TO * pace.refused else pace.changed_at)


def tried(pace: Pace, now: float) -> Pace:
    """The pace once we slow down for a moment, to see whether refusals have anything to do with it."""
    return replace(pace, tried_at=now)


def held(pace: Pace, now: float, retry_after: float | None) -> Pace:
    """The pace once Stripe asked to wait for `retry_after` seconds."""
    hold = hold_of(retry_after)
    return replace(pace, hold_until=max(pace.hold_until, now + hold)) if hold else pace


def hold_of(retry_after: float | None) -> float:
    """The seconds of a `Retry-After` that are believed; none where it makes no sense."""
    return 0.0 if retry_after is None or not 0 < retry_after < math.inf else min(retry_after, LONGEST_HOLD)


def _floor(pace: Pace) -> float:
    return min(SLOWEST, pace.cap)
