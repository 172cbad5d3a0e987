"""A person's day: how long a key may be used, and when the next one may be (pure).

A key must not be used for more than a day, since Stripe forgets it then and would create once more. But whoever used
the last day's key a moment ago may not show in any list yet. So no key is used in the first seconds of a day: by
their end everything that was sent under the old key has been carried out or never will be, and a list that is begun
then tells. Each person's day begins at a second of their own, so that never everybody has to wait at once. All times
are seconds of Stripe's own clock.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

ACTING = 20.0
"""Seconds for which a request that was sent may still be carried out: twice an attempt's usual deadline, clocks that
differ by a few seconds included."""

SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Day:
    """The time in which a person's keys of one `name` are sent: from `opens_at` until `closes_at`."""

    name: str
    starts_at: float

    @property
    def opens_at(self) -> float:
        """From when on a list shows everybody who was created under the last day's keys."""
        return self.starts_at + ACTING

    def closes_at(self, deadline: float) -> float:
        """From when on these keys must not be sent any more; earlier where an attempt may take more than half of `ACTING`."""
        return self.starts_at + SECONDS - max(0.0, deadline - ACTING / 2)


def day_of(email_key: str, now: float) -> Day:
    """The day that it is for a person; its name is the UTC date on which it began."""
    offset = int.from_bytes(hashlib.sha256(email_key.encode()).digest()[:4]) % SECONDS
    starts_at = (now - offset) // SECONDS * SECONDS + offset
    return Day(time.strftime("%Y-%m-%d", time.gmtime(starts_at)), starts_at)
