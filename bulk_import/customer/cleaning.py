"""What a customer may contain, and how each field is cleaned (Stripe facts, section 1).

A cleaner takes trimmed, non-empty text and returns the value to send, a `Noted` value that deserves a
warning, or a `Fault`. Rules about the customer as a whole are in `completeness`. Nothing here knows of columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from bulk_import.customer.countries import country_named, country_names, is_country
from bulk_import.customer.emails import EmailCheck, email_fault
from bulk_import.customer.leftovers import (
    APOSTROPHE,
    APOSTROPHE_MESSAGE,
    FORMULA_RULE,
    GUARD_MESSAGE,
    NO_NUMBERS,
    NULL_RULE,
    NULLS,
    SHORTENED_MESSAGE,
    SHORTENED_RULE,
    counted_digits,
    has_exponent,
    is_shortened,
    is_standing,
    may_be_an_amount,
    null_message,
)
from bulk_import.customer.parameters import MAX_METADATA_VALUE, PARAMETERS, Parameter
from bulk_import.customer.tax_ids import TAX_ID_TYPES
from bulk_import.formulas import protected_text
from bulk_import.wording import nearest


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a value cannot be sent; `param` is set where the fault belongs to no single value."""

    rule: str
    message: str
    param: str | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """A value that is sent, with something a person should know of it."""

    value: Any
    rule: str
    message: str


Cleaned = str | int | list[str] | Noted | Fault
Cleaner = Callable[[str], Cleaned]

NO_LIMIT = 10**9

UNQUOTED = ("phone", "postal_code")
"""Rules of parameters from which nothing but a spreadsheet's apostrophe is taken."""

PROTECTED = "protected-text"
"""The rule that a cell like `="01067"` is read as the text in it."""

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,15}")
_PREFIX = re.compile(r"[A-Z0-9]{1,12}")
_FORMULA = re.compile(r"=\+?[0-9][0-9 ]*")
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")
_LIST_SIGNS = re.compile(r"[,;|]")
_TOKEN = re.compile(r"(?:tok|src|card|ba|btok|pm)_\w+")
_METHOD = re.compile(r"(?:pm|card|src|ba|bank)_\w+")
_CLOCK = re.compile(r"clock_\w+")
is_method = _METHOD.fullmatch
"""Something true for the id of a payment method."""
_YES_NO = {
    **dict.fromkeys(("yes", "true", "y", "exempted"), "exempt"),
    **dict.fromkeys(("no", "false", "n", "taxable"), "none"),
}


def cleaner_of(parameter: Parameter, email_check: EmailCheck = "strict") -> Cleaner:
    """The cleaner of one parameter, with everything about it decided once."""
    match parameter.kind:
        case "integer":
            return partial(_integer, least=1 if parameter.rule == "from_one" else None)
        case "enum":
            return partial(_enum, parameter=parameter)
        case "texts":
            return partial(_array, item=cleaner_of(PARAMETERS[f"{parameter.path}[]"]))
        case "text":
            return _text_cleaner(parameter, email_check)


def _text_cleaner(parameter: Parameter, email_check: EmailCheck) -> Cleaner:
    if parameter.rule == "email":
        return partial(_email, check=email_check)
    if parameter.rule == "country":
        return _country
    if parameter.rule in UNQUOTED:
        return partial(_unquoted, limit=parameter.limit or NO_LIMIT)
    return partial(_limited, limit=parameter.limit or NO_LIMIT, rule=_TEXT_RULES.get(parameter.rule or ""))


def clean_metadata(text: str) -> Cleaned:
    """A metadata value: any text of at most 500 characters, without the apostrophe shops put before long numbers."""
    if len(text) > MAX_METADATA_VALUE:
        return Fault(*too_long(text, MAX_METADATA_VALUE))
    if text[0] == "'" and (plain := unquoted_digits(text)) != text:
        return Noted(plain, APOSTROPHE, APOSTROPHE_MESSAGE)
    return Noted(text, SHORTENED_RULE, SHORTENED_MESSAGE) if is_shortened(text) else text


def unquoted_digits(text: str) -> str:
    """Text without the apostrophe that keeps spreadsheets from changing a long number."""
    return text[1:] if text[:1] == "'" and text[1:].lstrip("+").isdigit() else text


def unguarded(text: str, *, every: bool) -> Noted | None:
    """What is sent for a cell that was guarded against spreadsheets, None for one that was not.

    An apostrophe is a guard where a formula's sign follows; with *every*, where the whole row is known to be guarded.
    """
    if text[0] == "'" and len(text) > 1 and (every or text[1] in "=+-@"):
        return Noted(text[1:].strip(), APOSTROPHE, GUARD_MESSAGE)
    return unprotected(text)


def unprotected(text: str) -> Noted | None:
    """What is sent for a cell like `="01067"`, None for any other."""
    inner = protected_text(text)
    if inner is None:
        return None
    message = 'The text within =" " is taken; these signs only keep spreadsheets from changing it.'
    return Noted(inner.strip(), PROTECTED, message)


def too_long(text: str, limit: int) -> tuple[str, str]:
    """The rule and the sentence for text beyond its limit."""
    return "too-long", f"It has {len(text)} characters and at most {limit} are allowed; shorten it."


def _limited(text: str, limit: int, rule: Cleaner | None) -> Cleaned:
    if rule is None:
        return text if len(text) <= limit else Fault(*too_long(text, limit))
    cleaned = rule(text)
    sent = cleaned.value if isinstance(cleaned, Noted) else cleaned
    return Fault(*too_long(sent, limit)) if isinstance(sent, str) and len(sent) > limit else cleaned


def _email(text: str, check: EmailCheck) -> Cleaned:
    fault = email_fault(text, check)
    return text if fault is None else Fault("email", f"This is no e-mail address: {fault}; correct it.")


