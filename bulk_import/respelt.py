"""Tells what a spreadsheet makes of cells that nobody changed: numbers without their zeros, dates and truths as its country writes them."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal

from bulk_import.wording import fold, names

_PLAIN = re.compile(r"\+?[0-9]{1,64}(?:[.,][0-9]{1,64})?|-[0-9]{1,64}(?:[.,][0-9]{1,64})?")
_DIGITS = re.compile(r"\+?[0-9]{1,64}")
_SHARE = re.compile(r"(-?[0-9]{1,15}(?:[.,][0-9]{1,15})?) ?%")
_POWER = re.compile(r"-?[0-9](?:[.,][0-9]{1,15})?[Ee]\+?[0-9]{1,2}")
_DATE = re.compile(
    r"(?P<one>[0-9]{1,4})(?P<sign>[-./])(?P<two>[0-9]{1,2})(?P=sign)(?P<three>[0-9]{1,4})"
    r"(?:[ T](?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.[0-9]+)?)?)?"
)
_HALF_DATE = re.compile(r"(?P<one>[0-9]{1,2})[-./](?P<two>[0-9]{1,2}|[0-9]{4})\.?")
_ISO = re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})(?:[ T]00:00(?::00)?)?")
_NAMED = re.compile(r"(?:(?P<day>[0-9]{1,2})[-. ]{1,2})?(?P<month>[^\W\d]{3,4})\.?(?:[- ](?P<year>[0-9]{2}))?")
_MONTHS = [
    names(of)
    for of in (
        "jan janv gen ene", "feb fev fevr", "mar mrz mars mrt", "apr avr avri abr", "may mai mag mei", "jun juin giu",
        "jul juil lug", "aug aout ago", "sep sept set", "oct okt ott out", "nov", "dec dez dic",
    )
]  # fmt: skip
"""How a spreadsheet shortens the name of each month, without accents."""

_KEPT = 15
"""Digits that a spreadsheet keeps of a number; zeros stand for all others."""

_TRUE, _FALSE = names("true wahr vrai verdadero vero waar verdadeiro"), names("false falsch faux falso onwaar")


def is_respelt(before: str, now: str, year: int = 0) -> bool:
    """Whether *now* is what a spreadsheet writes for *before* when it opens and saves it in *year*, and no word of a person's.

    Only what it takes away counts: who writes a zero in front of a ZIP code has mended it. Half a date, as `1/2` looks like,
    becomes one of that year, or of the one before where it was opened then.
    """
    before, now = before.strip(), now.strip()
    if not before or not now or before == now:
        return False
    return (
        _is_number_of(before, now)
        or _is_share_of(before, now)
        or _is_date_of(before, now)
        or _is_made_a_date(before, now, year)
        or _is_truth_of(before.lower(), now.lower())
    )


def as_number(text: str) -> str:
    """What a workbook keeps of *text* that it takes for a whole number: no zeros in front, and 15 digits."""
    if _POWER.fullmatch(text) is not None:
        text = f"{_value(text):.0f}"
    if _DIGITS.fullmatch(text) is None:
        return text
    digits = text.lstrip("+").lstrip("0") or "0"
    return digits[:_KEPT].ljust(len(digits), "0")


def _is_number_of(before: str, now: str) -> bool:
    if _PLAIN.fullmatch(before) is None:
        return False
    value = _value(before)
    if _POWER.fullmatch(now) is not None:
        shown = _value(now)
        rounded = Context(prec=len(shown.as_tuple().digits), rounding=ROUND_HALF_UP).create_decimal(value)
        return shown in (rounded, _value(as_number(before)))
    if _PLAIN.fullmatch(now) is None or now.startswith("+"):
        return False
    whole, _, decimals = _halves(before)
    new_whole, _, new_decimals = _halves(now)
    if not decimals and not new_decimals and len(whole.lstrip("0")) > _KEPT:
        return new_whole == as_number(whole)
    loses_nothing_else = len(new_decimals) <= len(decimals) and new_whole == (whole.lstrip("0") or "0")
    return loses_nothing_else and value == _value(now)


def _is_share_of(before: str, now: str) -> bool:
    """Whether percent are the same, with decimals of its own as CSV, and as a fraction in a workbook."""
    old, new = _SHARE.fullmatch(before), _SHARE.fullmatch(now)
    if old is None:
        return False
    if new is not None:
        return _value(old[1]) == _value(new[1])
    return _PLAIN.fullmatch(now) is not None and Context(prec=_KEPT).plus(_value(now)) == _value(old[1]) / 100


def _value(text: str) -> Decimal:
    return Decimal(text.replace(",", "."))


def _halves(number: str) -> tuple[str, str, str]:
    return number.lstrip("+-").replace(",", ".").partition(".")


def _is_date_of(before: str, now: str) -> bool:
    old, new = _DATE.fullmatch(before), _DATE.fullmatch(now)
    if old is None or new is None or (_form(old) == _form(new) and _parts(old) != _parts(new)):
        return False
    old_year, old_rest = _year_and_rest(old)
    new_year, new_rest = _year_and_rest(new)
    same_year = old_year == new_year or (len(new_year) == 2 and old_year.endswith(new_year))
    return len(old_year) == 4 and same_year and old_rest == new_rest and _is_time_of(old, new)


def _is_made_a_date(before: str, now: str, year: int) -> bool:
    """Whether a day and a month, or a month and a year, were taken for a date."""
    if (half := _HALF_DATE.fullmatch(before)) is None:
        return False
    one, two = int(half["one"]), int(half["two"])
    if (iso := _ISO.fullmatch(now)) is not None:
        told, month, day = int(iso["year"]), int(iso["month"]), int(iso["day"])
        is_of_the_year = told in (year - 1, year) and {one, two} == {day, month}
        return is_of_the_year or (day == 1 and one == month and two in (told, told % 100))
    if (named := _NAMED.fullmatch(now)) is None:
        return False
    month, short_year = _month(named["month"]), named["year"]
    if named["day"] is not None:
        return short_year is None and {one, two} == {int(named["day"]), month}
    return short_year is not None and one == month and two % 100 == int(short_year)


def _month(name: str) -> int:
    return next((number for number, short in enumerate(_MONTHS, 1) if fold(name) in short), 0)


def _form(date: re.Match[str]) -> tuple[str, bool]:
    return date["sign"], len(date["one"]) == 4


def _parts(date: re.Match[str]) -> tuple[int, ...]:
    return tuple(int(date[part]) for part in ("one", "two", "three"))


def _year_and_rest(date: re.Match[str]) -> tuple[str, list[int]]:
    """The year as written, and the day and the month in the order of their size."""
    one, two, three = date["one"], date["two"], date["three"]
    year, other = (one, three) if len(one) == 4 else (three, one)
    return year, sorted((int(other), int(two)))


def _is_time_of(old: re.Match[str], new: re.Match[str]) -> bool:
    """Whether a time is the same as far as it goes; midnight may be left out, seconds as well."""
    times = [tuple(int(date[part] or 0) for part in ("hour", "minute")) for date in (old, new)]
    return times[0] == times[1] and (new["second"] is None or int(new["second"]) == int(old["second"] or 0))


def _is_truth_of(before: str, now: str) -> bool:
    return (before in _TRUE and now in _TRUE) or (before in _FALSE and now in _FALSE)
