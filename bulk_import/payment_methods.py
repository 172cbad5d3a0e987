"""Finds a payment method that is given to two customers, which Stripe would refuse for the second."""

from __future__ import annotations

from dataclasses import dataclass, field

from bulk_import.cards import shown
from bulk_import.model import Problem, Row

SHARED_TEST_METHODS = "pm_card_"
"""Stripe's test payment methods start like this and may be given to any number of customers."""


@dataclass(slots=True)
class PaymentMethodsSeen:
    """Which payment methods have come by, row after row; memory is the id and a number for each.

    The shared test methods are not counted.
    """

    _first: dict[str, int] = field(default_factory=dict)

    def first_row(self, row: Row) -> int | None:
        """The number of the earlier row that has this row's payment method, None for the first to have it."""
        method = row.params.get("payment_method")
        if not isinstance(method, str) or method.startswith(SHARED_TEST_METHODS):
            return None
        first = self._first.setdefault(method, row.number)
        return first if first != row.number else None


def same_payment_method(first_row: int, row: Row) -> Problem:
    """What to say of a row whose payment method belongs to an earlier row."""
    method = shown(str(row.params.get("payment_method")))
    message = f"This payment method is row {first_row}'s, and one belongs to one customer only; give each its own."
    return Problem("same-payment-method", message, value=method, param="payment_method")
