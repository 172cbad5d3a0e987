"""Which account the key reaches; the ledger is bound to it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bulk_import.errors import LedgerRefuses, StripeRefuses
from bulk_import.existing import Ask, retrieved
from bulk_import.keys import SecretKey
from bulk_import.ledger import Purpose, Reader
from bulk_import.model import Endpoint, Request, Status
from bulk_import.replies import HALTING_CODES, NOT_SERVED, refusal_of
from bulk_import.wording import counted

ACCOUNT = re.compile(r"acct_\w+", re.ASCII)
UNNAMED = "key_"
"""Prefix of an account known only by a keyed fingerprint of key and API base."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account's id, and its name where the key may read it; `is_named` is False for a fingerprint."""

    id: str
    name: str | None = None

    @property
    def is_named(self) -> bool:
        """Whether the id is Stripe's own."""
        return not self.id.startswith(UNNAMED)


async def identify(ask: Ask, key: SecretKey, api_base: str, salt: bytes) -> Account:
    """Ask Stripe whose key this is.

    A restricted key often may not read the account, but its refusal names it (Stripe facts, section 8). Where
    nothing does, a fingerprint of key and API base stands for the account. Raises `StripeRefuses` for a bad key.
    """
    reply = await ask(Request(Endpoint.ACCOUNT, "GET", "/v1/account"), accept=(403, *NOT_SERVED))
    if reply.status == 200 and isinstance(reply.body, Mapping):
        found = reply.body.get("id")
        if isinstance(found, str) and ACCOUNT.fullmatch(found):
            return Account(found, _name(reply.body))
    refusal = refusal_of(reply)
    if refusal.code in HALTING_CODES:
        # Such a refusal names the account that was asked for, not the one that the key belongs to.
        raise StripeRefuses(
            f"Stripe refused us: {refusal.code} ({refusal.message}); check the key and --stripe-account"
        )
    named = ACCOUNT.search(refusal.message or "")
    if named:
        return Account(named.group())
    if reply.status not in (200, 403, *NOT_SERVED):
        raise StripeRefuses(f"Stripe would not say whose key this is ({refusal.message}); check the API key")
    return Account(UNNAMED + key.fingerprint(salt + host_of(api_base).encode()))


def host_of(api_base: str) -> str:
    """An API base without its port: a local server may come back on another one."""
    return re.sub(r":\d+(?=/|$)", "", api_base.rstrip("/"))


def _name(body: Mapping[str, object]) -> str | None:
    settings = body.get("settings")
    dashboard = settings.get("dashboard") if isinstance(settings, Mapping) else None
    profile = body.get("business_profile")
    for place, field in ((dashboard, "display_name"), (profile, "name"), (body, "email")):
        name = place.get(field) if isinstance(place, Mapping) else None
        if isinstance(name, str) and name:
            return name
    return None


PROOFS = 3
"""Customers of each kind that are asked for to prove an account: one alone may have been deleted for good."""


async def same_account(ask: Ask, purpose: Purpose, key: SecretKey, api_base: str, reader: Reader) -> Account:
    """The account this key reaches, which must be the ledger's.

    Where Stripe does not name it to one of the keys, a customer that this ledger holds proves it: whoever can retrieve one
    of them is in the same account. Else it may only be another one where nothing can have been made or found yet. Raises
    `LedgerRefuses` naming both accounts.
    """
    account = await identify(ask, key, api_base, purpose.salt_bytes())
    if account.id == purpose.account:
        return account
    named = account.is_named and not purpose.account.startswith(UNNAMED)
    held = reader.held_customers(PROOFS)
    at_rest = 0 if named or held else reader.tally().count(Status.IN_DOUBT)
    if not named and not at_rest and (not held or await _knows_one_of(ask, held)):
        return account
    said = counted(at_rest, "row")
    why = f", and {said} may have been sent there, so nothing proves that both are one" if at_rest else ""
    raise LedgerRefuses(
        f"the ledger belongs to another account: it was begun on {purpose.account}, this key reaches {account.id}{why}; "
        "use a key of that account, or start a new ledger with --ledger"
    )


async def _knows_one_of(ask: Ask, customers: Sequence[str]) -> bool:
    for customer in customers:
        if await retrieved(ask, customer) is not None:
            return True
    return False
