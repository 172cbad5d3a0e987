"""A small checker of a create's parameters, written from the facts and not from the code it judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = int | str | tuple[str, ...] | list[Any] | dict[str, Any]
"""A text's longest length, "integer", the values of an enum, a list of one schema, or an object of schemas."""

ADDRESS: Schema = dict.fromkeys(("line1", "line2", "city", "state", "postal_code", "country"), 5000)
CUSTOMER: dict[str, Schema] = {
    "address": ADDRESS,
    "balance": "integer",
    "business_name": 150,
    "individual_name": 150,
    "cash_balance": {"settings": {"reconciliation_mode": ("automatic", "manual", "merchant_default")}},
    "description": 5000,
    "email": 512,
    "expand": [5000],
    "invoice_prefix": 12,
    "invoice_settings": {
        "custom_fields": [{"name": 40, "value": 140}],
        "default_payment_method": 5000,
        "footer": 5000,
        "rendering_options": {
            "amount_tax_display": ("exclude_tax", "include_inclusive_tax"),
            "template": 5000,
        },
    },
    "name": 256,
    "next_invoice_sequence": "integer",
    "payment_method": 5000,
    "phone": 20,
    "preferred_locales": [5000],
    "shipping": {"name": 5000, "phone": 5000, "address": ADDRESS},
    "source": 5000,
    "tax": {"ip_address": 10**6, "validate_location": ("deferred", "immediately")},
    "tax_exempt": ("none", "exempt", "reverse"),
    "tax_id_data": [{"type": 5000, "value": 10**6}],
    "test_clock": 5000,
}
REQUIRED = {
    "shipping": {"name", "address"},
    "tax_id_data[]": {"type", "value"},
    "invoice_settings.custom_fields[]": {"name", "value"},
}


def breaches(params: Mapping[str, Any]) -> list[str]:
    """Where *params* are not what Stripe documents."""
    metadata = params.get("metadata", {})
    rest = {key: value for key, value in params.items() if key != "metadata"}
    found = [*_object(rest, CUSTOMER, ""), *_metadata(metadata)]
    if len(params.get("invoice_settings", {}).get("custom_fields", [])) > 4:
        found.append("more than four custom fields")
    return found


def _metadata(metadata: Any) -> Iterator[str]:
    if not isinstance(metadata, dict) or len(metadata) > 49:  # one is kept for the marker
        yield "metadata as a whole"
        return
    for key, value in metadata.items():
        if not (0 < len(key) <= 40) or "[" in key or "]" in key or key == "bulk_import":
            yield f"metadata key {key!r}"
        if not isinstance(value, str) or not (0 < len(value) <= 500):
            yield f"metadata value {value!r}"


def _object(value: Any, schema: Mapping[str, Schema], path: str) -> Iterator[str]:
    if not isinstance(value, dict) or (path and not value):
        yield f"{path} is no filled object: {value!r}"
        return
    if REQUIRED.get(path, set()) - set(value):
        yield f"{path} is incomplete"
    for key, inner in value.items():
        if key not in schema:
            yield f"{path}.{key} is unknown"
        else:
            yield from _value(inner, schema[key], f"{path}.{key}".lstrip("."))


def _value(value: Any, schema: Schema, path: str) -> Iterator[str]:
    match schema:
        case "integer":
            good = type(value) is int
        case tuple():
            good = value in schema
        case int():
            good = (
                isinstance(value, str) and 0 < len(value) <= schema and value == value.strip() and value.isprintable()
            )
        case dict():
            yield from _object(value, schema, path)
            return
        case _:
            good = isinstance(value, list) and bool(value)
            for inner in value if good else ():
                yield from _value(inner, schema[0], f"{path}[]")
    if not good:
        yield f"{path} is {value!r}"
