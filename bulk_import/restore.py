"""Puts customers back to what they were before this ledger updated them; says of every other why it is left.

The rules are pure: one retrieve, held part by part against what was there before and what was written. A part that
shows neither was changed by somebody since, and then the customer is left as it is. Whether it worked is never
taken from an answer but from the next retrieve, so an undo that died half-way goes on where it was.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from bulk_import.customer_parts import (
    DEFAULT_METHOD,
    METHOD,
    SOURCE_PART,
    TAX_IDS,
    expansions,
    form_of,
    is_clearable,
    nested,
    tax_ids_of,
    value_of,
)
from bulk_import.engine import Outdated
from bulk_import.existing import customer_from, is_attached
from bulk_import.image import Image, digest
from bulk_import.model import Customer, Endpoint, Params, Request
from bulk_import.replies import is_refusal, refusal_of
from bulk_import.undo import JUST_NOW, Act, Gone, Known, Left, wrong_account

ROUNDS = 6
"""Looks at one customer; between them, what still differs is sent once more."""

UNCLEAR = (500, 502, 503, 504)
"""Answers that say nothing of what happened: the next look does."""

PAUSE = 1.0
"""Seconds before looking again after such an answer."""


@dataclass(frozen=True, slots=True)
class Restored:
    """The customer is as it was before; `by_us` is False where it was so before this undo did anything."""

    by_us: bool


@dataclass(frozen=True, slots=True)
class Todo:
    """What is to be sent: parts to set, parts to unset one by one, tax ids to delete, a payment method to detach."""

    parts: Mapping[str, Any]
    unset: tuple[str, ...] = ()
    tax_ids: tuple[str, ...] = ()
    detach: str | None = None


@dataclass(frozen=True, slots=True)
class Halfway:
    """Something of the customer is as it was before, and the rest is not."""


@dataclass(frozen=True, slots=True)
class Written:
    """Nothing of the customer is as it was before the update."""


def judge(image: Image, shown: Mapping[str, Any], salt: bytes, *, attached: bool) -> Restored | Todo | Left:
    """Judge one customer as a retrieve shows it; *attached* says that the method we attached is still the customer's."""
    names = [name for name in image.before if name not in (METHOD, TAX_IDS)]
    other = [name for name in names if not _is_before(image, name, shown)]
    touched = [name for name in other if not image.wrote(name, value_of(name, shown), salt)]
    if touched:
        return Left(f"somebody has changed it since: {', '.join(touched)}")
    detach = image.method if attached else None
    if detach is not None and (use := use_of(detach, image, shown)):
        return Left(f"{detach}, which its update attached, {use}")
    parts: dict[str, Any] = {}
    unset: list[str] = []
    for name in other:
        before = image.before[name]
        if before is not None:
            parts[name] = before
        elif is_clearable(name):
            parts[name] = ""
        elif name != DEFAULT_METHOD or detach is None:  # a default that is detached is none any more
            unset.append(name)
    todo = Todo(parts, tuple(unset), _added(image, shown, salt), detach)
    return Restored(by_us=False) if todo == Todo({}) and not other else todo


def use_of(method: str, image: Image, shown: Mapping[str, Any]) -> str:
    """What speaks against detaching a method that we attached, in words behind its id; empty where nothing does.

    A subscription without a method of its own charges the customer's default: once a former one is back, that one.
    """
    held = shown.get("subscriptions")
    found = held.get("data") if isinstance(held, Mapping) else None
    if not isinstance(found, list) or (isinstance(held, Mapping) and held.get("has_more")):
        return "may be what a subscription charges: not all of its subscriptions are shown"
    former = image.before.get(DEFAULT_METHOD) is not None or shown.get(SOURCE_PART) is not None
    for one in found:
        charged = _id_of(one.get("default_payment_method")) if isinstance(one, Mapping) else method
        if charged == method or (charged is None and not former and one.get(SOURCE_PART) is None):
            return f"is what subscription {_id_of(one) or '?'} charges"
    if DEFAULT_METHOD not in image.before and value_of(DEFAULT_METHOD, shown) == method:
        return "was made the default by somebody since"
    return ""


def _id_of(shown: Any) -> Any:
    """The id of an object that may be shown whole or by its id alone."""
    return shown.get("id") if isinstance(shown, Mapping) else shown


def is_in_part_back(image: Image, shown: Mapping[str, Any], salt: bytes, *, attached: bool) -> bool:
    """Whether anything that the update wrote has made way for what was there before."""
    names = [name for name in image.before if name not in (METHOD, TAX_IDS)]
    written = [name for name in names if digest(image.before[name], salt) != image.after.get(name)]
    return (
        any(_is_before(image, name, shown) for name in written)
        or (image.method is not None and not attached)
        or len(_added(image, shown, salt)) < len(image.after.get(TAX_IDS) or ())
    )


def _is_before(image: Image, name: str, shown: Mapping[str, Any]) -> bool:
    return form_of(value_of(name, shown)) == form_of(image.before[name])


