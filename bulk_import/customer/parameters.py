"""The parameters of a customer as data: path, kind, limits and values (Stripe facts, section 1).

A path is written with dots, and `[]` stands for the place of a list item: `tax_id_data[].type`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Path = tuple[str | int, ...]
"""Where a value goes in the body of the request: `("tax_id_data", 0, "type")`."""

Kind = Literal["text", "integer", "enum", "texts"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One leaf that can be sent: `limit` is its longest text in characters, None where Stripe names none.

    `rule` names what is checked beyond kind and length, `many_lines` allows line breaks, and
    `clearable` is true where an update may send an empty text to unset it.
    """

    path: str
    kind: Kind = "text"
    limit: int | None = 5000
    choices: tuple[str, ...] = ()
    rule: str | None = None
    many_lines: bool = False
    clearable: bool = False


def _address(prefix: str) -> tuple[Parameter, ...]:
    return (
        Parameter(f"{prefix}.line1", many_lines=True),
        Parameter(f"{prefix}.line2", many_lines=True),
        Parameter(f"{prefix}.city"),
        Parameter(f"{prefix}.state", rule="state"),
        Parameter(f"{prefix}.postal_code", rule="postal_code"),
        Parameter(f"{prefix}.country", rule="country"),
    )


_ALL = (
    Parameter("email", limit=512, rule="email"),
    Parameter("name", limit=256),
    Parameter("individual_name", limit=150, clearable=True),
    Parameter("business_name", limit=150, clearable=True),
    Parameter("description", many_lines=True),
    Parameter("phone", limit=20, rule="phone"),
    *_address("address"),
    Parameter("shipping.name"),
    Parameter("shipping.phone", rule="phone"),
    *_address("shipping.address"),
    Parameter("payment_method", rule="payment_method"),
    Parameter("source", rule="source"),
    Parameter("preferred_locales", kind="texts", rule="locale"),
    Parameter("preferred_locales[]", rule="locale"),
    Parameter("tax_exempt", kind="enum", choices=("none", "exempt", "reverse"), rule="tax_exempt", clearable=True),
    Parameter("tax_id_data[].type", rule="tax_id_type"),
    Parameter("tax_id_data[].value", limit=None),
    Parameter("tax.ip_address", limit=None, clearable=True),
    Parameter("tax.validate_location", kind="enum", choices=("deferred", "immediately")),
    Parameter("balance", kind="integer"),
    Parameter("next_invoice_sequence", kind="integer", rule="from_one"),
    Parameter("invoice_prefix", rule="invoice_prefix"),
    Parameter("invoice_settings.custom_fields[].name", limit=40),
    Parameter("invoice_settings.custom_fields[].value", limit=140),
    Parameter("invoice_settings.default_payment_method", rule="default_method"),
    Parameter("invoice_settings.footer", many_lines=True),
    Parameter(
        "invoice_settings.rendering_options.amount_tax_display",
        kind="enum",
        choices=("exclude_tax", "include_inclusive_tax"),
        clearable=True,
    ),
    Parameter("invoice_settings.rendering_options.template"),
    Parameter(
        "cash_balance.settings.reconciliation_mode", kind="enum", choices=("automatic", "manual", "merchant_default")
    ),
    Parameter("test_clock", rule="test_clock"),
    Parameter("expand", kind="texts"),
    Parameter("expand[]"),
)

PARAMETERS = {parameter.path: parameter for parameter in _ALL}
"""Every parameter that is offered; `validate` is left out, as its purpose is undocumented."""

LISTS_OF_OBJECTS = frozenset({"tax_id_data", "invoice_settings.custom_fields"})

CREATE_ONLY = frozenset({"payment_method", "tax_id_data", "test_clock"})
"""Top-level parameters that an update refuses."""

SHARED_METHODS = "pm_card_"
"""Stripe's test payment methods start like this: any number of customers may be given one (Stripe facts, section 6)."""

MAX_CUSTOM_FIELDS = 4
MAX_METADATA_KEYS = 50
MAX_METADATA_KEY = 40
MAX_METADATA_VALUE = 500

_BRACKETED = re.compile(r"\[([^\[\]]*)\]")


def spelled(path: Path) -> str:
    """The path as a person writes it: `tax_id_data.0.type`."""
    return ".".join(str(part) for part in path)


def canonical(path: Path) -> str:
    """The path as the table has it, with `[]` for the place of a list item."""
    text = ""
    for part in path:
        text += "[]" if isinstance(part, int) else f".{part}" if text else part
    return text


def parameter_at(path: Path) -> Parameter:
    """The table's entry for a path that `parse_path` gave."""
    return PARAMETERS[canonical(path)]


def parse_path(text: str) -> Path | None:
    """The path that *text* spells exactly (`address.city`, `tax_id_data[0][type]`), or None.

    Letter case does not matter. A list of texts may be named as a whole (`preferred_locales`) or by place.
    """
    dotted = _BRACKETED.sub(r".\1", text.strip().lower())
    if dotted.endswith("."):  # `preferred_locales[]` is how forms write the whole list
        dotted = dotted[:-1]
    path: Path = tuple(
        int(part) if part.isascii() and part.isdecimal() and len(part) < 5 else part for part in dotted.split(".")
    )
    known = canonical(path) in PARAMETERS and isinstance(path[0], str)
    return path if known and "" not in path and "[]" not in dotted else None


def field_names() -> tuple[str, ...]:
    """Every parameter as a person would write it, for suggestions and help texts."""
    return tuple(path.replace("[]", ".0") for path in PARAMETERS if path not in ("preferred_locales[]", "expand[]"))
