"""What an undo is about to do, as it is shown to whoever must agree, and what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from bulk_import.restore import Restored
from bulk_import.undo import Gone, Left

KEPT = 100
"""Customers left that the report names; the ledger holds all of them, each with its reason."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What an undo is about to do; `first` are the first few of `customers`, `unfinished` those an earlier one began.

    `updated` customers are to be put back to what they were, `updated_first` are the first few of them, and
    `attaching` of their updates attached a payment method. Rows were `mended` if a retry took over a person's file.
    """

    ledger: str
    account: str
    account_name: str | None
    livemode: bool
    simulated: bool
    customers: int
    first: tuple[tuple[int, str], ...]
    unfinished: int
    in_doubt: int
    updated: int = 0
    updated_first: tuple[tuple[int, str], ...] = ()
    attaching: int = 0
    mended: bool = False


Verdict = Gone | Restored | Left


@dataclass(slots=True)
class Undone:
    """What an undo did: customers it deleted, those that were deleted before, and those left, by reason.

    Of the `updated` ones, `restored` are as they were. `left_first` names the first of all that are left as
    (row, customer, why).
    """

    customers: int = 0
    deleted: int = 0
    gone: int = 0
    updated: int = 0
    restored: int = 0
    left: Counter[str] = field(default_factory=Counter)
    left_first: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def left_count(self) -> int:
        """Customers that stay."""
        return self.left.total()

    @property
    def done(self) -> int:
        """Customers that are dealt with, whichever way."""
        return self.deleted + self.gone + self.restored + self.left_count

    def note(self, row: int, customer_id: str, verdict: Verdict) -> None:
        """Count one verdict."""
        match verdict:
            case Gone(by_us):
                self.deleted += by_us
                self.gone += not by_us
            case Restored():
                self.restored += 1
            case Left(why):
                self.left[why] += 1
                if len(self.left_first) < KEPT:
                    self.left_first.append((row, customer_id, why))


Agree = Callable[[Listing], bool]
"""Shown what is about to be deleted; False ends the command with nothing deleted."""
