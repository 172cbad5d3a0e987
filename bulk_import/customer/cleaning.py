"""What a customer may contain, and how each field is cleaned (Stripe facts, section 1).

A cleaner takes trimmed, non-empty text and returns the value to send, a `Noted` value that deserves a
warning, or a `Fault`. Rules about the customer as a whole are in `completeness`. Nothing here knows of columns.
"""

from __future__ import annotations

import re
from functools import partial

from bulk_import.customer.countries import country_named, country_names, is_country
from bulk_import.customer.emails import EmailCheck, email_fault
from bulk_import.customer.leftovers import (
    APOSTROPHE,
    APOSTROPHE_MESSAGE,
    NULLS,
    SHORTENED_MESSAGE,
    SHORTENED_RULE,
    is_shortened,
    mangled,
    unquoted_digits,
)
from bulk_import.customer.parameters import MAX_METADATA_VALUE, PARAMETERS, Parameter
from bulk_import.customer.text_rules import TEXT_RULES
from bulk_import.customer.verdicts import Cleaned, Cleaner, Fault, Noted, too_long
from bulk_import.wording import nearest

NO_LIMIT = 10**9

UNQUOTED = ("phone", "postal_code")
"""Rules of parameters from which nothing but a spreadsheet's apostrophe is taken."""

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,15}")
_LIST_SIGNS = re.compile(r"[,;|]")
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
    return partial(_limited, limit=parameter.limit or NO_LIMIT, rule=TEXT_RULES.get(parameter.rule or ""))


def clean_metadata(text: str) -> Cleaned:
    """A metadata value: any text of at most 500 characters, without the apostrophe shops put before long numbers."""
    if len(text) > MAX_METADATA_VALUE:
        return Fault(*too_long(text, MAX_METADATA_VALUE))
    if text[0] == "'" and (plain := unquoted_digits(text)) != text:
        return Noted(plain, APOSTROPHE, APOSTROPHE_MESSAGE)
    return Noted(text, SHORTENED_RULE, SHORTENED_MESSAGE) if is_shortened(text) else text


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
    changed = mangled(plain)
    return changed if changed is not None else plain if plain is text else Noted(plain, APOSTROPHE, APOSTROPHE_MESSAGE)
