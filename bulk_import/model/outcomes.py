"""What becomes of a row, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from bulk_import.model.claims import Doubt
from bulk_import.model.records import Invalid, Prepared


class Status(StrEnum):
    """Where a row stands, in the words of `export`; `CLAIMED` is the ledger's own and shows as in doubt."""

    PENDING = "pending"
    CLAIMED = "claimed"
    IN_DOUBT = "in_doubt"
    CREATED = "created"
    EXISTING = "existing"
    UPDATED = "updated"
    DUPLICATE = "duplicate"
    INVALID = "invalid"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a row has no customer, as `export` tells it."""

    type: str | None = None
    code: str | None = None
    param: str | None = None
    message: str | None = None
    http_status: int | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """Stripe made the customer for this row."""

    customer_id: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Updated:
    """A customer who was there already now carries the row's fields; `note` says what a person should know of the match."""

    customer_id: str
    request_id: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Existing:
    """The row's person was in Stripe already; `note` says what a person should know of the match."""

    customer_id: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An earlier row owns this row's e-mail; whatever becomes of the owner becomes of this row."""

    owner: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Stripe, or a policy of ours, refused the row for good."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Stripe may have acted.

    With `doubt` replayed the last answer was a stored one, with repeated_5xx the same 5xx came again on a
    request begun a whole deadline after the first had ended; either helps to prove absence later.
    """

    refusal: Refusal
    doubt: Doubt = Doubt.OPEN


Outcome = Created | Updated | Existing | Duplicate | Failed | InDoubt | Invalid


@dataclass(frozen=True, slots=True)
class Released:
    """The claim was surely not carried out; the row may be prepared afresh, under `generation`."""

    generation: int


class Settled(NamedTuple):
    """One row and what became of it, on its way to the ledger.

    `row` is there for a row that no claim has entered yet. `attempts` are those of this process,
    `attempted_at` when the last one began. `attached` is the id that attaching its payment method gave it.
    """

    number: int
    outcome: Outcome | Released
    row: Prepared | None = None
    attempts: int = 0
    attempted_at: float | None = None
    attached: str | None = None
