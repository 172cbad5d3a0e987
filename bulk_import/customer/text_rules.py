"""The rules of single parameters that are text: a state, a language, ids of payment methods and clocks, types of tax IDs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from bulk_import.customer.leftovers import NULL_RULE, NULLS, is_standing, null_message
from bulk_import.customer.tax_ids import TAX_ID_TYPES
from bulk_import.customer.verdicts import Cleaned, Cleaner, Fault, Noted
from bulk_import.wording import nearest

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Signs that no value may hold."""
LINE_SIGNS = re.compile("[\t\n\r]")
"""Signs that only a text of many lines may hold."""

_PREFIX = re.compile(r"[A-Z0-9]{1,12}")
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")
_TOKEN = re.compile(r"(?:tok|src|card|ba|btok|pm)_\w+")
_METHOD = re.compile(r"(?:pm|card|src|ba|bank)_\w+")
_CLOCK = re.compile(r"clock_\w+")
is_method = _METHOD.fullmatch
"""Something true for the id of a payment method."""


def _state(text: str) -> Cleaned:
    if len(text) > 3 and is_standing(text):
        message = (
            'This says how an account stands and is no part of an address; say --map "COLUMN=metadata" (or =ignore).'
        )
        return Fault("account-state", message)
    return Noted(text, NULL_RULE, null_message(text)) if text in NULLS else text


def _locale(text: str) -> Cleaned:
    tag = text.replace("_", "-")
    if _LOCALE.fullmatch(tag):
        return tag
    return Noted(text, "locale", "This does not look like a language tag such as de or en-US; Stripe may not know it.")


def _refused_unless(fits: Callable[[str], object], rule: str, message: str) -> Cleaner:
    """Takes a text that *fits*, and no other."""
    return lambda text: text if fits(text) else Fault(rule, message)


def _noted_unless(fits: Callable[[str], object], rule: str, message: str) -> Cleaner:
    """Takes every text, and says of one that does not fit that Stripe may refuse it."""
    return lambda text: text if fits(text) else Noted(text, rule, message)


def _tax_id_type(text: str) -> Cleaned:
    word = text.lower()
    if word in TAX_ID_TYPES:
        return word
    close = nearest(word, TAX_ID_TYPES)
    meant = f" (did you mean {close}?)" if close is not None else ""
    return Noted(
        text, "tax-id-type", f"This tax-ID type is not known here{meant}; it is sent, and Stripe may refuse it."
    )


TEXT_RULES: Final[dict[str, Cleaner]] = {
    "default_method": _noted_unless(
        is_method,
        "payment-method",
        "This does not look like the id of a payment method (pm_…); Stripe may refuse it.",
    ),
    "invoice_prefix": _refused_unless(
        _PREFIX.fullmatch,
        "invoice-prefix",
        "An invoice prefix has 1 to 12 capital letters or digits and nothing else; change it.",
    ),
    "locale": _locale,
    "payment_method": _refused_unless(
        is_method,
        "payment-method",
        "Stripe's payment methods are ids (pm_…); if this says how somebody pays, "
        'use --map "COLUMN=metadata.paid_by".',
    ),
    "source": _refused_unless(
        _TOKEN.fullmatch,
        "source",
        'Stripe\'s "source" is a payment token (tok_…, src_…); if this says where the customer came from, '
        'use --map "COLUMN=metadata.source".',
    ),
    "state": _state,
    "tax_id_type": _tax_id_type,
    "test_clock": _noted_unless(
        _CLOCK.fullmatch,
        "test-clock",
        "This does not look like the id of a test clock (clock_…); Stripe may refuse it.",
    ),
}
"""By the names that `parameters` gives them."""
