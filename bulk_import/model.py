"""The nouns of an import: what flows through the pipe, as frozen values without any I/O.

A file is read into `Record`s, a record is prepared into a `Row` or an `Invalid`, a row that is to be
sent becomes a `Claim`, Stripe's answer to it is a `Reply`, and every input row ends in one `Outcome`.
Times are seconds since the epoch (floats) unless a name says otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MARKER = "bulk_import"
"""The metadata key under which a created customer names its ledger, row and generation."""

SOURCE_ID = "source_id"
"""The metadata key that carries the row's own id in the source system (`--key`)."""

Params = Mapping[str, Any]
"""The body of a POST, nested: text, whole numbers, booleans, mappings and lists of these."""


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
class Record:
    """One record of the source as it was read, before any mapping.

    `number` counts records from 1 (blank lines take none, damaged ones do), `line` is the physical
    line on which it starts. `fields` maps source columns to text (CSV) or JSON values (JSONL).
    A record with a `problem` could not be read; the sentence says why.
    """

    number: int
    line: int
    fields: Mapping[str, Any]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Sound records that follow each other, each on one physical line, kept as cells so that they can be judged by column.

    `number` and `line` are the first record's; every one of `rows` has a cell for each of `columns`.
    """

    number: int
    line: int
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]

    def record(self, index: int) -> Record:
        """The record at one index of the block."""
        fields = dict(zip(self.columns, self.rows[index], strict=True))
        return Record(self.number + index, self.line + index, fields)

    def records(self) -> Iterator[Record]:
        """Every record in order."""
        return map(self.record, range(len(self.rows)))


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one row: which rule, where, and in one sentence what to do about it."""

    rule: str
    message: str
    column: str | None = None
    value: str | None = None
    param: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A record that can be sent: its parameters are clean and complete except for the marker.

    `email_key` is what e-mails are compared by; it is None only for a row without an e-mail.
    """

    number: int
    line: int
    source_id: str | None
    email: str | None
    email_key: str | None
    params: Params
    fields: Mapping[str, Any]
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Invalid:
    """A record that must not be sent, with every problem it has."""

    number: int
    line: int
    source_id: str | None
    email: str | None
    problems: tuple[Problem, ...]
    fields: Mapping[str, Any]


Prepared = Row | Invalid


class Doubt(StrEnum):
    """What the last attempt of a row in doubt says about absence, should a list show no customer of it."""

    OPEN = "open"
    REPLAYED = "replayed"
    REPEATED_5XX = "repeated_5xx"


@dataclass(frozen=True, slots=True)
class Claim:
    """A promise, on disk before anything is sent, to carry out one operation for one row.

    `target` is None for a create and the customer's id for an update; `params` are then what differs, and `before` is
    what they replace, part by part (see `bulk_import.change`). `attached` is the id that attaching the payment method
    is known to have given it, and `note` what a person should know of the match. `claimed_at` is the first claim of
    this generation on our clock and `stripe_time` Stripe's own clock at that moment (None when no answer had been seen
    yet).
    """

    row: int
    line: int
    source_id: str | None
    generation: int
    params: Params
    email: str | None
    email_key: str | None
    claimed_at: float
    stripe_time: float | None = None
    key_fingerprint: str | None = None
    target: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    doubt: Doubt | None = None
    attempted_at: float | None = None
    before: Mapping[str, Any] = field(default_factory=dict, repr=False)
    attached: str | None = None
    note: str | None = None

    @property
    def marker(self) -> str | None:
        """The marker this claim stores, None when it was claimed without one."""
        metadata = self.params.get("metadata")
        return metadata.get(MARKER) if isinstance(metadata, Mapping) else None


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


@dataclass(frozen=True, slots=True)
class Settled:
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


class Endpoint(StrEnum):
    """Stripe's named operations that we use; each has a rate limit of its own (Stripe facts, section 2)."""

    CREATE = "create"
    LIST = "list"
    SEARCH = "search"
    UPDATE = "update"
    RETRIEVE = "retrieve"
    DELETE = "delete"
    ATTACH = "attach"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as we mean it: `path` starts with `/v1/`, `params` is the body of a POST or the query of a GET."""

    endpoint: Endpoint
    method: str
    path: str
    params: Params = field(default_factory=dict)
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Whatever came back for one attempt, success or not; never an exception.

    `status` is None when no complete answer arrived and `fault` then names what broke
    (`timeout`, `connect`, `reset`, `truncated`, `oversized`, `tls`, `protocol`). With an answer, `fault` is `not-json`
    when its body could not be read as JSON. `seconds` is how long the attempt took.
    """

    status: int | None
    body: Any = None
    fault: str | None = None
    detail: str | None = None
    request_id: str | None = None
    limited_reason: str | None = None
    retry_after: float | None = None
    should_retry: bool | None = None
    replayed: bool = False
    stripe_time: float | None = None
    location: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer as a list or a retrieve shows it, reduced to what the importer asks about."""

    id: str
    email: str | None
    created: int
    livemode: bool
    marker: str | None = None
    deleted: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Slice:
    """A range of `created`, in whole seconds, still to be listed: from `low` (included) to `high` (not); None is open.

    `cursor` is the last customer that was read of it and `oldest` when that one was created.
    """

    id: int
    low: int | None = None
    high: int | None = None
    cursor: str | None = None
    oldest: int | None = None


def idempotency_key(token: str, row: int, generation: int, step: int = 0) -> str:
    """The key of one POST, derivable from the ledger alone.

    *token* is random for each ledger: a key made from content would replay a customer that an
    earlier run created and deleted (Stripe facts, section 3).
    """
    text = f"{token}:{row}:{generation}:{step}"
    return "bi_" + hashlib.sha256(text.encode()).hexdigest()


def marker_of(token: str, row: int, generation: int) -> str:
    """What `metadata[bulk_import]` carries for one row of one ledger."""
    return f"{token}:{row}:{generation}"
