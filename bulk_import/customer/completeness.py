"""What must hold of a customer as a whole: what belongs together is there together, and not too much of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bulk_import.customer.parameters import MAX_CUSTOM_FIELDS, MAX_METADATA_KEYS
from bulk_import.customer.verdicts import Fault


def whole_faults(params: Mapping[str, Any], *, reserved_keys: int = 1) -> Iterator[Fault]:
    """What is wrong with a customer as a whole; *reserved_keys* are the metadata keys that are added later.

    The names of metadata keys are not looked at: columns become keys only as `choosing.fitting_key` allows.
    """
    if (shipping := params.get("shipping")) is not None:
        yield from _shipping_faults(shipping)
    for number, item in enumerate(params.get("tax_id_data", ())):
        yield from _half_faults(item, ("type", "value"), f"tax_id_data.{number}")
    method = params.get("payment_method")
    default = params.get("invoice_settings", {}).get("default_payment_method", method)
    if method is not None and default != method:
        yield Fault(
            "payment-method",
            "The default payment method must be the customer's own and this is another than payment_method; "
            "leave one of the two empty.",
            "invoice_settings.default_payment_method",
        )
    fields = params.get("invoice_settings", {}).get("custom_fields", ())
    for number, item in enumerate(fields):
        yield from _half_faults(item, ("name", "value"), f"invoice_settings.custom_fields.{number}")
    if len(fields) > MAX_CUSTOM_FIELDS:
        yield Fault(
            "custom-fields",
            f"An invoice takes {MAX_CUSTOM_FIELDS} custom fields and this row has {len(fields)}; leave some out.",
            "invoice_settings.custom_fields",
        )
    metadata = params.get("metadata", ())
    if len(metadata) > MAX_METADATA_KEYS - reserved_keys:
        yield _too_many_keys(len(metadata), reserved_keys)


def _shipping_faults(shipping: Mapping[str, Any]) -> Iterator[Fault]:
    for part, meaning in (("name", "the name of who receives it"), ("address", "an address")):
        if not shipping.get(part):
            yield Fault(
                "shipping",
                f"Shipping needs {meaning}, too; fill shipping.{part} or leave all of shipping empty.",
                f"shipping.{part}",
            )


def _half_faults(item: Mapping[str, Any], halves: tuple[str, str], where: str) -> Iterator[Fault]:
    for half in halves:
        if half not in item:
            other = halves[0] if half == halves[1] else halves[1]
            yield Fault(
                "both-halves",
                f"{where}.{other} is given without {where}.{half}; give both or neither.",
                f"{where}.{half}",
            )


def _too_many_keys(count: int, reserved_keys: int) -> Fault:
    ours = ", of which this tool needs one," if reserved_keys else ""
    message = (
        f"Metadata holds {MAX_METADATA_KEYS} keys{ours} and this row has {count}; leave columns out with "
        '--map "COLUMN=ignore", or all that have no field of their own with --unmapped ignore.'
    )
    return Fault("metadata-keys", message, "metadata")
