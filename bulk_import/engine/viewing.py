"""How new what was just read of the account is, and for how long a claim may be sent upon it (pure)."""

from __future__ import annotations

from dataclasses import dataclass

VIEW_LIFE = 30.0
"""Seconds that what was read of the account may be old when a claim is sent upon it: an outage, or a low rate, can make it
wait for much longer, and meanwhile people sign up and change their customers. A batch is usually sent within ten."""

FEW = 5
"""Answers one after the other that make a look slow; of more of them, asking again for a few rows is what helps."""


@dataclass(slots=True)
class View:
    """One look at the account, from `began` on, where an attempt may take `attempt` seconds; moments are of our clock.

    `asked` counts its requests. `first` is when the first one that was answered set out: what waited before that, for an
    outage to end or to be let in, makes nothing old. `last` is when the last answer came, `busy` counts the seconds in
    which answers were on their way, and `longest` those of the slowest one.
    """

    began: float
    attempt: float
    asked: int = 0
    first: float | None = None
    last: float = 0.0
    busy: float = 0.0
    longest: float = 0.0

    def answered(self, started: float, ended: float) -> None:
        """One more request was answered; longer than an attempt may take, the process must have been stopped."""
        if self.first is None:
            self.first = self.last = started
        self.busy += min(max(0.0, ended - max(started, self.last)), self.attempt)
        self.last = max(self.last, ended)
        self.longest = max(self.longest, min(ended - started, self.attempt))

    def seen_at(self, now: float) -> float:
        """When the account was seen, for a look that ends *now*.

        One that took long because a few answers did counts, once it has ended, for as long as it took, `VIEW_LIFE` at
        most: where every answer takes half a minute, nothing else would be new enough to be sent upon. One that waited may
        have waited out an outage with half of it read before, and one of many answers is as old as the first of them.
        """
        if self.first is None:
            return self.began
        took = now - self.first
        if took - self.busy > VIEW_LIFE or took > FEW * max(self.longest, VIEW_LIFE / FEW):
            return self.first
        return max(self.first, now - VIEW_LIFE + min(took, VIEW_LIFE))

    def life(self, rate: float) -> float:
        """For how many seconds it is believed where so many requests start in one.

        At a very low rate what it has shown would else be old each time before anything is sent.
        """
        return max(VIEW_LIFE, 2 * (self.asked + 2) / rate)
