"""Exceptions that end a run; trouble with one row is a value (see `model`), never one of these.

    BulkImportError
    ├── UsageError            2   options, key or source are not usable
    │   ├── SourceError           the source is missing, empty or not readable
    │   └── CustomerInvalid       these fields cannot be a customer's
    ├── StoppedEarly          3   the same command continues once the cause is mended
    │   ├── TooManyErrors
    │   ├── OutOfReach
    │   └── LedgerUnwritable
    ├── CustomerRefused       1   Stripe refuses this one customer
    ├── StripeRefuses         4   key, permission, account, mode or redirect
    ├── LedgerRefuses         5   another source, account or mode; locked, newer, damaged
    └── Interrupted           128 and the signal's number: it came while a person was asked

Each message is one sentence: what happened, where, and what to do next.
"""

from __future__ import annotations

import signal

from bulk_import.model import Refusal


class BulkImportError(Exception):
    """The root: `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(BulkImportError):
    """What was asked for cannot be done as asked."""

    exit_code = 2


class SourceError(UsageError):
    """The source is missing, empty, or not readable by this tool."""


class CustomerInvalid(UsageError):
    """What was given to `find_or_create` cannot be a customer's fields; nothing was sent."""


class CustomerRefused(BulkImportError):
    """Stripe refused the one customer of `find_or_create`; `refusal` has its code, its param and its message."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"Stripe refused this customer ({refusal.message or refusal.code or refusal.http_status})")
        self.refusal = refusal


class StoppedEarly(BulkImportError):
    """The run stopped before its end and the same command continues it."""

    exit_code = 3


class TooManyErrors(StoppedEarly):
    """The error budget is spent, or every first row was refused alike."""


class OutOfReach(StoppedEarly):
    """Stripe could not be reached for longer than the run may wait."""


class LedgerUnwritable(StoppedEarly):
    """The ledger's disk is full or read-only."""


class StripeRefuses(BulkImportError):
    """Stripe refuses us as a whole: key, permission, account, mode, a redirect, impossible answers."""

    exit_code = 4


class LedgerRefuses(BulkImportError):
    """The ledger belongs to something else, is in use, is newer than this tool, or is damaged."""

    exit_code = 5


class Interrupted(BulkImportError):
    """A signal came before a person had answered, so nothing of what was asked about was done."""

    def __init__(self, number: int) -> None:
        name = signal.Signals(number).name
        super().__init__(
            f"stopped by {name} before the question was answered, so nothing was done; give the same command again"
        )
        self.exit_code = 128 + number
