"""Which account the key reaches; the ledger is bound to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bulk_import.errors import StripeRefuses
from bulk_import.existing import Ask
from bulk_import.keys import SecretKey
from bulk_import.model import Endpoint, Request
from bulk_import.replies import HALTING_CODES, refusal_of

ACCOUNT = re.compile(r"acct_[A-Za-z0-9]+", re.ASCII)
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
    reply = await ask(Request(Endpoint.ACCOUNT, "GET", "/v1/account"), accept=(403, 404))
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
    if reply.status not in (200, 403, 404):
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
