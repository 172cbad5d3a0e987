"""How a row's parameters and fields lie in the ledger."""

from __future__ import annotations

import json

PAYLOAD = """
INSERT INTO payload (number, params, fields) VALUES {rows}
ON CONFLICT (number) DO UPDATE SET params = excluded.params, fields = coalesce(excluded.fields, fields)
"""

to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Parameters and fields as they lie there; made once, where `dumps` makes an encoder a call."""
