"""Claims that waited too long to be sent unseen are looked at together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import anyio

from bulk_import.model import Claim, Outcome


@dataclass(frozen=True, slots=True)
class Waiting:
    """A claim that waited too long to be sent unseen; `fresh` ones were surely never acted upon.

    `attempted_at` is when its last attempt of this process ended (wall clock, seconds), None where there was none.
    """

    claim: Claim
    fresh: bool
    attempted_at: float | None = None


LookAgain = Callable[[Sequence[Waiting]], Awaitable[Sequence[Claim | Outcome]]]
"""What is to become of each of these: the claim with the time of the look as its `seen_at` (later where it is believed for
longer than usual), one of a new generation that is on disk by then, or how the row is settled."""


async def as_they_are(waiting: Sequence[Waiting]) -> Sequence[Claim | Outcome]:
    """Nobody looks again: the claims are sent as they are, however long they wait."""
    return [replace(each.claim, seen_at=None) for each in waiting]


class SharedLook:
    """One look at a time, at every claim that waits for one; `alone` keeps every other look at the account away as well.

    After an outage all workers come at once. Looking each by itself, each would read everybody who came meanwhile, and
    hold them all. Whoever comes while a look goes on is in the next one, so none is older than the wish for it.

    An update is looked at by itself, whatever else goes on: nobody but it reads its customer.
    """

    def __init__(self) -> None:
        self.look: LookAgain = as_they_are
        self.alone = anyio.Lock()
        self._waiting: dict[int, Waiting] = {}
        self._answers: dict[int, Claim | Outcome] = {}

    async def of(self, one: Waiting) -> Claim | Outcome:
        """What is to become of *one*; raises what the look at it raises."""
        if one.claim.target is not None:
            (answer,) = await self.look([one])
            return answer
        row = one.claim.row
        self._waiting[row] = one
        try:
            async with self.alone:
                if row not in self._answers:
                    await self._look_at_all()
                return self._answers[row]
        finally:
            self._waiting.pop(row, None)
            self._answers.pop(row, None)

    async def _look_at_all(self) -> None:
        waiting = list(self._waiting.values())
        found = await self.look(waiting)
        for one, answer in zip(waiting, found, strict=True):
            self._answers[one.claim.row] = answer
            self._waiting.pop(one.claim.row, None)
