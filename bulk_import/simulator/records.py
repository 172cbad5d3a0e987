"""One customer: how it is kept, how a request changes it, and how Stripe shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bulk_import.simulator.exchange import invalid
from bulk_import.simulator.payment import payment_method

_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
_PLAIN = ("balance", "description", "email", "invoice_prefix", "name", "next_invoice_sequence", "phone")
_EXPANDED_ONLY = ("tax", "cash_balance")
EXPANDABLE = frozenset(
    [
        "subscriptions",
        "tax_ids",
        "sources",
        "tax",
        "cash_balance",
        "invoice_credit_balance",
        "default_source",
        "discount",
        "test_clock",
        "invoice_settings.default_payment_method",
    ]
)
"""What may be named in `expand[]`; names that need no object of their own stay as they are."""


@dataclass(frozen=True, slots=True)
class Record:
    """A customer as it is kept: `fields` holds only what differs from an empty customer, and is never changed."""

    number: int
    id: str
    created: int
    fields: Mapping[str, Any]
    methods: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    tax_ids: tuple[Mapping[str, Any], ...] = ()
    deleted: bool = False

    @property
    def email(self) -> str | None:
        """The address as it was given."""
        return self.fields.get("email")

    @property
    def clock(self) -> str | None:
        """The test clock the customer lives on."""
        return self.fields.get("test_clock")


def changed(record: Record, wanted: Mapping[str, Any]) -> Record:
    """Apply cleaned parameters; an address or a shipping replaces the old one whole, metadata and settings merge."""
    fields = dict(record.fields)
    for name, value in wanted.items():
        kept = _kept(name, value, fields)
        if kept is None:
            fields.pop(name, None)
        elif name != "expand":
            fields[name] = kept
    return Record(
        record.number, record.id, record.created, fields, record.methods, record.sources, record.tax_ids
    )  # spelled out: `replace` costs ten times as much


def _kept(name: str, value: Any, fields: Mapping[str, Any]) -> Any:
    if value == "":
        return None
    match name:
        case "address":
            return _address(value)
        case "shipping":
            return {"address": _address(value["address"]), "name": value["name"], "phone": value.get("phone")}
        case "metadata":
            return _merged(fields.get("metadata", {}), value)
        case "invoice_settings":
            return _settings(fields.get("invoice_settings", {}), value)
        case "tax":
            given = {key: one for key, one in value.items() if key == "ip_address"}
            return _merged(fields.get("tax", {}), given)
        case "cash_balance":
            return _merged(fields.get("cash_balance", {}), value.get("settings", {}))
        case _:
            return value


def _address(given: Mapping[str, str]) -> dict[str, str | None]:
    return {name: given.get(name) for name in _ADDRESS}


def _merged(old: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any] | None:
    merged = {key: value for key, value in {**old, **given}.items() if value != ""}
    return merged or None


def _settings(old: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any] | None:
    new = dict(given)
    rendering = new.get("rendering_options")
    if isinstance(rendering, Mapping):
        new["rendering_options"] = {
            "amount_tax_display": rendering.get("amount_tax_display") or None,
            "template": rendering.get("template"),
        }
    return _merged(old, new)


def check_room(record: Record) -> None:
    """Metadata may hold 50 keys after merging, too."""
    if len(record.fields.get("metadata", ())) > 50:
        raise invalid("A customer can only have up to 50 metadata keys.", "metadata")


def show(record: Record, livemode: bool, expand: Iterable[str] = ()) -> dict[str, Any]:
    """The customer in Stripe's shape; what Stripe leaves out by default appears only when expanded."""
    if record.deleted:
        return {"id": record.id, "object": "customer", "deleted": True}
    fields = record.fields
    shown = _empty(record, livemode)
    shown.update(fields)
    shown["metadata"] = dict(fields.get("metadata", ()))
    shown["invoice_settings"] = {
        "custom_fields": None,
        "default_payment_method": None,
        "footer": None,
        "rendering_options": None,
        **fields.get("invoice_settings", {}),
    }
    for name in _EXPANDED_ONLY:
        shown.pop(name, None)
    for name in expand:
        _expand(shown, name, record, livemode)
    return shown


def _empty(record: Record, livemode: bool) -> dict[str, Any]:
    return {
        "id": record.id,
        "object": "customer",
        "address": None,
        "balance": 0,
        "business_name": None,
        "created": record.created,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "individual_name": None,
        "invoice_prefix": record.id[4:12].upper(),
        "livemode": livemode,
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def _expand(shown: dict[str, Any], name: str, record: Record, livemode: bool) -> None:
    base = f"/v1/customers/{record.id}"
    match name:
        case "subscriptions":
            shown[name] = listed([], f"{base}/subscriptions")
        case "tax_ids":
            shown[name] = listed([dict(one) for one in record.tax_ids], f"{base}/tax_ids")
        case "sources":
            cards = [{"id": one, "object": "card", "customer": record.id} for one in record.sources]
            shown[name] = listed(cards, f"{base}/sources")
        case "tax":
            shown[name] = _tax(record)
        case "cash_balance":
            mode = record.fields.get("cash_balance", {}).get("reconciliation_mode", "merchant_default")
            settings = {
                "reconciliation_mode": "automatic" if mode == "merchant_default" else mode,
                "using_merchant_default": mode == "merchant_default",
            }
            shown[name] = {
                "object": "cash_balance",
                "available": None,
                "customer": record.id,
                "livemode": livemode,
                "settings": settings,
            }
        case "invoice_credit_balance":
            shown[name] = {}
        case "invoice_settings.default_payment_method":
            settings = shown["invoice_settings"]
            if settings["default_payment_method"] is not None:
                settings["default_payment_method"] = payment_method(
                    settings["default_payment_method"], record.id, record.created, livemode
                )


def _tax(record: Record) -> dict[str, Any]:
    country = (record.fields.get("address") or {}).get("country")
    ip_address = record.fields.get("tax", {}).get("ip_address")
    location = {"country": country, "source": "billing_address", "state": None} if country else None
    state = "supported" if country else "unrecognized_location"
    return {"automatic_tax": state, "ip_address": ip_address, "location": location}


def listed(data: list[dict[str, Any]], url: str, *, has_more: bool = False) -> dict[str, Any]:
    """A page of objects in Stripe's shape."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}
