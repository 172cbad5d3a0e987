"""The exit code: the first that applies of signal, 5, 4, 3, 6, 1, 0."""

from __future__ import annotations

from itertools import product

import pytest

from bulk_import.errors import LedgerRefuses, OutOfReach, StripeRefuses, TooManyErrors, UsageError
from bulk_import.report.summary import exit_code

NOTHING = {"signal": None, "error_code": None, "in_doubt": 0, "failed": 0, "invalid": 0, "orphans": 0, "pending": 0}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({}, 0),
        ({"failed": 1}, 1),
        ({"invalid": 1}, 1),
        ({"orphans": 1}, 1),
        ({"in_doubt": 1}, 6),
        ({"in_doubt": 1, "failed": 9, "invalid": 9}, 6),
        ({"pending": 1}, 3),
        ({"pending": 1, "in_doubt": 1, "failed": 1}, 3),
        ({"error_code": TooManyErrors.exit_code, "pending": 5, "in_doubt": 1, "failed": 30}, 3),
        ({"error_code": OutOfReach.exit_code, "in_doubt": 1}, 3),
        ({"error_code": StripeRefuses.exit_code, "pending": 5, "in_doubt": 1}, 4),
        ({"error_code": LedgerRefuses.exit_code, "pending": 5, "in_doubt": 1}, 5),
        ({"error_code": UsageError.exit_code, "pending": 5}, 2),
        ({"signal": 2}, 130),
        ({"signal": 15, "error_code": 5, "pending": 5, "in_doubt": 1, "failed": 1}, 143),
        ({"signal": 1, "error_code": 4}, 129),
    ],
)
def test_the_first_that_applies_is_the_exit_code(said: dict[str, int], code: int) -> None:
    assert exit_code(**{**NOTHING, **said}) == code  # type: ignore[arg-type]  # the names of its own parameters


def test_zero_means_that_nothing_at_all_is_left() -> None:
    for in_doubt, failed, invalid, orphans, pending in product((0, 1), repeat=5):
        code = exit_code(
            signal=None,
            error_code=None,
            in_doubt=in_doubt,
            failed=failed,
            invalid=invalid,
            orphans=orphans,
            pending=pending,
        )
        assert (code == 0) is not any((in_doubt, failed, invalid, orphans, pending))
