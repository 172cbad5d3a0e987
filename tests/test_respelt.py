"""What a spreadsheet makes of cells that nobody changed, and what a person does to them."""

from __future__ import annotations

import pytest

from bulk_import.respelt import is_respelt


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("02108", "2108"),
        ("000", "0"),
        ("0123456789", "123456789"),
        ("+4930901820", "4930901820"),
        ("1.50", "1,5"),
        ("1.50", "1,50"),
        ("1,50", "1.5"),
        ("-1.50", "-1,5"),
        ("10.00", "10"),
        ("123456789012345678", "1.23457E+17"),
        ("123456789012345678", "1,23457E+17"),
        ("0123456789012", "1.23457E+11"),
        ("4912345678901234567", "4912345678901230000"),
        ("2001-12-03", "03.12.2001"),
        ("2001-12-03", "12/3/2001"),
        ("2001-12-03", "03.12.01"),
        ("2001-12-03", "2001-12-03 00:00:00"),
        ("2021-03-04 09:15:00", "04.03.2021 09:15"),
        ("03/04/2021", "03.04.2021"),
        ("1.5%", "0.015"),
        ("1.5%", "1.50%"),
        ("1.5 %", "1,50%"),
        ("-3.5%", "-0.035000000000000003"),
        ("100%", "1"),
        ("true", "TRUE"),
        ("false", "FALSCH"),
    ],
)
def test_a_cell_that_was_only_opened_and_saved_is_told(before: str, now: str) -> None:
    assert is_respelt(before, now)
    assert is_respelt(f" {before}", f"{now} ")


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("2108", "02108"),
        ("02108", "02109"),
        ("02108", "0218"),
        ("02108", ""),
        ("", "0"),
        ("02108", "02108"),
        ("4930", "+4930"),
        ("1.5", "1.50"),
        ("1000", "1.000"),
        ("5", "-5"),
        ("123456789012345678", "1.23458E+17"),
        ("4912345678901234567", "4912345678901240000"),
        ("2001-12-03", "04.12.2001"),
        ("03/04/2021", "04/03/2021"),
        ("2021-03-04 09:15:00", "04.03.2021 10:15"),
        ("2021-03-04 09:15:00", "04.03.2021"),
        ("01.02.03", "2003-02-01"),
        ("1.5%", "1.5"),
        ("1.5%", "0.15"),
        ("1.5%", "1.6%"),
        ("0.015", "1.5%"),
        ("true", "false"),
        ("yes", "TRUE"),
        ("MAR1", "01. Mrz"),
        ("Ann", "ANN"),
        ("1" * 70, "1.11111E+69"),
    ],
)
def test_what_somebody_wrote_is_no_respelling(before: str, now: str) -> None:
    assert not is_respelt(before, now)


HALF_DATES = [
    ("1/2", "2026-02-01"),
    ("1/2", "2026-01-02 00:00:00"),
    ("1.2", "2025-02-01"),
    ("3-4", "03. Apr"),
    ("3/4", "4-Mar"),
    ("1.3.", "01. Mrz"),
    ("5/6", "5-juin"),
    ("2/12", "12-févr."),
    ("1/45", "1945-01-01"),
    ("1/45", "Jan-45"),
    ("3-2024", "2024-03-01"),
    ("3-2024", "Mrz 24"),
]


@pytest.mark.parametrize(("before", "now"), HALF_DATES)
def test_half_a_date_that_was_made_a_whole_one_is_told(before: str, now: str) -> None:
    assert is_respelt(before, now, 2026)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("1/2", "1990-02-01"),
        ("1/2", "2026-02-03"),
        ("1/2", "2026-02-01 10:30:00"),
        ("1/2", "03. Feb"),
        ("1/2", "1-Foo"),
        ("1/45", "1945-02-01"),
        ("12", "2026-02-01"),
        ("1/2/3", "2026-02-01"),
        ("a/2", "2026-02-01"),
    ],
)
def test_a_date_that_somebody_wrote_is_none_that_was_made_of_half_a_one(before: str, now: str) -> None:
    assert not is_respelt(before, now, 2026)
