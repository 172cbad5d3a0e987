"""The parts of a customer: what one parameter replaces as a whole, in Stripe's spelling (pure).

`name`, `address`, `metadata[plan]`, `invoice_settings[footer]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bulk_import.customer.parameters import PARAMETERS, SHARED_METHODS
from bulk_import.model import Params
from bulk_import.stripe_api.form import flatten

Parts = Mapping[str, Any]
"""Part -> value; None where there is none."""

METHOD, TAX_IDS, SOURCE = "payment_method", "tax_id_data", "source"
"""What no field of a customer shows again: each takes a request of its own, or cannot be compared."""

SOURCE_PART = "default_source"
DEFAULT_METHOD = "invoice_settings[default_payment_method]"

SHARED = SHARED_METHODS
"""Test payment methods: each attaching makes a method of another id."""

_APART = (METHOD, TAX_IDS, "test_clock", "expand")
"""What an update itself cannot send."""

_SPLIT = ("metadata", "invoice_settings", "tax", "cash_balance")
"""Objects that an update merges, so that each child is a part of its own."""

WHOLE = ("address", "shipping", "invoice_settings[rendering_options]")
"""Objects that an update replaces, so that they are sent whole."""

UNSEEN = "tax[validate_location]"
"""Says how to act and is never shown; sent beside other parts only."""

_EXPANDED = {TAX_IDS: "tax_ids", "tax": "tax", "cash_balance": "cash_balance"}
"""Parameters that a retrieve shows only when it is asked to."""

_CLEARABLE = ("address", "shipping", "metadata[", "invoice_settings[custom_fields]", *WHOLE)
_NAME = re.compile(r"(\w+)\[(.*)\]", re.DOTALL)
_LOOSE = re.compile(r"[\s./-]")


def split(name: str) -> tuple[str, str | None]:
    """A part's parameter, and the child of it that the part is."""
    found = _NAME.fullmatch(name)
    return (found[1], found[2]) if found else (name, None)


def parts_of(params: Params) -> Iterator[tuple[str, Any]]:
    """The parts that parameters replace, each with its value; what an update cannot send is none."""
    for top, value in params.items():
        if top in _SPLIT and isinstance(value, Mapping):
            yield from ((f"{top}[{child}]", inner) for child, inner in value.items() if f"{top}[{child}]" != UNSEEN)
        elif top not in _APART:
            yield top, value


def put(params: dict[str, Any], name: str, value: Any) -> None:
    """Set one part in the parameters of a request."""
    top, child = split(name)
    if child is None:
        params[top] = value
    else:
        params.setdefault(top, {})[child] = value


def nested(parts: Parts) -> Params:
    """Parts as the body of a request."""
    params: dict[str, Any] = {}
    for name, value in parts.items():
        put(params, name, value)
    return params


def expansions(names: Sequence[str] | Params) -> list[str]:
    """What a retrieve must expand to show these parameters or parts."""
    tops = {name.partition("[")[0] for name in names}
    return [shown for name, shown in _EXPANDED.items() if name in tops]


def value_of(name: str, shown: Mapping[str, Any]) -> Any:
    """The value of one part as a retrieve shows it, without what is empty; None where there is nothing."""
    top, child = split(name)
    value = shown.get(top)
    if child is not None:
        value = child_of(value, child)
    if name == "cash_balance[settings]" and isinstance(value, Mapping):
        usual = value.get("using_merchant_default")
        value = {"reconciliation_mode": "merchant_default" if usual else value.get("reconciliation_mode")}
    return _trimmed(value)


def form_of(value: Any) -> dict[str, str]:
    """A value as Stripe compares it: nulls and empty texts are nothing, numbers are text."""
    return {name: str(leaf) for name, leaf in flatten({"": value}).items() if leaf != ""}


def tax_ids_of(shown: Mapping[str, Any]) -> dict[str, str]:
    """The tax ids of a customer whose `tax_ids` were expanded: key -> id."""
    held = child_of(shown.get("tax_ids"), "data")
    found = held if isinstance(held, list) else []
    return {tax_id_key(each): str(each.get("id")) for each in found if isinstance(each, Mapping)}


def tax_id_key(tax_id: Mapping[str, Any]) -> str:
    """What tax ids are compared by: type and number, however the number is spaced."""
    return f"{tax_id.get('type')}:{_LOOSE.sub('', str(tax_id.get('value'))).upper()}"


def is_clearable(name: str) -> bool:
    """Whether Stripe takes an empty text to unset this part (Stripe facts, section 1)."""
    top, child = split(name)
    parameter = PARAMETERS.get(top if child is None else f"{top}.{child}")
    return name.startswith(_CLEARABLE) or (parameter is not None and parameter.clearable)


def _trimmed(value: Any) -> Any:
    """A value without nulls and empty texts; None where nothing is left."""
    if isinstance(value, Mapping):
        kept = {name: inner for name, each in value.items() if (inner := _trimmed(each)) is not None}
        return kept or None
    if isinstance(value, list):
        return [_trimmed(each) for each in value] or None
    return None if value == "" else value


def child_of(value: Any, name: str) -> Any:
    """A child of an object; None where it has none, or is none."""
    return value.get(name) if isinstance(value, Mapping) else None
