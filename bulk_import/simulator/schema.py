"""What each endpoint accepts, as tables of small rules (Stripe facts, section 1)."""

from __future__ import annotations

import re
from collections.abc import Callable

from bulk_import.simulator.exchange import invalid
from bulk_import.simulator.records import EXPANDABLE
from bulk_import.simulator.rules import Either, Group, Many, Metadata, Rule, Text, Whole
from bulk_import.simulator.tax_ids import TaxIdValue, fit_tax_id

_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s.,;<>]+(?:\.[^@\s.,;<>]+)+")


def _email(value: str, param: str) -> None:
    if _EMAIL.fullmatch(value) is None:
        raise invalid(f"Invalid email address: {value}", param, "email_invalid")


def _tax_id_type(value: str, param: str) -> None:
    if re.fullmatch(r"[a-z]{2}(?:_[a-z]{2,6}){1,2}", value) is None:
        raise invalid(f"Invalid {param}: {value} is no type of tax ID.", param)


def _prefix(value: str, param: str) -> None:
    if re.fullmatch(r"[A-Z0-9]{1,12}", value) is None:
        raise invalid("An invoice prefix is 1 to 12 uppercase letters or digits.", param)


def _expandable(prefix: str = "", *more: str) -> Callable[[str, str], None]:
    names = {prefix + name for name in EXPANDABLE} | set(more)

    def check(value: str, param: str) -> None:
        if value not in names:
            raise invalid(f"This property cannot be expanded ({value}).", "expand")

    return check


_EXPAND = Many(Text(check=_expandable()))
_ADDRESS: dict[str, Rule] = {name: Text() for name in ("city", "country", "line1", "line2", "postal_code", "state")}
_LOCATION = ("deferred", "immediately")
TAX_ID: dict[str, Rule] = {"type": Text(check=_tax_id_type), "value": TaxIdValue()}
TAX_ID_ITEM = Group(TAX_ID, required=("type", "value"), whole=fit_tax_id)


def _customer(locations: tuple[str, ...]) -> dict[str, Rule]:
    custom_field = Group({"name": Text(40), "value": Text(140)}, required=("name", "value"))
    rendering = Group(
        {
            "amount_tax_display": Text(clearable=True, choices=("exclude_tax", "include_inclusive_tax")),
            "template": Text(),
        },
        clearable=True,
    )
    shipping: dict[str, Rule] = {"address": Group(_ADDRESS), "name": Text(), "phone": Text()}
    modes = Text(choices=("automatic", "manual", "merchant_default"))
    return {
        "address": Group(_ADDRESS, clearable=True),
        "balance": Whole(),
        "business_name": Text(150, clearable=True),
        "individual_name": Text(150, clearable=True),
        "cash_balance": Group({"settings": Group({"reconciliation_mode": modes})}),
        "description": Text(),
        "email": Text(512, check=_email),
        "expand": _EXPAND,
        "invoice_prefix": Text(check=_prefix),
        "invoice_settings": Group(
            {
                "custom_fields": Many(custom_field, clearable=True, most=4),
                "default_payment_method": Text(),
                "footer": Text(),
                "rendering_options": rendering,
            }
        ),
        "metadata": Metadata(),
        "name": Text(256),
        "next_invoice_sequence": Whole(least=1),
        "phone": Text(20),
        "preferred_locales": Many(Text()),
        "shipping": Group(shipping, required=("address", "name"), clearable=True),
        "source": Text(),
        "tax": Group({"ip_address": Text(clearable=True), "validate_location": Text(choices=locations)}),
        "tax_exempt": Text(clearable=True, choices=("none", "exempt", "reverse")),
    }


_BOUND = Whole()
_LIMIT = Whole(least=1, most=100)

CREATE = Group(
    _customer(_LOCATION)
    | {
        "payment_method": Text(),
        "tax_id_data": Many(TAX_ID_ITEM),
        "test_clock": Text(),
    }
)
UPDATE = Group(_customer(("auto", *_LOCATION)) | {"default_source": Text(500)})
RETRIEVE = Group({"expand": _EXPAND})
NOTHING = Group({})
LIST = Group(
    {
        "limit": _LIMIT,
        "expand": Many(Text(check=_expandable("data."))),
        "created": Either(_BOUND, Group(dict.fromkeys(("gt", "gte", "lt", "lte"), _BOUND))),
        "email": Text(512),
        "ending_before": Text(),
        "starting_after": Text(),
        "test_clock": Text(),
    }
)
LIST_TAX_IDS = Group({"limit": _LIMIT})
LIST_METHODS = Group({"limit": _LIMIT, "type": Text()})
SEARCH = Group(
    {
        "limit": _LIMIT,
        "expand": Many(Text(check=_expandable("data.", "total_count"))),
        "query": Text(),
        "page": Text(),
    },
    required=("query",),
)
ATTACH = Group({"customer": Text(), "expand": Many(Text(check=_expandable("", "customer")))}, required=("customer",))
TAX_IDS = Group(
    TAX_ID | {"expand": Many(Text(check=_expandable("", "customer", "owner")))},
    required=("type", "value"),
    whole=fit_tax_id,
)
