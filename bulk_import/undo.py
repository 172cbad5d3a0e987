"""Deletes customers that this ledger created and nobody has touched since; says of every other why it is left.

The rules are pure: one retrieve, held against what the ledger knows was sent. `Undoer` asks and deletes, row by row
with nothing in between, so that what is deleted was judged a moment ago. A row goes back to the start only once
`deleted: true` was seen for its customer: a delete whose answer was lost shows it at the next retrieve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, assert_never

from bulk_import.digest import changed_fields, was_marked
from bulk_import.engine import Outdated
from bulk_import.errors import StripeRefuses
from bulk_import.existing import customer_from
from bulk_import.ledger import Pairing
from bulk_import.model import Customer, Endpoint, Reply, Request, row_of
from bulk_import.replies import refusal_of

JUST_NOW = 5.0
"""Seconds for which a look is acted upon; each further look at the same customer, which must have come too late, for twice as long."""


class Act(Protocol):
    """One request of an undo, paced and retried; what acts upon a look raises `Outdated` once that is *good_until* no more.

    *begins* is called before each attempt that really goes out.
    """

    async def __call__(
        self,
        request: Request,
        *,
        accept: tuple[int, ...] = (),
        good_until: float | None = None,
        begins: Callable[[], None] | None = None,
    ) -> Reply:
        """Send *request* until there is an answer."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of all its customers: its token, the secret of its digests, its mode."""

    token: str
    salt: bytes
    livemode: bool


@dataclass(frozen=True, slots=True)
class Gone:
    """Stripe says `deleted: true`; `by_us` is False where it did so before this undo asked for it."""

    by_us: bool


@dataclass(frozen=True, slots=True)
class Untouched:
    """The customer is as it was made and may be deleted."""


@dataclass(frozen=True, slots=True)
class Left:
    """The customer stays: why, in words that go behind `it is left because`."""

    why: str


def judge(pairing: Pairing, customer: Customer, known: Known) -> Gone | Untouched | Left:
    """Judge one customer as a retrieve with `expand[]=subscriptions` shows it."""
    if customer.deleted:
        return Gone(by_us=False)
    if not was_marked(pairing.digest):
        return Left("it was made without a marker, so nothing proves that it is this ledger's")
    if customer.marker is None:
        return Left("its marker is gone")
    if row_of(customer.marker, known.token) != pairing.row:
        return Left("it carries the marker of another row")
    touched = (*changed_fields(customer.raw, pairing.digest, known.salt), *_activity(customer.raw))
    return Left(f"somebody has touched it: {', '.join(touched)}") if touched else Untouched()


def _activity(shown: Mapping[str, Any]) -> tuple[str, ...]:
    """Signs that the customer was charged, invoiced or subscribed."""
    subscriptions = shown.get("subscriptions")
    held = subscriptions.get("data") if isinstance(subscriptions, Mapping) else None
    signs = {
        "currency": shown.get("currency") is not None,
        "delinquent": bool(shown.get("delinquent")),
        # A server that shows no such list, though it was asked for, still tells: whoever was ever subscribed has a currency.
        "subscriptions": subscriptions is not None and held != [],
    }
    return tuple(name for name, is_there in signs.items() if is_there)


class Undoer:
    """Judges and deletes one customer at a time through *ask*, which paces and retries; *now* is the clock of `Act`.

    `begun` holds the rows whose customers it may have deleted: their delete went out, whether or not an answer came.
    """

    def __init__(self, ask: Act, known: Known, now: Callable[[], float]) -> None:
        self._ask = ask
        self._known = known
        self._now = now
        self.begun: set[int] = set()

    async def undo(self, pairing: Pairing) -> Gone | Left:
        """Delete the row's customer if it is untouched; where that has to wait, for an outage say, it is judged anew.

        Raises `StripeRefuses` where Stripe knows no such customer, or shows one of the other mode: then this is
        another account than the ledger's.
        """
        patience = JUST_NOW
        while True:
            verdict, seen_at = await self._look(pairing)
            match verdict:
                case Untouched():
                    with suppress(Outdated):
                        return await self._delete(pairing, seen_at + patience)
                    patience *= 2
                case Gone():
                    return Gone(by_us=pairing.row in self.begun)
                case Left():
                    return verdict
                case _:
                    assert_never(verdict)

    async def look(self, pairing: Pairing) -> Gone | Untouched | Left:
        """Judge the row's customer as Stripe shows it now; raises what `undo` raises."""
        return (await self._look(pairing))[0]

    async def _look(self, pairing: Pairing) -> tuple[Gone | Untouched | Left, float]:
        """The verdict, and when Stripe was asked for what it rests on."""
        path = f"/v1/customers/{pairing.customer_id}"
        request = Request(Endpoint.RETRIEVE, "GET", path, {"expand": ["subscriptions"]})
        reply = await self._ask(request)
        customer = customer_from(reply.body) if reply.status == 200 else None
        if customer is None or customer.id != pairing.customer_id:
            raise wrong_account(pairing.row, pairing.customer_id or "", reply)
        if not customer.deleted and customer.livemode is not self._known.livemode:
            raise StripeRefuses(
                f"Stripe shows {customer.id} of row {pairing.row} in another mode than the ledger's; check the API key"
            )
        return judge(pairing, customer, self._known), self._now() - reply.seconds

    async def _delete(self, pairing: Pairing, good_until: float) -> Gone | Left:
        request = Request(Endpoint.DELETE, "DELETE", f"/v1/customers/{pairing.customer_id}")
        reply = await self._ask(request, good_until=good_until, begins=partial(self.begun.add, pairing.row))
        if reply.status == 200 and reply.body.get("deleted") is True and reply.body.get("id") == pairing.customer_id:
            return Gone(by_us=True)
        # A delete that came again after its answer was lost is answered 404: only a retrieve tells what happened.
        if isinstance(await self.look(pairing), Gone):
            return Gone(by_us=True)
        return Left(f"Stripe would not delete it: {refusal_of(reply).message}")


def wrong_account(row: int, customer_id: str, reply: Reply) -> StripeRefuses:
    """What to raise where Stripe does not know a customer that the ledger does."""
    said = refusal_of(reply).message or f"status {reply.status}"
    return StripeRefuses(
        f"Stripe knows no customer {customer_id} of row {row} ({said}), so this is another account or "
        "mode than the ledger's; give a key of that account and run the same command again"
    )