def _integer(text: str, least: int | None) -> Cleaned:
    if not _WHOLE_NUMBER.fullmatch(text):
        return Fault(
            "integer", "A whole number is needed (amounts in the smallest unit, such as cents); write digits only."
        )
    if least is not None and int(text) < least:
        return Fault("integer", f"A whole number of at least {least} is needed; correct it.")
    return int(text)


def _enum(text: str, parameter: Parameter) -> Cleaned:
    word = text.lower()
    if parameter.rule == "tax_exempt":
        word = _YES_NO.get(word, word)
    if word in parameter.choices:
        return word
    close = nearest(word, parameter.choices)
    meant = f" (did you mean {close}?)" if close is not None else ""
    return Fault("choice", f"This is none of {', '.join(parameter.choices)}{meant}; use one of them.")


def _texts(text: str, item: Cleaner) -> Cleaned:
    items: list[str] = []
    note: Noted | None = None
    parts = _LIST_SIGNS.split(text) if _LIST_SIGNS.search(text) else text.split()  # blanks separate where no sign does
    for part in filter(None, map(str.strip, parts)):
        cleaned = item(part)
        if isinstance(cleaned, Fault):
            return cleaned
        note = cleaned if isinstance(cleaned, Noted) else note
        items.append(str(cleaned.value if isinstance(cleaned, Noted) else cleaned))
    if not items:
        return Fault("empty", "Nothing is left of this list; leave the cell empty or name at least one.")
    return items if note is None else Noted(items, note.rule, note.message)


def _array(text: str, item: Cleaner) -> Cleaned:
    """A list as people write one, or as programs put theirs into one cell: `["de","en"]`, `{de,en}`."""
    if text[0] + text[-1] in ("[]", "{}"):
        text = re.sub("[\"']", "", text[1:-1])
    return _texts(text, item)


def _country(text: str) -> Cleaned:
    code = text.upper()
    if len(text) == 2 and is_country(code):
        return code
    named = country_named(text)
    if named is not None:
        return Noted(named, "country-name", f"It is sent as {named}, as tax needs the two-letter code; use the code.")
    if text in NULLS:
        return Fault("country", "This is how programs write that there is nothing; empty such cells.")
    close = nearest(text, country_names()) if len(text) > 3 else None
    meant = f" (did you mean {close}?)" if close is not None else ""
    return Fault("country", f"This is no country known by its code or name{meant}; use its ISO 3166 two-letter code.")


def _unquoted(text: str, limit: int) -> Cleaned:
    """Shopify writes an apostrophe before phones and ZIP codes so that spreadsheets keep their zeros."""
    plain = text[1:].strip() if text[0] == "'" else text
    if not plain:
        return Fault("empty", "Nothing but an apostrophe is here; leave the cell empty.")
    if len(plain) > limit:
        return Fault(*too_long(plain, limit))
    changed = _mangled(plain)
    return changed if changed is not None else plain if plain is text else Noted(plain, APOSTROPHE, APOSTROPHE_MESSAGE)


def _mangled(text: str) -> Noted | None:
    """What programs made of a phone or a ZIP code, None where it looks like one."""
    if text in NO_NUMBERS:
        return Noted(text, NULL_RULE, null_message(text))
    if may_be_an_amount(text):
        if has_exponent(text):
            return Noted(text, SHORTENED_RULE, SHORTENED_MESSAGE)
        if (digits := counted_digits(text)) is not None:
            message = (
                f"This was written as an amount: {digits} is sent, and zeros in front may be lost; export it as text."
            )
            return Noted(digits, SHORTENED_RULE, message)
    if text[0] == "=" and _FORMULA.fullmatch(text) is not None:
        return Noted(text[1:], FORMULA_RULE, "The = in front is taken off; a spreadsheet put it there.")
    return None


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


def _invoice_prefix(text: str) -> Cleaned:
    if _PREFIX.fullmatch(text):
        return text
    return Fault(
        "invoice-prefix", "An invoice prefix has 1 to 12 capital letters or digits and nothing else; change it."
    )


def _payment_method(text: str) -> Cleaned:
    if is_method(text):
        return text
    return Fault(
        "payment-method",
        "Stripe's payment methods are ids (pm_…); if this says how somebody pays, "
        'use --map "COLUMN=metadata.paid_by".',
    )


def _default_method(text: str) -> Cleaned:
    if is_method(text):
        return text
    message = "This does not look like the id of a payment method (pm_…); Stripe may refuse it."
    return Noted(text, "payment-method", message)


def _test_clock(text: str) -> Cleaned:
    if _CLOCK.fullmatch(text):
        return text
    return Noted(text, "test-clock", "This does not look like the id of a test clock (clock_…); Stripe may refuse it.")


def _source(text: str) -> Cleaned:
    if _TOKEN.fullmatch(text):
        return text
    return Fault(
        "source",
        'Stripe\'s "source" is a payment token (tok_…, src_…); if this says where the customer came from, '
        'use --map "COLUMN=metadata.source".',
    )


def _tax_id_type(text: str) -> Cleaned:
    word = text.lower()
    if word in TAX_ID_TYPES:
        return word
    close = nearest(word, TAX_ID_TYPES)
    meant = f" (did you mean {close}?)" if close is not None else ""
    return Noted(
        text, "tax-id-type", f"This tax-ID type is not known here{meant}; it is sent, and Stripe may refuse it."
    )


_TEXT_RULES: dict[str, Cleaner] = {
    "default_method": _default_method,
    "invoice_prefix": _invoice_prefix,
    "locale": _locale,
    "payment_method": _payment_method,
    "source": _source,
    "state": _state,
    "tax_id_type": _tax_id_type,
    "test_clock": _test_clock,
}
