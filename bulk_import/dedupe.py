"""Who owns an e-mail and a payment method, and what becomes of a row whose person is in Stripe already (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, assert_never

from bulk_import.model import (
    Customer,
    Duplicate,
    Existing,
    Failed,
    Invalid,
    Prepared,
    Problem,
    Refusal,
    Row,
    Settled,
)
from bulk_import.options import OnExisting
from bulk_import.wording import terminal_safe

SAME_METHOD = "same-payment-method"
"""The rule that a second row breaks when it has an earlier one's payment method."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """One batch, told apart: rows that own their e-mail, and rows that are settled without Stripe."""

    owners: tuple[Row, ...]
    settled: tuple[Settled, ...]


class Holder(NamedTuple):
    """A row and the physical line on which it starts."""

    row: int
    line: int


def sort_out(batch: Sequence[Prepared], owned: Mapping[str, int], methods: Mapping[str, Holder]) -> Sorted:
    """Let the first row with an e-mail own it, and its payment method, too.

    A later row with that e-mail is its duplicate, any other with that payment method is invalid. *owned* maps e-mail
    keys, *methods* payment methods to the rows that own them already; one that comes again in this batch with another,
    or cannot be sent this time, gives up its old one. A row that cannot be sent never owns anything.
    """
    told = _sort_out(batch, owned, methods)
    unsent = {settled.number for settled in told.settled if isinstance(settled.outcome, Invalid)}
    still_owned = {key: number for key, number in owned.items() if number not in unsent}
    # Whom the others follow shows only once all are told apart.
    return told if len(still_owned) == len(owned) else sort_out(batch, still_owned, methods)


def _sort_out(batch: Sequence[Prepared], owned: Mapping[str, int], methods: Mapping[str, Holder]) -> Sorted:
    coming = {row.number: row for row in batch}
    emails = {key: n for key, n in owned.items() if n not in coming or _email_of(coming[n]) == key}
    taken = {
        id_: place for id_, place in methods.items() if place.row not in coming or _method_of(coming[place.row]) == id_
    }
    owners: list[Row] = []
    settled: list[Settled] = []
    for row in batch:
        other = emails.get(_email_of(row) or "", row.number)
        if other != row.number:
            settled.append(Settled(row.number, Duplicate(other), row))
            continue
        told = _with_own_method(row, taken)
        if isinstance(told, Invalid):
            settled.append(Settled(row.number, told, told))
            continue
        if told.email_key is not None:
            emails[told.email_key] = told.number
        if told.method is not None:
            taken[told.method.id] = Holder(told.number, told.line)
        owners.append(told)
    return Sorted(tuple(owners), tuple(settled))


def same_method(owner: Holder, column: str | None, value: str | None = None) -> Problem:
    """What is wrong with a row whose payment method is *owner*'s."""
    message = (
        f"The same payment method as row {owner.row} (line {owner.line}); it can belong to one customer only and Stripe "
        "would refuse it here, so give each row its own."
    )
    return Problem(SAME_METHOD, message, column, value, "payment_method")


def _with_own_method(row: Prepared, taken: Mapping[str, Holder]) -> Prepared:
    """*row*, or what is invalid about it if its payment method is another row's."""
    method = row.method
    owner = taken.get(method.id) if method is not None else None
    if method is None or owner is None or owner.row == row.number:
        return row
    problem = same_method(owner, method.column, terminal_safe(method.id))
    if isinstance(row, Invalid):
        return replace(row, problems=(*row.problems, problem))
    return Invalid(row.number, row.line, row.source_id, row.email, (problem,), row.fields, method)


def _email_of(row: Prepared) -> str | None:
    return row.email_key if isinstance(row, Row) else None


def _method_of(row: Prepared) -> str | None:
    return row.method.id if isinstance(row, Row) and row.method is not None else None


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
