"""Payment methods and cards: which ids exist, which are declined, and what a success looks like."""

from __future__ import annotations

import re
from typing import Any

from bulk_import.simulator.exchange import Refused, no_such

_OWN = re.compile(r"pm_[A-Za-z0-9]{8,}")
_TEST = re.compile(r"pm_card_[A-Za-z0-9_]+")
_TOKEN = re.compile(r"(?:tok|src)_[A-Za-z0-9_]{3,}")

DECLINES: dict[str, tuple[str, str | None]] = {
    "chargeDeclined": ("card_declined", "generic_decline"),
    "chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "chargeDeclinedLostCard": ("card_declined", "lost_card"),
    "chargeDeclinedStolenCard": ("card_declined", "stolen_card"),
    "chargeDeclinedFraudulent": ("card_declined", "fraudulent"),
    "chargeDeclinedVelocityLimitExceeded": ("card_declined", "card_velocity_exceeded"),
    "chargeDeclinedExpiredCard": ("expired_card", None),
    "chargeDeclinedIncorrectCvc": ("incorrect_cvc", None),
    "chargeDeclinedProcessingError": ("processing_error", None),
}
"""Test cards that are refused when they are attached: name -> (code, decline code)."""


def is_test_card(id_: str) -> bool:
    """Whether an id is one of the shared test cards; each use of one yields a method of its own."""
    return id_.startswith("pm_card_")


def check_method(id_: str, param: str | None, status: int = 400) -> None:
    """Raise what Stripe answers for a method that does not exist (400, in a path 404) or is declined (402)."""
    if is_test_card(id_) and _TEST.fullmatch(id_):
        _check_decline(id_.removeprefix("pm_card_"), param)
    elif id_.startswith("pm_missing") or _OWN.fullmatch(id_) is None:
        raise no_such("PaymentMethod", id_, param=param, status=status)


def check_token(id_: str) -> None:
    """The same for a legacy `tok_…` or `src_…`."""
    if _TOKEN.fullmatch(id_) is None or id_.startswith("tok_missing"):
        raise no_such("token", id_, param="source")
    _check_decline(id_.partition("_")[2], "source")


def _check_decline(name: str, param: str | None) -> None:
    code, decline_code = DECLINES.get(name, (None, None))
    if code is None and ("Declined" in name or name.endswith(("LostCard", "StolenCard"))):
        code, decline_code = "card_declined", "generic_decline"
    if code is not None:
        raise Refused(
            402, "Your card was declined.", code=code, param=param, type="card_error", decline_code=decline_code
        )


def already_attached(param: str | None) -> Refused:
    """A method belongs to one customer for good, also after that customer is deleted."""
    return Refused(
        400,
        "This PaymentMethod was attached to a customer before; it cannot be used with another one.",
        code="payment_method_unexpected_state",
        param=param,
    )


def payment_method(id_: str, customer: str | None, created: int, livemode: bool) -> dict[str, Any]:
    """A method in Stripe's shape; *customer* is whose it is, None while it is nobody's."""
    return {
        "id": id_,
        "object": "payment_method",
        "billing_details": {"address": None, "email": None, "name": None, "phone": None},
        "card": {"brand": "visa", "country": "US", "exp_month": 12, "exp_year": 2034, "last4": "4242"},
        "created": created,
        "customer": customer,
        "livemode": livemode,
        "metadata": {},
        "type": "card",
    }
