"""Weighs each answer for the run as a whole: the error budget, mapping mistakes, and 200s that are none."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from bulk_import.budget import Budget
from bulk_import.engine.parts import Trip
from bulk_import.errors import BulkImportError, StripeRefuses, TooManyErrors
from bulk_import.model import Claim, Created, Failed, Refusal, Released, Settled, Updated
from bulk_import.wording import counted

IMPOSSIBLE = 3
"""So many 200s in a row that are no success mean that this is not Stripe talking."""


Weighed = tuple[list[Settled], BulkImportError | None]
"""What is to be written, and why the run must stop, if it must."""


@dataclass(slots=True)
class Scales:
    """The answers of one run so far; `mistaken` are claims that were refused, may begin anew, and may all be one mistake."""

    budget: Budget
    impossible: int = 0
    impossible_at: float = -inf
    mistaken: list[Claim] = field(default_factory=list)

    def succeeded_before(self) -> None:
        """An earlier command made customers in this ledger, so refusals that look alike are no mapping mistake."""
        self.budget = self.budget._replace(succeeded=True)

    def saw_impossible(self, started: float, now: float) -> BulkImportError | None:
        """One more 200 that is no success, to an attempt from *started* to *now*; too many in a row are not Stripe talking.

        Those whose attempts ran side by side count as one: what came of the others is not known yet.
        """
        if started < self.impossible_at:
            return None
        self.impossible, self.impossible_at = self.impossible + 1, now
        if self.impossible < IMPOSSIBLE:
            return None
        return StripeRefuses(
            f"{IMPOSSIBLE} answers in a row said 200 but held no customer of ours, so this is not Stripe talking; "
            "check --api-base and any proxy, then run the same command again"
        )

    def weigh(self, trip: Trip, settled: Settled) -> Weighed:
        """Count one answer; a mapping mistake sends the rows it hit back to the start.

        A row whose trip does not `release` it stays failed all the same: what a person has mended is in no source.
        """
        outcome = settled.outcome
        if isinstance(outcome, Created | Updated | Failed):
            self.impossible, self.impossible_at = 0, -inf  # only Stripe itself answers so
        if isinstance(outcome, Released):
            return [settled], None
        self.budget = self.budget.after(outcome)
        if not isinstance(outcome, Failed):
            return [settled], None
        if trip.release and not self.budget.succeeded:
            self.mistaken.append(trip.claim)
        if self.budget.is_mistake:
            return self._take_back(trip, settled, outcome.refusal)
        return [settled], self._overdrawn() if self.budget.is_spent else None

    def _overdrawn(self) -> TooManyErrors:
        return TooManyErrors(
            f"stopped after {self.budget.refused} of {self.budget.answered} answers were refusals, more than "
            "--max-errors allows; look at them with export --what failed, then run the same command again"
        )

    def _take_back(self, trip: Trip, settled: Settled, why: Refusal) -> Weighed:
        taken, self.mistaken = self.mistaken, []
        released = [Settled(claim.row, Released(claim.generation + 1)) for claim in taken]
        written = released if trip.release else [settled, *released]
        return written, TooManyErrors(_alike(self.budget.refused, len(taken), why))


def _alike(refused: int, taken: int, why: Refusal) -> str:
    """What is said once the first rows were all refused for one reason, *taken* of which were taken back."""
    named = " ".join(part for part in (why.code, f"({why.param})" if why.param else None) if part) or "no code"
    said = f"the first {refused} rows were all refused alike, {named}: {why.message}; "
    to_mend = "look at them with export --what failed, then mend and retry them"
    if not taken:
        return f"{said}they stay failed as they were sent; {to_mend}"
    if taken >= refused:
        return f"{said}this is a mapping mistake, no row was marked as failed; mend the mapping and run the same command again"
    return (
        f"{said}this is a mapping mistake; mend the mapping and run the same command again; {counted(refused - taken, 'row')} that an "
        f"earlier command was sending stay failed as they were sent: {to_mend}"
    )
