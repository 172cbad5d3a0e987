"""What must hold of a customer as a whole: what belongs together is there together, and not too much of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bulk_import.customer import Fault
from bulk_import.parameters import MAX_CUSTOM_FIELDS, MAX_METADATA_KEY, MAX_METADATA_KEYS


def whole_faults(params: Mapping[str, Any], *, reserved_keys: int = 1) -> Iterator[Fault]:
    """What is wrong with a customer as a whole; *reserved_keys* are the metadata keys that are added later."""
    if (shipping := params.get("shipping")) is not None:
        yield from _shipping_faults(shipping)
    for number, item in enumerate(params.get("tax_id_data", ())):
        yield from _half_faults(item, ("type", "value"), f"tax_id_data.{number}")
    fields = params.get("invoice_settings", {}).get("custom_fields", ())
    for number, item in enumerate(fields):
        yield from _half_faults(item, ("name", "value"), f"invoice_settings.custom_fields.{number}")
    if len(fields) > MAX_CUSTOM_FIELDS:
        yield Fault(
            "custom-fields",
            f"An invoice takes {MAX_CUSTOM_FIELDS} custom fields and this row has {len(fields)}; leave some out.",
            "invoice_settings.custom_fields",
        )
    if "metadata" in params:
        yield from _metadata_faults(params["metadata"], reserved_keys)


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


def _metadata_faults(metadata: Mapping[str, str], reserved_keys: int) -> Iterator[Fault]:
    most = MAX_METADATA_KEYS - reserved_keys
    if len(metadata) > most:
        ours = f" beside the {reserved_keys} of this tool" if reserved_keys else ""
        yield Fault(
            "metadata-keys",
            f"Metadata holds {most} keys{ours} and this row has {len(metadata)}; "
            'leave columns out with --map "COLUMN=ignore".',
            "metadata",
        )
    for key in metadata:
        if len(key) > MAX_METADATA_KEY or "[" in key or "]" in key:
            yield Fault(
                "metadata-key",
                f"A metadata key has at most {MAX_METADATA_KEY} characters and no brackets; "
                'rename it with --map "COLUMN=metadata.KEY".',
                f"metadata.{key[:MAX_METADATA_KEY]}",
            )
