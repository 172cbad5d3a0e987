"""What the replies of the last seconds say about a limit: how much it lets through, and whether it is one at all (pure).

Requests are counted by when they began, so that it does not matter whether refusals come back sooner than successes,
as they do where a limiter stands in front of everything. All times are seconds of one monotonic clock.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from bulk_import.pace.adapt import BACK_TO, BRAKE, BRAKE_SECONDS, Pace

BIN = 0.05
"""Seconds that are counted together."""
MEMORY = 3.0
"""Seconds that are weighed where much is refused."""
LONG = 12.0
"""Seconds for which starts are remembered where nothing gets through any more: some limiters count by ten seconds."""
OVER = 1.0
"""Seconds over which what is let through is averaged: most limiters count by the second."""
FEW = 5
"""Refusals that may be chance."""
A_TENTH, A_THIRD = 0.1, 1 / 3
"""Shares of refusals from which on what is let through shows the limit, and shows it roughly."""
HARDLY_ANY = 0.8
"""The share of refusals from which on what was let through before counts as well."""
CHANCE = 0.15
"""The largest share of refusals that may have nothing to do with our rate: other traffic, or a server that misbehaves."""
ALIKE = 0.25
"""Refusals fall at any pace where slowing down leaves at least so much of their share."""
SETTLING = 0.3
"""Seconds after slowing down until the server can have noticed."""
SLOW_KEPT, USUAL_KEPT = 200.0, 400.0
"""Starts of slow and of usual moments that are weighed; older ones count half."""
CALM = 20.0
"""Seconds between two tests of whether slowing down helps against refusals that seem to fall by chance."""


@dataclass(slots=True)
class Count:
    """How many began, and how many of those were refused."""

    began: float = 0.0
    refused: float = 0.0

    @property
    def share(self) -> float:
        """The part that was refused."""
        return self.refused / self.began if self.began else 0.0

    def halve(self) -> None:
        """Let the past weigh less."""
        self.began /= 2
        self.refused /= 2


@dataclass(slots=True)
class Evidence:
    """Counts of the last seconds in bins, and of slow and of usual moments since the beginning."""

    bins: deque[tuple[int, Count]] = field(default_factory=deque)
    since: int = 0
    slow: Count = field(default_factory=Count)
    usual: Count = field(default_factory=Count)


def begun(evidence: Evidence, at: float) -> None:
    """Count a start."""
    number = math.floor(at / BIN)
    if not evidence.bins:
        evidence.since = number
    if not evidence.bins or evidence.bins[-1][0] != number:
        evidence.bins.append((number, Count()))
        while evidence.bins[0][0] < number - LONG / BIN:
            evidence.bins.popleft()
    evidence.bins[-1][1].began += 1


def answered(evidence: Evidence, pace: Pace, began: float, *, refused: bool) -> None:
    """Count a reply to a request that began at `began`, while `pace` was in force."""
    kind, most = (evidence.slow, SLOW_KEPT) if _is_slow(pace, began) else (evidence.usual, USUAL_KEPT)
    kind.began += 1
    kind.refused += refused
    if kind.began > most:
        kind.halve()
    if refused:
        number = math.floor(began / BIN)
        for bin_number, count in reversed(evidence.bins):
            if bin_number <= number:
                count.refused += 1
                break


def rate_shown(evidence: Evidence, began: float) -> float:
    """The highest rate that may have been refused at `began`, judged by what was let through before; infinite while little is refused.

    A server that refuses a part of what it is sent shows its limit by the rest, so a cap many times too high costs one
    burst and not one for each cut. While a third or more is refused that is not known well yet: braking from the rate
    given here leads to just what was let through; else going back up after the brake does.
    """
    last = math.floor(began / BIN)
    started, refused, seconds = _before(evidence, last, OVER)
    if refused < FEW or refused < A_TENTH * started:
        return math.inf
    through = (started - refused) / seconds
    if refused < A_THIRD * started:
        return through / BACK_TO
    hardly_any = refused > HARDLY_ANY * started
    # Some limiters count what they refuse, and so let nobody through once they are overrun.
    started, refused, seconds = _before(evidence, last, MEMORY)
    shown = max(through, (started - refused) / seconds) / BRAKE
    if not hardly_any:
        return shown
    # Some count by ten seconds, and so let nobody through for most of these.
    started, refused, seconds = _before(evidence, last, LONG)
    return max(shown, (started - refused) / seconds / BACK_TO)


def _before(evidence: Evidence, last: int, over: float) -> tuple[float, float, float]:
    """How many began up to a bin and were refused, and how many of the seconds before it we have known."""
    counts = [count for number, count in evidence.bins if last - over / BIN < number <= last]
    seconds = min(over, (last + 1 - evidence.since) * BIN) if counts else over
    return sum(count.began for count in counts), sum(count.refused for count in counts), seconds


def forget_moments(evidence: Evidence) -> None:
    """Weigh slow against usual moments anew: while a limit refuses most of what it is sent, they do not differ."""
    evidence.slow, evidence.usual = Count(), Count()


def is_chance(evidence: Evidence) -> bool:
    """Whether refusals fall at any pace: slowing down was tried, and as large a part of what was sent then was refused."""
    recent = Count()
    for number, count in reversed(evidence.bins):
        if number < evidence.bins[-1][0] - MEMORY / BIN:
            break
        recent.began += count.began
        recent.refused += count.refused
    if recent.refused > FEW and recent.share > CHANCE:
        return False
    return evidence.slow.refused >= 1 and evidence.slow.share >= ALIKE * evidence.usual.share


def _is_slow(pace: Pace, at: float) -> bool:
    since = at - max(pace.braked_at, pace.tried_at)
    return SETTLING <= since < BRAKE_SECONDS
