"""What becomes of rows that own their e-mail: made anew, settled without a request, or an update of who is there.

An update is held against the customer as it is now, since what a snapshot or a search showed may be old: only what
differs is sent, and what that replaces is kept for `undo`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import assert_never

from bulk_import.change import Change, difference, metadata_after
from bulk_import.customer.emails import email_key
from bulk_import.customer_parts import DEFAULT_METHOD, METHOD, SHARED, expansions, value_of
from bulk_import.dedupe import Differ, meet, of_several
from bulk_import.existing import UNSEEN, Ask, Matches, Offload, Piece, Together, is_attached, reread
from bulk_import.ledger import Writer
from bulk_import.model import Customer, Existing, Failed, Refusal, Row, Settled
from bulk_import.options import OnExisting

AT_ONCE = 16
"""Customers that are re-read side by side; the gate decides how fast that starts."""


MOST_KEYS = 50
"""Keys of metadata that a customer may have (Stripe facts, section 1)."""


@dataclass(frozen=True, slots=True)
class Aim:
    """A row to be sent: made anew where `target` is None, else `change` is sent to that customer, as read at `seen_at`."""

    row: Row
    target: str | None = None
    change: Change | None = None
    note: str | None = None
    seen_at: float | None = None


class Meeting:
    """Meets rows with the customers that have their e-mails, under one policy; `token` is the ledger's."""

    def __init__(
        self,
        ask: Ask,
        together: Together,
        offload: Offload,
        writer: Writer,
        policy: OnExisting,
        token: str,
        now: Callable[[], float],
    ) -> None:
        self._ask = ask
        self._together = together
        self._offload = offload
        self._writer = writer
        self._policy = policy
        self._token = token
        self._now = now

    async def of(self, owners: Sequence[Row], matches: Matches) -> tuple[list[Aim], list[Settled]]:
        """What is to be sent for these rows, and what is settled without it; both in row order."""
        met: dict[int, Aim | Settled] = {}
        differing: list[Piece] = []
        for row in owners:
            match meet(row, matches.get(row.email_key or "", ()), self._policy, self._token):
                case None:
                    met[row.number] = Aim(row)
                case Existing() | Failed() as outcome:
                    met[row.number] = Settled(row.number, outcome, row)
                case Differ(customers):
                    differing.append(partial(self._compare, row, customers, met))
                case unknown:
                    assert_never(unknown)
        await self._together(differing, AT_ONCE)
        found = [met[number] for number in sorted(met)]
        return [m for m in found if isinstance(m, Aim)], [m for m in found if isinstance(m, Settled)]

    async def _compare(self, row: Row, customers: Sequence[Customer], met: dict[int, Aim | Settled]) -> Sequence[Piece]:
        met[row.number] = await self._aim(row, customers)
        return ()

    async def _aim(self, row: Row, customers: Sequence[Customer]) -> Aim | Settled:
        """Take the oldest customer who is still there and still has the e-mail."""
        for place, customer in enumerate(customers):
            seen_at = self._now()
            now = await reread(self._ask, customer.id, expansions(row.params))
            if now is None or now.email is None or email_key(now.email) != row.email_key:
                await self._offload(self._writer.forget, customer.id)
                continue
            note = of_several(len(customers) - place)
            change = difference(row.params, now.raw, attached=await self._has_method(row, now))
            if change.is_empty:
                said = "nothing differs, so nothing was sent"
                return Settled(row.number, Existing(now.id, f"{said}; {note}" if note else said), row)
            if (keys := metadata_after(change, now.raw)) > MOST_KEYS:
                return Settled(row.number, Failed(_too_many(now.id, keys)), row)
            return Aim(row, now.id, change, note, seen_at)
        return Aim(row)

    async def _has_method(self, row: Row, customer: Customer) -> bool:
        """Whether the row's payment method is the customer's already; a shared test method never is."""
        method = row.params.get(METHOD)
        if method is None or method.startswith(SHARED) or method == value_of(DEFAULT_METHOD, customer.raw):
            return False
        return await is_attached(self._ask, method, customer.id, accept=UNSEEN)


def _too_many(customer: str, keys: int) -> Refusal:
    said = (
        f"{customer} would have {keys} keys of metadata with those of this row, and {MOST_KEYS} are the most; "
        "map fewer columns to metadata, or delete keys of the customer's that nobody needs, then retry"
    )
    return Refusal("invalid_row", "metadata_too_many_keys", "metadata", said)
