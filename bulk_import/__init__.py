"""Imports a whole user base into Stripe: once each, at the rate you allow, with a ledger that proves it.

The pipe, in the order in which a row passes through it:

    reading     bytes -> records: encoding, dialect, damaged rows
    mapping     columns -> parameters of a customer
    prepare     a record -> a row that can be sent, or everything that is wrong with it
    survey      all of that once over the whole source, before anything is sent
    dedupe      the first row with an e-mail owns it
    existing    who is in Stripe already
    ledger      claims before sending, outcomes after; the only SQL
    engine      feeder, workers and scribe; the only concurrency
    pace        the gate that every request passes
    stripe_api  requests in, replies out; the only way to Stripe
    settle      what a reply means for its row
    reconcile   what became of rows in doubt
    report      the summary and the exports
    simulator   a Stripe of our own, for rehearsals and tests
    cli         the command line; the only place that prints

From Python: `import_customers(source, ...)` runs an import like the command line, `read_records(path, ...)` reads
a file as the importer reads it, and `find_or_create(client, email, ...)` is for a sign-up: one person, without a ledger. Names are loaded when they are first used, so that importing this package is cheap.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as `typing` has it, whose import would take longer than all the rest
if TYPE_CHECKING:
    from typing import Any

    from bulk_import.errors import (
        BulkImportError,
        CustomerInvalid,
        CustomerRefused,
        LedgerRefuses,
        LedgerUnwritable,
        OutOfReach,
        SourceError,
        StoppedEarly,
        StripeRefuses,
        TooManyErrors,
        UsageError,
    )
    from bulk_import.face import import_customers
    from bulk_import.model import Record
    from bulk_import.reading import read_records
    from bulk_import.report.summary import Summary
    from bulk_import.signup import Client, FoundOrCreated, find_or_create

__version__ = "0.1.0"

__all__ = [
    "BulkImportError",
    "Client",
    "CustomerInvalid",
    "CustomerRefused",
    "FoundOrCreated",
    "LedgerRefuses",
    "LedgerUnwritable",
    "OutOfReach",
    "Record",
    "SourceError",
    "StoppedEarly",
    "StripeRefuses",
    "Summary",
    "TooManyErrors",
    "UsageError",
    "__version__",
    "find_or_create",
    "import_customers",
    "read_records",
]

_HOMES = {
    "Client": "bulk_import.signup",
    "FoundOrCreated": "bulk_import.signup",
    "find_or_create": "bulk_import.signup",
    "import_customers": "bulk_import.face",
    "read_records": "bulk_import.reading",
    "Record": "bulk_import.model",
    "Summary": "bulk_import.report.summary",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "bulk_import.errors")), name)
