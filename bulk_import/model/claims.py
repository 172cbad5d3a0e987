"""A promise that is on disk before anything is sent, and what it is known by at Stripe: its key and its marker."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bulk_import.model.records import Params

MARKER = "bulk_import"
"""The metadata key under which a created customer names its ledger, row and generation."""


SOURCE_ID = "source_id"
"""The metadata key that carries the row's own id in the source system (`--key`)."""


LONGEST_NUMBER = 18
"""Digits of a row's number, which the ledger keeps in 63 bits; anybody may write a marker."""


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
    this generation on our clock and `stripe_time` a moment that Stripe's own clock had surely passed when its person began to be looked for
    (None when no answer had been seen yet). `owned_method` is what stands in the ledger for the payment method that only this row may have.
    `seen_at` is when this process looked whether the person is there, and at what an update replaces; it is not kept in
    the ledger.
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
    owned_method: str | None = None
    seen_at: float | None = None

    @property
    def is_first(self) -> bool:
        """Whether it is surely a run's, made of what the source says: those of a retry are of a later generation."""
        return self.generation == 0

    @property
    def marker(self) -> str | None:
        """The marker this claim stores, None when it was claimed without one."""
        metadata = self.params.get("metadata")
        return metadata.get(MARKER) if isinstance(metadata, dict | Mapping) else None


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


def row_of(marker: str | None, token: str | None = None) -> int | None:
    """The row that a marker names, in any generation; with a ledger's *token*, only if it is that ledger's."""
    parts = (marker or "").split(":")
    if len(parts) != 3 or (token is not None and parts[0] != token) or not parts[1].isdecimal():
        return None
    return int(parts[1]) if len(parts[1]) <= LONGEST_NUMBER else None
