"""When a start may open one more connection (pure).

Each request in flight has a connection to itself, so there are as many as ever were in flight at once, and one that
breaks is replaced without ado. Until every one was used once, at the beginning, they are opened as starts are due. From
then on a start for which none is free waits for a moment: where hundreds are in flight the next answer is only
milliseconds away. It waits longer while answers are overdue: then the server, or the way to it, stands still, and
whatever is sent meanwhile arrives there all at once when it goes on. Times are seconds of one monotonic clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MOMENT = 0.004
"""Seconds for which a start that is due waits for a connection; short enough to be made up for (see `level.SLACK`)."""
OVERDUE = 10.0
"""Answers that should have come meanwhile, from which on their absence is no chance any more (one in e^10)."""
PATIENCE = 0.1
"""Seconds without an answer after which it seems that they just take longer now, and connections are opened again."""


@dataclass(slots=True)
class Connections:
    """How many are in use, were ever opened, and were given back by an answer, and when that was last."""

    in_use: int = 0
    opened: int = 0
    returns: int = 0
    returned_at: float = -math.inf


def taken(connections: Connections) -> None:
    """Count a request that takes off."""
    connections.in_use += 1
    connections.opened = max(connections.opened, connections.in_use)


def returned(connections: Connections, now: float) -> None:
    """Count a request that is over."""
    connections.in_use -= 1
    connections.returns += 1
    connections.returned_at = now


def opens_at(connections: Connections, due: float, latency: float, now: float) -> float:
    """When a request may start that is due at *due*, as far as connections are concerned; answers take *latency* seconds."""
    if connections.in_use < connections.opened or connections.returns <= connections.opened:
        return due
    silence = now - connections.returned_at
    if 0 < OVERDUE * latency <= silence * connections.in_use and silence < PATIENCE:
        return max(due, connections.returned_at + PATIENCE)
    return due + MOMENT
