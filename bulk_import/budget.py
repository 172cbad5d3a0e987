"""How many refusals a run may collect before it stops (pure)."""

from __future__ import annotations

from typing import NamedTuple

from bulk_import.model import Created, Existing, Failed, Outcome, Updated

FIRST_ALIKE = 20
"""So many first rows refused for one code and parameter are a mapping mistake, not bad rows."""

SMALLEST_SAMPLE = 100
"""Answers before a share of refusals means anything."""


class Budget(NamedTuple):
    """Definitive refusals of this process against what `--max-errors` allows: a count, or a share of answers."""

    most: int | None = None
    share: float | None = 0.10
    answered: int = 0
    refused: int = 0
    succeeded: bool = False
    cause: tuple[str | None, str | None] | None = None
    alike: int = 0

    def after(self, outcome: Outcome) -> Budget:
        """Count one more answer of Stripe's."""
        match outcome:
            case Failed(refusal):
                cause = (refusal.code, refusal.param)
                alike = self.alike + 1 if self.alike == self.refused and self.cause in (None, cause) else self.alike
                return self._replace(
                    answered=self.answered + 1, refused=self.refused + 1, cause=self.cause or cause, alike=alike
                )
            case Created() | Updated() | Existing():
                # Written out, since every row passes here: `replace` takes three times as long.
                return Budget(
                    self.most, self.share, self.answered + 1, self.refused, True, self.cause, self.alike
                )  # fmt: skip
            case _:
                return self

    @property
    def is_mistake(self) -> bool:
        """Whether every one of the first rows was refused alike, before any success in the ledger."""
        return not self.succeeded and self.alike == self.refused >= FIRST_ALIKE

    @property
    def is_spent(self) -> bool:
        """Whether more rows were refused than the run may collect."""
        if self.most is not None:
            return self.refused > self.most
        if self.share is None:
            return False
        return self.answered >= SMALLEST_SAMPLE and self.refused > self.share * self.answered
