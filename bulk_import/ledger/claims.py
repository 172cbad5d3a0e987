"""How a claim lies in the ledger, and how it is read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bulk_import.model import Claim, Doubt

CLAIMS = """
SELECT e.number, e.line, e.source_id, e.generation, p.params, e.email, e.owned_key, e.claimed_at, e.stripe_time,
       e.key_fingerprint, e.target, p.fields, e.doubt, e.attempted_at, i.attached, i.note, i.before,
       e.owned_method
FROM entry e LEFT JOIN payload p ON p.number = e.number
LEFT JOIN image i ON i.number = e.number AND i.generation = e.generation
"""


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
