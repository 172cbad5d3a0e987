"""What a sweep could not settle, counted and told however many rows that are (pure)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bulk_import.model import InDoubt, Settled
from bulk_import.reconcile.judging import Open, still_in_doubt
from bulk_import.wording import counted


@dataclass(slots=True)
class Remainder:
    """The rows that stay open; `wait` is how many seconds until asking again could prove more, None if it could not.

    It may be negative: so long ago it was that a list could have shown more than the one that was asked for before.

    Most of them stay so for one of a few reasons, so each reason is kept once, with the numbers of its rows.
    """

    count: int = 0
    wait: float | None = None
    for_people: int = 0
    first: Open | None = None
    _told: dict[InDoubt, array[int]] = field(default_factory=dict)

    def add(self, verdicts: Iterable[Open]) -> None:
        """Take these in as well."""
        for verdict in verdicts:
            self.count += 1
            if verdict.wait is not None:
                self.wait = verdict.wait if self.wait is None else max(self.wait, verdict.wait)
            if verdict.is_for_a_person:
                self.for_people += 1
                self.first = self.first or verdict
            if verdict.claim.doubt is None or verdict.is_for_a_person:
                self._told.setdefault(still_in_doubt(verdict), array("q")).append(verdict.claim.row)

    def told(self, at_once: int) -> Iterator[list[Settled]]:
        """What the ledger is to say of claims without any answer, and of those that need a person; so many at a time."""
        for outcome, rows in self._told.items():
            for start in range(0, len(rows), at_once):
                yield [Settled(row, outcome) for row in rows[start : start + at_once]]

    def advice(self) -> str | None:
        """What settles these rows, in one sentence; None where there is none."""
        if not self.count:
            return None
        if self.first is None:
            return f"{counted(self.count, 'row stays', 'rows stay')} in doubt; run the same command again later"
        one, others = self.first, self.for_people - 1
        more = f" ({others} more rows say what they need in export --what all)" if others else ""
        return f"row {one.claim.row} stays in doubt: {one.why}; {one.advice}, then run the same command again{more}"