def _added(image: Image, shown: Mapping[str, Any], salt: bytes) -> tuple[str, ...]:
    ours = image.after.get(TAX_IDS) or ()
    return tuple(found for key, found in tax_ids_of(shown).items() if digest(key, salt) in ours)


class _Shown(NamedTuple):
    """A customer, whether the method that we attached is still theirs, and when Stripe was asked for it."""

    raw: Mapping[str, Any]
    attached: bool
    at: float


class _Unclear(Exception):
    """An answer said nothing of what happened, so nothing may follow it but a look. Never leaves this module."""


class Restorer:
    """Judges one customer at a time and sends what puts it back, through *ask*, which paces and retries.

    *now* is the clock of `Act`.
    """

    def __init__(
        self, ask: Act, nap: Callable[[float], Awaitable[None]], known: Known, now: Callable[[], float]
    ) -> None:
        self._ask = ask
        self._nap = nap
        self._known = known
        self._now = now
        self.begun: set[int] = set()
        """Rows whose customers it may have changed: something went out, whether or not an answer came."""

    async def look(self, image: Image) -> Restored | Halfway | Written | Gone:
        """Say how far the customer is back to what it was; raises what `restore` raises."""
        shown = await self._shown(image)
        if isinstance(shown, Gone):
            return shown
        raw, salt = shown.raw, self._known.salt
        if isinstance(judge(image, raw, salt, attached=shown.attached), Restored):
            return Restored(by_us=False)
        return Halfway() if is_in_part_back(image, raw, salt, attached=shown.attached) else Written()

    async def restore(self, image: Image) -> Restored | Gone | Left:
        """Put one customer back if it still shows what we wrote; what has to wait, for an outage say, follows another look.

        Raises `StripeRefuses` where Stripe knows no such customer, or shows one of the other mode.
        """
        why, patience = "", JUST_NOW
        for look in range(ROUNDS):
            shown = await self._shown(image)
            if isinstance(shown, Gone):
                return shown
            verdict = judge(image, shown.raw, self._known.salt, attached=shown.attached)
            match verdict:
                case Restored():
                    return Restored(by_us=look > 0)
                case Left():
                    return verdict
            if why:
                return Left(why)
            send = partial(self._ask, good_until=shown.at + patience, begins=partial(self.begun.add, image.row))
            try:
                why = await _act(image, verdict, send)
            except _Unclear:
                await self._nap(PAUSE)
            except Outdated:
                patience *= 2
        return Left("Stripe goes on showing what was written; run the same command again later")

    async def _shown(self, image: Image) -> _Shown | Gone:
        """The customer, and whether the method that we attached is still theirs."""
        used = ["subscriptions"] if image.method is not None else []
        names = [*expansions(list(image.before)), *used]
        params: Params = {"expand": names} if names else {}
        reply = await self._ask(Request(Endpoint.RETRIEVE, "GET", f"/v1/customers/{image.target}", params))
        at = self._now() - reply.seconds
        customer: Customer | None = customer_from(reply.body) if reply.status == 200 else None
        if customer is not None and customer.id == image.target and customer.deleted:
            return Gone(by_us=False)
        if customer is None or customer.id != image.target or customer.livemode is not self._known.livemode:
            raise wrong_account(image.row, image.target, reply)
        method = image.method
        attached = method is not None and await is_attached(self._ask, method, image.target)
        return _Shown(customer.raw, attached, at)


async def _act(image: Image, todo: Todo, send: Act) -> str:
    """Send all of it; why Stripe would not, empty where it did. Raises `Outdated` where the rest must not follow unseen.

    A former default is back, for sure, before the method that took its place is detached: detaching leaves none.
    """
    path = f"/v1/customers/{image.target}"
    post = partial(_post, send)
    if todo.parts and (why := await post(Endpoint.UPDATE, path, nested(todo.parts))):
        return f"Stripe would not take its former values back: {why}"
    refused = [name for name in todo.unset if await post(Endpoint.UPDATE, path, nested({name: ""}))]
    for tax_id in todo.tax_ids:
        await send(Request(Endpoint.DELETE, "DELETE", f"{path}/tax_ids/{tax_id}"))
    if todo.detach is not None:
        detach = f"/v1/payment_methods/{todo.detach}/detach"
        if why := await post(Endpoint.ATTACH, detach, {}):
            return f"Stripe would not detach {todo.detach}: {why}"
    return f"Stripe does not unset what was empty before: {', '.join(refused)}" if refused else ""


async def _post(send: Act, endpoint: Endpoint, path: str, params: Params) -> str:
    """One POST under a key of its own: it sets what it names to one value, so that a second one does no harm."""
    key = f"bi_undo_{secrets.token_hex(16)}"
    reply = await send(Request(endpoint, "POST", path, params, key), accept=UNCLEAR)
    if reply.status in UNCLEAR:
        raise _Unclear
    return (refusal_of(reply).message or f"status {reply.status}") if is_refusal(reply) else ""
