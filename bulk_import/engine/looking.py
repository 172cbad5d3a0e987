"""Claims that waited too long to be sent unseen are looked at together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import anyio

from bulk_import.model import Claim, Settled

LookAgain = Callable[[Sequence[Claim]], Awaitable[Sequence[Claim | Settled]]]
"""What is to become of each of these claims: itself, another one that is on disk by then, or how it is settled."""


async def as_they_are(claims: Sequence[Claim]) -> Sequence[Claim | Settled]:
    """Nobody looks again: the claims are sent as they are."""
    return claims


class SharedLook:
    """One look at a time, at every claim that waits for one; `alone` keeps every other look at the account away as well.

    After an outage all workers come at once. Looking each by itself, each would read everybody who came meanwhile, and
    hold them all. Whoever comes while a look goes on is in the next one, so none is older than the wish for it.
    """

    def __init__(self) -> None:
        self.look: LookAgain = as_they_are
        self.alone = anyio.Lock()
        self._waiting: dict[int, Claim] = {}
        self._answers: dict[int, Claim | Settled] = {}

    async def of(self, claim: Claim) -> Claim | Settled:
        """What is to become of *claim*; raises what the look at it raises."""
        self._waiting[claim.row] = claim
        try:
            async with self.alone:
                if claim.row not in self._answers:
                    await self._look_at_all()
                return self._answers[claim.row]
        finally:
            self._waiting.pop(claim.row, None)
            self._answers.pop(claim.row, None)

    async def _look_at_all(self) -> None:
        claims = list(self._waiting.values())
        found = await self.look(claims)
        self._answers.update((claim.row, answer) for claim, answer in zip(claims, found, strict=True))
        for claim in claims:
            self._waiting.pop(claim.row, None)
