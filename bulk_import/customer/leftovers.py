"""What databases and spreadsheets leave in a cell instead of what stood there: words for nothing, shortened numbers."""

from __future__ import annotations

import re

from bulk_import.customer.verdicts import Noted
from bulk_import.formulas import protected_text
from bulk_import.wording import names

_NARROW = tuple("#" * count for count in range(3, 41))

NULLS = names(
    r"""
    NULL null Null \N NaN nan N/A n/a #N/A #NV #REF! #VALUE! #NAME? #DIV/0! #NUM! #NULL! #SPILL! #CALC! undefined None (null) (NULL) [null] [NULL]
    <null> <NULL> nil
    """
).union(_NARROW)
"""Whole cells that mean there was nothing, as databases, programs and spreadsheets write it, and columns too narrow."""

NOTHINGS = names(r"NULL \N (null) (NULL) [null] [NULL] <null> <NULL>")
"""Those of them that only databases write, for a value that is not there: nothing is sent for them."""

_ZEROS = tuple("0" * count for count in range(1, 13))
_NO_NUMBER = f"- -- --- . ? n/a n.a. na none unknown {' '.join(_ZEROS)} 00000-0000"
NO_NUMBERS = NULLS.union(*(names(spelled) for spelled in (_NO_NUMBER, _NO_NUMBER.upper(), _NO_NUMBER.title())))
"""Whole cells that are no phone and no ZIP code, as people write that there is none, and `NULLS`."""

LONGEST_NULL, LONGEST_NOTHING = max(map(len, NULLS)), max(map(len, NOTHINGS))

NULL_RULE, NOTHING_RULE = "null-word", "nothing"
"""The rules of words that are sent all the same, and of those of `NOTHINGS`, for which nothing is."""
_NULL_MESSAGE = "This is how programs write that there is nothing, and it is sent as it stands; empty such cells."
NOTHING_MESSAGE = "This is how databases write that there is nothing, and nothing is sent for it."
_NARROW_MESSAGE = (
    "This is what a spreadsheet shows where its column is too narrow, and it is sent as it stands; widen the column and "
    "export it again."
)

SHORTENED_RULE = "shortened-number"
SHORTENED_MESSAGE = (
    "This looks like a number that a spreadsheet shortened, so digits may be lost, and it is sent as it stands; "
    "export the column as text."
)

FORMULA_RULE, JSON_RULE = "formula-sign", "json-text"
"""The rules of a formula's sign before a phone, and of JSON in one cell."""

ODD_STARTS = frozenset("'={[")
"""What stands in front of cells that are guarded against spreadsheets, of formulas, and of JSON."""

UNCALCULATED_RULE = "formula"
UNCALCULATED_MESSAGE = (
    "This is a formula of a spreadsheet, and it is sent as it stands; export the values that the formulas show."
)

APOSTROPHE = "apostrophe"
"""The rule that the apostrophe in front only keeps spreadsheets from changing or running a cell."""
APOSTROPHE_MESSAGE = "The apostrophe in front is taken off; it only keeps spreadsheets from changing the number."
GUARD_MESSAGE = "The apostrophe in front is taken off; it only keeps spreadsheets from running or changing the cell."

PROTECTED = "protected-text"
"""The rule that a cell like `="01067"` is read as the text in it."""

KEPT_RULE = "apostrophe-kept"
KEPT_MESSAGE = (
    "An apostrophe stands in front, as some programs put one before every cell, and it is sent as it stands; take it off "
    "unless it belongs to the text."
)

_SHORTENED = re.compile(r"[+-]?[0-9](?:(?:[.,][0-9]+)?E\+|\.[0-9]+e\+)[0-9]{1,3}")
_EXPONENT = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?[Ee][+-]?[0-9]{1,3}")
_COUNTED = re.compile(r"[0-9]+\.0+|[0-9]{1,3}(?:,[0-9]{3})+(?:\.0+)?")
_HAS_EXPONENT = re.compile("[0-9][Ee][+-]?[0-9]")
_FORMULA = re.compile(r"=\+?[0-9][0-9 ]*")
_UNCALCULATED = re.compile(r"=(?:[A-Za-z][A-Za-z0-9.]*\(|\$?[A-Z]{1,3}\$?[0-9]+(?!\w)|[0-9.]+[-+*/])")

_STANDINGS = names(
    "active inactive enabled disabled closed cancelled canceled pastdue suspended expired pending trialing intrial"
    " unpaid paused deleted archived blocked open registered invited verified unverified confirmed unconfirmed"
    " subscribed unsubscribed lapsed terminated deactivated activated churned dormant banned onhold approved"
)

_BETWEEN_WORDS = str.maketrans("", "", " _-.")


def null_message(text: str) -> str:
    """What is to be said of a *text* that is one of `NULLS` or `NO_NUMBERS`."""
    return _NARROW_MESSAGE if text in _NARROW else _NULL_MESSAGE


def is_shortened(text: str) -> bool:
    """Whether *text* is a number as a spreadsheet or a program writes one that is too long for it: `1.5E+12`."""
    return ("E+" in text or "e+" in text) and _SHORTENED.fullmatch(text) is not None


def has_exponent(text: str) -> bool:
    """Whether *text*, where a phone or a ZIP code should be, is a number in powers of ten: `4.93E10`."""
    return _EXPONENT.fullmatch(text) is not None


def counted_digits(text: str) -> str | None:
    """The digits of what should be a phone or a ZIP code and was written as an amount (`2108.0`, `1,067`), else None."""
    return text.partition(".")[0].replace(",", "") if _COUNTED.fullmatch(text) is not None else None


def may_be_an_amount(text: str) -> bool:
    """Whether `has_exponent` or `counted_digits` may say something of *text*, or of one of many texts joined."""
    return ".0" in text or "," in text or (("E" in text or "e" in text) and _HAS_EXPONENT.search(text) is not None)


def is_standing(text: str) -> bool:
    """Whether *text* says how an account stands (`active`, `past_due`): no part of an address."""
    return text.lower().translate(_BETWEEN_WORDS) in _STANDINGS


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


def mangled(text: str) -> Noted | None:
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


def is_uncalculated(text: str) -> bool:
    """Whether a text is a formula in the place of what it shows: `=HYPERLINK("…")`, `=A2&B2`, `=1+1`."""
    return text[0] == "=" and _UNCALCULATED.match(text) is not None


def may_be_guarded(text: str) -> bool:
    """Whether an apostrophe before a capital may be a program's: `'Ann`, but not `'t Hooft` or `'Ann'`."""
    return text[0] == "'" and text[1:2].isupper() and "'" not in text[1:]
