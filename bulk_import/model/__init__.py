"""The nouns of an import: what flows through the pipe, as frozen values without any I/O.

A file is read into `Record`s, a record is prepared into a `Row` or an `Invalid`, a row that is to be
sent becomes a `Claim`, Stripe's answer to it is a `Reply`, and every input row ends in one `Outcome`.
Times are seconds since the epoch (floats) unless a name says otherwise.
"""

from bulk_import.model.claims import MARKER, SOURCE_ID, Claim, Doubt, idempotency_key, marker_of, row_of
from bulk_import.model.exchange import Customer, Endpoint, Reply, Request, Slice
from bulk_import.model.outcomes import (
    Created,
    Duplicate,
    Existing,
    Failed,
    InDoubt,
    Outcome,
    Refusal,
    Released,
    Settled,
    Status,
    Updated,
)
from bulk_import.model.records import Block, Invalid, Method, Params, Prepared, Problem, Record, Row, Written

__all__ = [
    "MARKER",
    "SOURCE_ID",
    "Block",
    "Claim",
    "Created",
    "Customer",
    "Doubt",
    "Duplicate",
    "Endpoint",
    "Existing",
    "Failed",
    "InDoubt",
    "Invalid",
    "Method",
    "Outcome",
    "Params",
    "Prepared",
    "Problem",
    "Record",
    "Refusal",
    "Released",
    "Reply",
    "Request",
    "Row",
    "Settled",
    "Slice",
    "Status",
    "Updated",
    "Written",
    "idempotency_key",
    "marker_of",
    "row_of",
]
