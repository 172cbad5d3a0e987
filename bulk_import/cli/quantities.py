"""Rates, durations, sizes and pairs: from the text of an option to its value."""

from __future__ import annotations

import math
import re
from typing import Any, NoReturn

import click

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|)")
_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?)b?|b|)", re.IGNORECASE)
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")


class Choice(click.Choice[str]):
    """One of a few words; of one that is none of them, the word that may be meant is told."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """What click says, and the nearest word."""
        from bulk_import.wording import nearest

        close = nearest(str(value), self.choices)
        said = super().get_invalid_choice_message(value, ctx)
        return f"{said} Did you mean {close!r}?" if close is not None else said


class Quantity(click.ParamType[Any]):
    """Text to a value, by `read`, which raises ValueError with what to write instead."""

    # Several values in one environment variable stand on a line each: a column's name may have blanks.
    envvar_list_splitter = "\n"

    def read(self, text: str) -> Any:
        """The value that *text* means."""
        raise NotImplementedError

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read text; a value that was read already stays as it is."""
        if not isinstance(value, str):
            return value
        try:
            return self.read(value.strip())
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Duration(Quantity):
    """Seconds out of `30s`, `15m`, `250ms`, `2h` or a plain number of seconds; *least* is not allowed itself."""

    name = "time"

    def read(self, text: str) -> float:
        """The seconds."""
        found = _DURATION.fullmatch(text)
        if found is None:
            _refuse(text, "is no duration", "30s, 15m, 250ms or a number of seconds")
        seconds = float(found[1]) * _SECONDS[found[2]]
        if not 0 < seconds < 1e9:
            _refuse(text, "is no usable duration", "more than nothing, such as 30s")
        return seconds


class Rate(Quantity):
    """Requests a second; `none` becomes infinity."""

    name = "n|none"

    def read(self, text: str) -> float:
        """The rate."""
        return math.inf if text.lower() == "none" else _positive(text, "20, 0.5 or none")


class EndpointRate(Quantity):
    """`NAME=N`, as (name, requests a second)."""

    name = "name=n"

    def read(self, text: str) -> tuple[str, float]:
        """The endpoint and its rate."""
        from bulk_import.model import Endpoint
        from bulk_import.wording import nearest

        name, equals, number = (part.strip() for part in text.partition("="))
        if not equals:
            _refuse(text, "is no NAME=N", "create=50")
        names = [endpoint.value for endpoint in Endpoint]
        if name not in names:
            close = nearest(name, names)
            meant = f"did you mean {close}?" if close else f"there are {', '.join(names)}."
            raise ValueError(f"there is no endpoint {name!r}; {meant}")
        return name, _positive(number, f"{name}=50")


class ErrorBudget(Quantity):
    """`N` or `P%`, as (count, None) or (None, share)."""

    name = "n|p%"

    def read(self, text: str) -> tuple[int | None, float | None]:
        """The count or the share."""
        if text.isascii() and text.isdigit():
            return int(text), None
        found = _PERCENT.fullmatch(text)
        if found is None or not 0 <= float(found[1]) <= 100:
            _refuse(text, "is no number of rows and no share", "50 or 10%")
        return None, float(found[1]) / 100


class Size(Quantity):
    """Bytes out of `500`, `64MB` (a thousand thousands) or `64MiB`."""

    name = "size"

    def read(self, text: str) -> int:
        """The bytes."""
        found = _SIZE.fullmatch(text)
        if found is None:
            _refuse(text, "is no size", "500MB, 20GiB or a number of bytes")
        step = 1024 if found[3] else 1000
        size = int(float(found[1]) * step ** (" kmgt".index((found[2] or " ").lower())))
        if size < 1:
            _refuse(text, "is no usable size", "at least one byte")
        return size


class ColumnToField(Quantity):
    """`COLUMN=FIELD`; a column's name may hold an equals sign, a field's never does."""

    name = "column=field"

    def read(self, text: str) -> tuple[str, str]:
        """The column and the field."""
        column, equals, field = text.rpartition("=")
        if not equals or not column.strip() or not field.strip():
            _refuse(text, "is no COLUMN=FIELD", "'E-mail address=email'")
        return column, field.strip()


class FieldToValue(Quantity):
    """`FIELD=VALUE`; a value may hold equals signs."""

    name = "field=value"

    def read(self, text: str) -> tuple[str, str]:
        """The field and the value."""
        field, equals, value = text.partition("=")
        if not equals or not field.strip():
            _refuse(text, "is no FIELD=VALUE", "metadata.source=crm")
        return field.strip(), value


class Mark(Quantity):
    """A delimiter or a quote: characters, or the words `tab` and `space` for those that are hard to type."""

    name = "text"
    _NAMED = {"tab": "\t", r"\t": "\t", "space": " "}  # noqa: RUF012 - never changed

    def read(self, text: str) -> str:
        """The characters."""
        return self._NAMED.get(text.lower(), text)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read text, whose blanks count."""
        return self.read(value) if isinstance(value, str) else value


def _positive(text: str, instead: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < 1e6:
        _refuse(text, "is no rate above 0", instead)
    return number


def _refuse(text: str, why: str, instead: str) -> NoReturn:
    raise ValueError(f"{text!r} {why}; write {instead}.")
