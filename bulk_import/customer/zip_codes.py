"""ZIP codes that lost the zeros in front of them, as spreadsheets take them from what looks like a number."""

from __future__ import annotations

from functools import lru_cache

from bulk_import.customer.countries import country_named
from bulk_import.wording import names

# Those of five digits whose codes may begin with a zero.
_FIVE_DIGITS = names("US PR DE FR ES IT MX FI EE TR UA KR MY")


def is_short(text: str) -> bool:
    """Whether a ZIP code has as many digits as one of five that lost its zeros."""
    return 2 < len(text) < 5 and text.isdecimal() and text.isascii()


@lru_cache(maxsize=1024)
def has_five_digits(country: str) -> bool:
    """Whether the ZIP codes of a *country*, given by its code or a name, have five digits and may begin with a zero."""
    return (country.upper() if len(country) == 2 else country_named(country)) in _FIVE_DIGITS


def shortened_message(zip_code: str, country: str) -> str | None:
    """What is to be said of a ZIP code of a country, None where it may be whole."""
    if not is_short(zip_code) or not has_five_digits(country):
        return None
    return (
        f"A ZIP code of {country} has 5 digits and this has {len(zip_code)}, so zeros in front may be lost, and it is sent as "
        "it stands; export the column as text."
    )
