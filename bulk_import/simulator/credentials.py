"""An API key -> who is calling and what the key may do."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from bulk_import.simulator.exchange import Refused

_KEY = re.compile(r"(sk|rk)_(test|live)_[A-Za-z0-9_]+")
_BAD = ("revoked", "wrong", "invalid")
_CONNECTED = re.compile(r"acct_[A-Za-z0-9]{8,}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling: the key's mode, a redacted key, and whether the key is restricted (`rk_`)."""

    livemode: bool
    shown: str
    restricted: bool
    key: str


def identify(headers: Mapping[str, str]) -> Caller:
    """Read the key from a Bearer or Basic header; raises a 401 in Stripe's shape, never showing the whole key."""
    return _caller(headers.get("authorization", ""))


@lru_cache(maxsize=256)
def _caller(authorization: str) -> Caller:
    key = _key(authorization)
    if not key:
        raise Refused(401, "You did not provide an API key: send it as 'Authorization: Bearer YOUR_SECRET_KEY'.")
    shown = redact(key)
    if key.startswith("pk_"):
        raise Refused(
            401, f"This call needs a secret key, not a publishable one ({shown}).", code="secret_key_required"
        )
    match = _KEY.fullmatch(key)
    if "expired" in key:
        raise Refused(401, f"Expired API Key provided: {shown}", code="api_key_expired")
    if match is None or any(word in key for word in _BAD):
        raise Refused(401, f"Invalid API Key provided: {shown}")
    return Caller(livemode=match[2] == "live", shown=shown, restricted=match[1] == "rk", key=key)


def _key(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            try:
                return base64.b64decode(value.strip(), validate=True).decode().partition(":")[0]
            except (binascii.Error, UnicodeDecodeError):
                return ""
        case _:
            return ""


def redact(key: str) -> str:
    """Keep the prefix and the last four characters, as Stripe does in its messages."""
    match = re.match(r"[a-z]{2,5}_(?:(?:test|live)_)?", key)
    prefix = match[0] if match else ""
    last = key[-4:] if len(key) - len(prefix) >= 8 else ""
    return prefix + "*" * (len(key) - len(prefix) - len(last)) + last


def permit(caller: Caller, endpoint: str, *, writes: bool, account: str) -> None:
    """Raise the 403 of a restricted key that may not do this; it names the permission and the account.

    Which permissions a key lacks is written in the key itself: `noaccount`, `nosearch`, `readonly`.
    """
    if not caller.restricted:
        return
    lacking = None
    if endpoint == "account" and "noaccount" in caller.key:
        lacking = "rak_accounts_kyc_basic_read"
    elif endpoint == "search" and "nosearch" in caller.key:
        lacking = "rak_customer_search_read"
    elif writes and "readonly" in caller.key:
        lacking = "rak_payment_method_write" if endpoint in ("attach", "detach") else "rak_customer_write"
    if lacking is not None:
        raise Refused(
            403,
            f"The key '{caller.shown}' lacks the permissions required for this endpoint on account '{account}'. "
            f"Granting it '{lacking}' would let this request continue.",
        )


def connected(headers: Mapping[str, str], own: str) -> str:
    """The account a call is about: our own, or the connected one named in `Stripe-Account`."""
    named = headers.get("stripe-account")
    if not named or named == own:
        return own
    if _CONNECTED.fullmatch(named) is None or "missing" in named:
        raise Refused(
            403, f"The key does not have access to account '{named}' (or it does not exist).", code="account_invalid"
        )
    return named
