"""What a ledger is for: one source in one reading, one account in one mode, one token; never a key."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from bulk_import.model import Method

KeyOf = Callable[[str | None], str | None]
"""What stands for an e-mail in the ledger."""

MethodOf = Callable[[Method | None], str | None]
"""What stands for a payment method in the ledger."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """The ledger's single `job` row.

    `reading` is the settled reading of the source and `options` what later commands need of the options
    in force (mapping, policies). `size` is in bytes and `chunks` holds a digest for each MiB of the source.
    `rows` counts the source's records. `account` is an `acct_` id or, where the key may not ask for it, a
    keyed fingerprint of key and API base.
    """

    token: str
    salt: str
    source: str
    size: int
    sha256: str
    chunks: bytes = field(repr=False)
    reading: str
    rows: int
    mapping: str
    options: Mapping[str, Any]
    account: str
    account_name: str | None
    livemode: bool
    stripe_account: str | None
    api_base: str
    state_file: str | None
    stripe_version: str
    tool_version: str
    created_at: float
    dry_run: bool = False
    hash_emails: bool = False
    spooled: bool = False

    @property
    def simulated(self) -> bool:
        """Whether the account is the built-in simulator's."""
        return self.state_file is not None

    def to_text(self) -> str:
        """Everything but the chunk digests, as JSON."""
        facts = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "chunks"}
        return json.dumps(facts, ensure_ascii=False)

    @staticmethod
    def from_text(text: str, chunks: bytes) -> Purpose:
        """Read back what `to_text` wrote."""
        return Purpose(chunks=chunks, **json.loads(text))

    def salt_bytes(self) -> bytes:
        """The secret of this ledger's keyed fingerprints."""
        return bytes.fromhex(self.salt)

    def owned_key(self, email_key: str | None) -> str | None:
        """What stands for an e-mail in this ledger: its key, or under `--hash-emails` a keyed hash of it."""
        if email_key is None or not self.hash_emails:
            return email_key
        return hmac.new(self.salt_bytes(), email_key.encode(), hashlib.sha256).hexdigest()[:32]

    def owned_method(self, method: str | None) -> str | None:
        """What stands for a payment method in this ledger: a keyed hash, since the id itself is not kept."""
        if method is None:
            return None
        return hmac.new(self.salt_bytes(), b"pm:" + method.encode(), hashlib.sha256).hexdigest()[:32]


def new_token() -> str:
    """A ledger's token: 16 random hex digits, the first part of every marker; none that a spreadsheet takes for a number."""
    while not set(token := secrets.token_hex(8)).intersection("abcdf"):
        pass
    return token


def new_salt() -> str:
    """The secret of a ledger's keyed hashes, as hex."""
    return secrets.token_hex(16)
