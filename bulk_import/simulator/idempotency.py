"""Idempotency keys and the answers stored under them (Stripe facts, section 3)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from bulk_import.simulator.exchange import Call, Refused, invalid, key_in_use

LONGEST_KEY = 255
_canonical = json.JSONEncoder(sort_keys=True, default=str, check_circular=False).encode


@dataclass(frozen=True, slots=True)
class Stored:
    """The first answer under a key: `body` is what a replay shows, `at` when the key was first used."""

    fingerprint: str
    status: int
    body: Any
    request_id: str
    at: float


class Keys:
    """The keys of one account and mode; each is forgotten *lifetime* seconds after its first use."""

    def __init__(self, lifetime: float) -> None:
        self._lifetime = lifetime
        self._stored: dict[str, Stored] = {}
        self._running: set[str] = set()

    def look_up(self, key: str, fingerprint: str, now: float) -> Stored | None:
        """What to replay, None for a new key; raises 409 while it runs and 400 for other parameters."""
        if key in self._running:
            raise key_in_use()
        stored = self._stored.get(key)
        if stored is None or now - stored.at >= self._lifetime:
            return None
        if stored.fingerprint != fingerprint:
            raise Refused(
                400,
                "Keys for idempotent requests can only be used again with the same parameters; "
                f"'{key}' came with others the first time.",
                type="idempotency_error",
            )
        return stored

    def claim(self, key: str) -> None:
        """Note that a request with this key is running."""
        self._running.add(key)

    def release(self, key: str) -> None:
        """Note that it has ended."""
        self._running.discard(key)

    def store(self, key: str, stored: Stored) -> None:
        """Keep an answer for replay, and drop those whose time is over."""
        self._stored.pop(key, None)
        self._stored[key] = stored
        oldest = next(iter(self._stored))
        while stored.at - self._stored[oldest].at >= self._lifetime:
            del self._stored[oldest]
            oldest = next(iter(self._stored))

    def forget(self) -> None:
        """Drop every stored answer, as if a day had passed."""
        self._stored.clear()


def key_of(call: Call) -> str | None:
    """The key a call carries; only POSTs have one, and it must not be too long."""
    key = call.headers.get("idempotency-key") if call.method == "POST" else None
    if key is not None and len(key) > LONGEST_KEY:
        raise invalid(f"An Idempotency-Key can have at most {LONGEST_KEY} characters; this one has {len(key)}.", None)
    return key or None


def fingerprint(call: Call) -> str:
    """What two calls with one key must have in common: the endpoint and the parameters, in any order."""
    text = _canonical([call.path, call.params])
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()
