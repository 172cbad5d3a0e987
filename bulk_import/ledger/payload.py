"""How a row's parameters and fields lie in the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bulk_import.digits import json_text, read_json

PAYLOAD = """
INSERT INTO payload (number, params, fields) VALUES {rows}
ON CONFLICT (number) DO UPDATE SET params = excluded.params, fields = coalesce(excluded.fields, fields)
"""

to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Parameters as they lie there; made once, where `dumps` makes an encoder a call."""


def fields_text(fields: Mapping[str, Any]) -> str:
    """A row's original fields as they lie there."""
    return json_text(fields, to_json)


def fields_from(text: str | None) -> Mapping[str, Any]:
    """A row's original fields again, none where none are kept."""
    found: Mapping[str, Any] = read_json(text) if text else {}
    return found
