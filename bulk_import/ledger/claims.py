"""How a claim lies in the ledger, how it comes there, and how it is read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bulk_import.digest import digest_of
from bulk_import.image import after_of
from bulk_import.ledger.arrows import sources_of
from bulk_import.ledger.chunks import execute_for_all
from bulk_import.ledger.database import Connection, changing
from bulk_import.ledger.payload import PAYLOAD, to_json
from bulk_import.ledger.purpose import KeyOf
from bulk_import.model import Claim, Doubt, Status

CLAIMS = """
SELECT e.number, e.line, e.source_id, e.generation, p.params, e.email, e.owned_key, e.claimed_at, e.stripe_time,
       e.key_fingerprint, e.target, p.fields, e.doubt, e.attempted_at, i.attached, i.note, i.before,
       e.owned_method
FROM entry e LEFT JOIN payload p ON p.number = e.number
LEFT JOIN image i ON i.number = e.number AND i.generation = e.generation
"""

_ENTRY = """
INTO entry (number, line, source_id, email, owned_key, status, target, generation, claimed_at, stripe_time,
            key_fingerprint, digest, owned_method)
VALUES {rows}
"""
_CLAIM = f"INSERT OR ROLLBACK {_ENTRY}"
"""Of rows behind all others; like the settling of many rows, it needs no file of SQLite's own to undo it."""
_CLAIM_AGAIN = f"""
INSERT {_ENTRY}
ON CONFLICT (number) DO UPDATE SET
    line = excluded.line, source_id = excluded.source_id, email = excluded.email, owned_key = excluded.owned_key,
    status = 'claimed', owner = NULL, customer_id = NULL, target = excluded.target, generation = excluded.generation,
    claimed_at = excluded.claimed_at, stripe_time = excluded.stripe_time, key_fingerprint = excluded.key_fingerprint,
    digest = excluded.digest, owned_method = excluded.owned_method, undo_at = NULL, attempts = 0, attempted_at = NULL, doubt = NULL, error_type = NULL,
    error_code = NULL, error_param = NULL, error_message = NULL, http_status = NULL, request_id = NULL, settled_at = NULL
WHERE entry.status IN (CLAIMED) AND excluded.generation >= entry.generation + (entry.status <> 'pending')
"""
_IMAGE = """
INSERT INTO image (number, generation, target, before, after, attached, note) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (number, generation) DO NOTHING
"""


def write_claims(db: Connection, claims: Sequence[Claim], key_of: KeyOf, salt: bytes | None) -> None:
    """Bring rows to rest as claims, with what is to be sent and what an update replaces.

    With the ledger's *salt*, what a create sends is kept as a digest, too, which outlives its parameters.
    """
    status, replaced = Status.CLAIMED.value, salt or b""
    last = db.execute("SELECT coalesce(max(number), 0) FROM entry").fetchone()[0]
    entries = [
        (
            c.row, c.line, c.source_id, c.email, key_of(c.email_key), status, c.target, c.generation,
            c.claimed_at, c.stripe_time, c.key_fingerprint,
            digest_of(c.params, salt) if salt is not None and c.target is None else None, c.owned_method,
        )
        for c in claims
    ]  # fmt: skip
    with changing(db, len(claims), f"every one of these {len(claims)} rows may become claimed"):
        again = _CLAIM_AGAIN.replace("CLAIMED", sources_of(Status.CLAIMED))
        execute_for_all(db, _CLAIM, [entry for entry in entries if entry[0] > last])
        execute_for_all(db, again, [entry for entry in entries if entry[0] <= last])
    execute_for_all(db, PAYLOAD, [(c.row, to_json(c.params), to_json(c.fields) if c.fields else None) for c in claims])
    # What was there before the first claim of a generation is what an undo must bring back, whatever was read since.
    db.executemany(_IMAGE, [_image(c, replaced) for c in claims if c.target is not None])


def _image(c: Claim, salt: bytes) -> tuple[Any, ...]:
    return (c.row, c.generation, c.target, to_json(c.before), to_json(after_of(c.params, salt)), c.attached, c.note)


def claim_from(found: Sequence[Any]) -> Claim:
    """The claim in one answer to `CLAIMS`."""
    (
        number,
        line,
        source_id,
        generation,
        params,
        email,
        key,
        claimed_at,
        stripe_time,
        key_fp,
        target,
        fields,
        doubt,
        at,
        attached,
        note,
        before,
        method,
    ) = found
    return Claim(
        number, line, source_id, generation, json.loads(params or "{}"), email, key, claimed_at or 0.0, stripe_time,
        key_fp, target, json.loads(fields or "{}"), Doubt(doubt) if doubt else None, at,
        json.loads(before or "{}"), attached, note, method,
    )  # fmt: skip
