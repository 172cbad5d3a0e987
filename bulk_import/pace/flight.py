"""How many requests may be in flight at once: by Little's law, and fewer once Stripe refuses so many (pure).

Times are seconds; `now` and `began` are of one monotonic clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bulk_import.pace import adapt

FEWEST = 4
MOST = 256
WITHOUT_RATE = 64
WORTH_WAITING_FOR = 10.0
"""The latency in seconds up to which enough may be in flight to keep the rate."""
HEAD_ROOM = 1.25
SMOOTHING = 0.1


@dataclass(frozen=True, slots=True)
class Latency:
    """How long replies take: smoothed mean and mean deviation; a cautious guess until one was heard."""

    mean: float = 1.0
    deviation: float = 0.0
    known: bool = False


def measured(latency: Latency, seconds: float) -> Latency:
    """The latency once one more reply took `seconds`."""
    if not latency.known:
        return Latency(seconds, seconds / 2, known=True)
    error = seconds - latency.mean
    deviation = latency.deviation + SMOOTHING * (abs(error) - latency.deviation)
    return Latency(latency.mean + SMOOTHING * error, deviation, known=True)


@dataclass(frozen=True, slots=True)
class Flight:
    """What the number in flight follows: `most` is its upper end, `rate` is None where it is not sized by latency."""

    most: int
    rate: float | None
    pace: adapt.Pace
    latency: Latency = Latency()


def flight_for(rate: float | None, concurrency: int | None) -> Flight:
    """The beginning: `concurrency` as the user gave it, else sized by the rate and the latency."""
    if concurrency is not None:
        return Flight(concurrency, None, adapt.Pace(float(concurrency)))
    most = WITHOUT_RATE if rate is None else min(max(math.ceil(rate * WORTH_WAITING_FOR), FEWEST), MOST)
    return Flight(most, rate, adapt.Pace(float(most)))


def places(flight: Flight, now: float) -> int:
    """How many requests may be in flight now; at least one."""
    wanted = float(flight.most)
    if flight.rate is not None:
        seconds = flight.latency.mean + 2 * flight.latency.deviation
        wanted = min(wanted, max(HEAD_ROOM * flight.rate * seconds + 2, FEWEST))
    return max(1, math.floor(min(wanted, adapt.allowed(flight.pace, now))))


def after_answer(flight: Flight, seconds: float) -> Flight:
    """The flight once an answer took `seconds`."""
    if flight.rate is None:
        return flight  # not sized by latency
    return replace(flight, latency=measured(flight.latency, seconds))


def after_refusal(
    flight: Flight, now: float, began: float, retry_after: float | None, in_flight: int, shown: float
) -> Flight:
    """The flight once Stripe refused a request begun at `began`, with *in_flight* at once, because those were too many.

    *shown* is the rate that refusals have shown (see `evidence.rate_shown`): what is let through a second, times
    how long each takes, is how many may be in flight.
    """
    pace = adapt.after_refusal(flight.pace, now, began, in_use=min(places(flight, now), in_flight))
    if flight.latency.known:
        pace = adapt.bounded(pace, shown * flight.latency.mean, now)
    return replace(flight, pace=adapt.held(pace, now, retry_after))
