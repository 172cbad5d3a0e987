from __future__ import annotations

import math
from typing import Any

import click
import pytest

from bulk_import.cli.quantities import (
    ColumnToField,
    Duration,
    EndpointRate,
    ErrorBudget,
    FieldToValue,
    Mark,
    Quantity,
    Rate,
    Size,
)
from bulk_import.cli.retry import Statuses
from bulk_import.cli.simulate import Delay

GOOD: list[tuple[Quantity, str, Any]] = [
    (Duration(), "30s", 30.0),
    (Duration(), "15m", 900.0),
    (Duration(), "250ms", 0.25),
    (Duration(), "2h", 7200.0),
    (Duration(), "1.5", 1.5),
    (Duration(), " 30 s ", 30.0),
    (Delay(), "0", 0.0),
    (Rate(), "20", 20.0),
    (Rate(), "0.5", 0.5),
    (Rate(), "none", math.inf),
    (EndpointRate(), "create=50", ("create", 50.0)),
    (EndpointRate(), "search = 2.5", ("search", 2.5)),
    (ErrorBudget(), "0", (0, None)),
    (ErrorBudget(), "50", (50, None)),
    (ErrorBudget(), "10%", (None, 0.1)),
    (ErrorBudget(), "2.5 %", (None, 0.025)),
    (Size(), "500", 500),
    (Size(), "1.5kB", 1500),
    (Size(), "2MiB", 2 * 1024 * 1024),
    (Size(), "20g", 20_000_000_000),
    (ColumnToField(), "E-mail=email", ("E-mail", "email")),
    (ColumnToField(), "a=b=metadata.c", ("a=b", "metadata.c")),
    (FieldToValue(), "metadata.q=a=b", ("metadata.q", "a=b")),
    (FieldToValue(), "metadata.q=", ("metadata.q", "")),
    (Mark(), "tab", "\t"),
    (Mark(), r"\t", "\t"),
    (Mark(), ";", ";"),
    (Mark(), ", ", ", "),
    (Statuses(), "in-doubt, failed,failed", ("failed", "in_doubt")),
]

BAD: list[tuple[Quantity, str, str]] = [
    (Duration(), "soon", "30s, 15m"),
    (Duration(), "0", "more than nothing"),
    (Duration(), "-1s", "no duration"),
    (Duration(), "30 weeks", "no duration"),
    (Rate(), "0", "above 0"),
    (Rate(), "nan", "above 0"),
    (Rate(), "inf", "above 0"),
    (Rate(), "fast", "above 0"),
    (EndpointRate(), "create", "NAME=N"),
    (EndpointRate(), "creat=5", "did you mean create?"),
    (EndpointRate(), "zzz=5", "there are create, list"),
    (EndpointRate(), "create=none", "above 0"),
    (ErrorBudget(), "101%", "no share"),
    (ErrorBudget(), "-1", "no share"),
    (ErrorBudget(), "1.5", "50 or 10%"),
    (Size(), "0", "at least one byte"),
    (Size(), "big", "no size"),
    (ColumnToField(), "email", "COLUMN=FIELD"),
    (ColumnToField(), "=email", "COLUMN=FIELD"),
    (ColumnToField(), "E-mail=", "COLUMN=FIELD"),
    (FieldToValue(), "=x", "FIELD=VALUE"),
    (Statuses(), "created", "choose from invalid, failed, in_doubt"),
]


@pytest.mark.parametrize(("kind", "text", "value"), GOOD)
def test_text_becomes_a_value(kind: Quantity, text: str, value: Any) -> None:
    assert kind.convert(text, None, None) == value


@pytest.mark.parametrize(("kind", "text", "advice"), BAD)
def test_what_is_no_value_is_refused_with_what_to_write(kind: Quantity, text: str, advice: str) -> None:
    with pytest.raises(click.BadParameter, match=advice.replace("?", r"\?")):
        kind.convert(text, None, None)


def test_a_value_that_was_read_already_stays_as_it_is() -> None:
    assert Duration().convert(2.0, None, None) == 2.0
