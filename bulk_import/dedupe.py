"""Who owns an e-mail, and what becomes of a row whose person is in Stripe already (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from bulk_import.model import Customer, Duplicate, Existing, Failed, Invalid, Prepared, Refusal, Row, Settled
from bulk_import.options import OnExisting


@dataclass(frozen=True, slots=True)
class Sorted:
    """One batch, told apart: rows that own their e-mail, and rows that are settled without Stripe."""

    owners: tuple[Row, ...]
    settled: tuple[Settled, ...]


def sort_out(batch: Sequence[Prepared], owned: Mapping[str, int]) -> Sorted:
    """Let the first row with an e-mail own it; every later one is its duplicate.

    *owned* maps e-mail keys to the rows that own them already; one that comes again in this batch with another
    e-mail gives up its old one. An invalid row never owns anything.
    """
    coming = {row.number: row.email_key if isinstance(row, Row) else None for row in batch}
    owned = {key: number for key, number in owned.items() if coming.get(number, key) == key}
    owners: list[Row] = []
    settled: list[Settled] = []
    here: dict[str, int] = {}
    for row in batch:
        if isinstance(row, Invalid):
            settled.append(Settled(row.number, row, row))
            continue
        owner = _owner_of(row, owned, here)
        if owner is not None:
            settled.append(Settled(row.number, Duplicate(owner), row))
            continue
        if row.email_key is not None:
            here[row.email_key] = row.number
        owners.append(row)
    return Sorted(tuple(owners), tuple(settled))


def _owner_of(row: Row, owned: Mapping[str, int], here: Mapping[str, int]) -> int | None:
    if row.email_key is None:
        return None
    owner = owned.get(row.email_key, here.get(row.email_key))
    return None if owner == row.number else owner


@dataclass(frozen=True, slots=True)
class Differ:
    """The row's person is in Stripe already, and what differs is to be sent: to the first who is still there."""

    customers: tuple[Customer, ...]


def meet(row: Row, matches: Sequence[Customer], policy: OnExisting, token: str) -> Existing | Failed | Differ | None:
    """Say what becomes of *row* given the customers with its e-mail, oldest first; None: create it.

    A customer that carries this ledger's own marker for this row is ours, whatever the policy.
    """
    if not matches:
        return None
    ours = [customer for customer in matches if (customer.marker or "").startswith(f"{token}:{row.number}:")]
    if ours:
        return Existing(ours[0].id, "it carries this ledger's marker for this row")
    oldest = matches[0]
    match policy:
        case "skip":
            return Existing(oldest.id, of_several(len(matches)))
        case "update":
            return Differ(tuple(matches))
        case "refuse":
            message = f"{oldest.id} has this e-mail already, and --on-existing refuse was given"
            return Failed(Refusal("existing_customer", "already_exists", "email", message))
        case "create":
            return None
        case _:
            assert_never(policy)


def of_several(count: int) -> str | None:
    """What a person should know of a match that was one of *count*."""
    return f"{count} customers have this e-mail, the oldest was taken" if count > 1 else None
