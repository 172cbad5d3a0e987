"""When Stripe is out of reach: whether to pause, when to probe, and when to give up (pure).

A row must never fail because the network is gone, so failures that no answer interrupts pause the
whole run, and one request at a time finds out whether it may go on. An endpoint that only ever turns us away is out of
reach as well, in the end. All times are seconds of one
monotonic clock; `draw` is a random number from 0 to 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from bulk_import.model import Reply

LOST_IN_A_ROW = 5
LOST_AT_FIRST = 2
"""Before Stripe has ever answered, a second failure is enough: the address or the network is wrong."""
SICK_IN_A_ROW = 20
SICK_AT_FIRST = 3
"""Before Stripe has ever answered well, so many server errors or pages of HTML are enough: a proxy is in the way."""
NOT_MENDED_BY_WAITING = "certificate"
"""The fault that no later probe finds gone, as long as Stripe has never answered: this machine trusts somebody else."""
FIRST_PROBE = 1.0
SLOWEST_PROBE = 60.0
SAME_SERIES = 60.0
"""Failures further apart than this many seconds do not share one give-up clock."""


class Sign(StrEnum):
    """What one reply says about Stripe's health, in words for the screen."""

    WELL = "it answers"
    SICK = "it answers only with server errors"
    LOST = "no answer arrives"


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing starts but one probe at a time: the next at `probe_at`, none while one is `probing` that began then."""

    cause: Sign
    probe_at: float
    probes: int = 0
    probing: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """What is known of Stripe's health: failures since the last good answer, and whether we pause.

    `since` is the first of these failures, `latest` the last one, and `answered` says whether Stripe
    has ever answered well.
    """

    answered: bool = False
    lost: int = 0
    sick: int = 0
    since: float = math.inf
    latest: float = -math.inf
    pause: Pause | None = None


ANSWERS = Reach(answered=True)
"""What is known after a good answer, however often."""


def sign_of(reply: Reply) -> Sign:
    """A 5xx, or a body that is not JSON, is an answer but not from a healthy Stripe."""
    if reply.status is None:
        return Sign.LOST
    if reply.status >= 500 or reply.fault == "not-json":
        return Sign.SICK
    return Sign.WELL


def after_reply(reach: Reach, sign: Sign, now: float, draw: float) -> Reach:
    """What is known once one more reply was heard; the pause appears, stays or goes."""
    if sign is Sign.WELL:
        return ANSWERS
    reach = _count(reach, sign, now)
    if reach.pause is None:
        return _paused_if_due(reach, now, draw)
    if sign is Sign.SICK and reach.pause.cause is Sign.LOST:
        return replace(reach, lost=0, pause=None)  # any answer proves that the network is back
    return reach


def probe_begun(reach: Reach, now: float) -> Reach:
    """One request goes out as the probe; no other starts until it is over."""
    return reach if reach.pause is None else replace(reach, pause=replace(reach.pause, probing=True, probe_at=now))


def probe_unused(reach: Reach) -> Reach:
    """The probe was not sent after all: the next request is it."""
    return reach if reach.pause is None else replace(reach, pause=replace(reach.pause, probing=False))


def probe_over(reach: Reach, now: float, draw: float) -> Reach:
    """The probe is back; if the pause outlived it, the next one waits twice as long, up to a minute."""
    if reach.pause is None:
        return reach
    probes = reach.pause.probes + 1
    pause = replace(reach.pause, probes=probes, probing=False, probe_at=now + probe_delay(probes, draw))
    return replace(reach, pause=pause)


def probe_delay(probes: int, draw: float) -> float:
    """Seconds before the next probe after `probes` failed ones: 1, 2, 4 … 60, a fifth more or less."""
    return float(min(SLOWEST_PROBE, FIRST_PROBE * 2.0 ** min(probes, 10)) * (0.8 + 0.4 * draw))


def next_start_at(reach: Reach) -> float:
    """The earliest time at which a request may start, as far as health goes."""
    if reach.pause is None:
        return -math.inf
    return math.inf if reach.pause.probing else reach.pause.probe_at


def gives_up_at(reach: Reach, give_up_after: float, *, idle: bool = False) -> float:
    """When waiting any longer is pointless; never while nothing is paused.

    Where all is *idle*, nothing in flight, a probe that is due before then comes first, however late somebody is there to
    be it, and is waited for: every row may be asleep until its last attempt, and nobody knows meanwhile whether Stripe is
    back.
    """
    if (pause := reach.pause) is None:
        return math.inf
    last = reach.since + give_up_after
    is_owed = pause.probe_at > last if pause.probing else idle and pause.probe_at <= last
    return math.inf if is_owed else last


def is_hopeless(reach: Reach, fault: str | None) -> bool:
    """Whether nothing but a person ends the pause: somebody answers who is not trusted, and nobody else ever has."""
    return fault == NOT_MENDED_BY_WAITING and reach.pause is not None and not reach.answered


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """An endpoint has answered with nothing but 429s since `since`; one that comes after `expires_at` begins anew."""

    since: float
    expires_at: float


def turned_away(before: TurnedAway | None, now: float, hold: float) -> TurnedAway:
    """What is known of an endpoint once it answered 429 and asked to wait for *hold* seconds, before any other answer."""
    goes_on = before is not None and now <= before.expires_at
    return TurnedAway(before.since if before and goes_on else now, now + hold + SAME_SERIES)


def patience_left(before: TurnedAway | None, now: float, give_up_after: float) -> float:
    """For how many seconds an endpoint may still turn us away."""
    waited = now - before.since if before and now <= before.expires_at else 0.0
    return max(0.0, give_up_after - waited)


def _count(reach: Reach, sign: Sign, now: float) -> Reach:
    """One failure more. A lone failure long ago does not shorten today's patience."""
    fresh = reach.pause is None and now - reach.latest > SAME_SERIES
    return replace(
        reach,
        lost=reach.lost + (sign is Sign.LOST),
        sick=reach.sick + (sign is Sign.SICK),
        since=now if fresh else reach.since,
        latest=now,
    )


def _paused_if_due(reach: Reach, now: float, draw: float) -> Reach:
    patience = LOST_IN_A_ROW if reach.answered else LOST_AT_FIRST
    if reach.lost >= patience:
        return replace(reach, pause=Pause(Sign.LOST, now + probe_delay(0, draw)))
    if reach.sick >= (SICK_IN_A_ROW if reach.answered else SICK_AT_FIRST):
        return replace(reach, pause=Pause(Sign.SICK, now + probe_delay(0, draw)))
    return reach
