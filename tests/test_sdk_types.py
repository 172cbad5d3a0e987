"""Every body that is sent is one that the SDK's own types know, checked field by field."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from stripe.params import CustomerCreateParams

from bulk_import.mapping.settled import MappingOptions
from bulk_import.model import Row
from bulk_import.options import Preparing
from bulk_import.prepare.rows import prepare
from bulk_import.reading import Source, read
from bulk_import.survey import preparation, survey

NAMES = {"StripeContext": object, "Mapping": Mapping}
"""What the SDK's modules name for type checkers only."""

SAMPLES = Path(__file__).parent.parent / "samples"
EVERYTHING: dict[str, Any] = {
    "email": "ann@example.com", "name": "Ann", "business_name": "Example Ltd", "individual_name": "Ann", "phone": "+1 555",
    "description": "d", "balance": -5, "next_invoice_sequence": 7, "invoice_prefix": "ANN1", "tax_exempt": "reverse",
    "preferred_locales": ["de", "pt-BR"], "payment_method": "pm_card_visa", "metadata": {"plan": "gold"},
    "address": {"line1": "1", "line2": "2", "city": "c", "state": "s", "postal_code": "01067", "country": "DE"},
    "shipping": {"name": "Ann", "phone": "+1", "address": {"line1": "1", "country": "DE"}},
    "tax_id_data": [{"type": "eu_vat", "value": "DE123456789"}],
    "invoice_settings": {"custom_fields": [{"name": "n", "value": "v"}], "footer": "f",
                         "rendering_options": {"amount_tax_display": "exclude_tax"}},
    "cash_balance": {"settings": {"reconciliation_mode": "manual"}},
    "tax": {"ip_address": "192.0.2.1", "validate_location": "deferred"},
}  # fmt: skip


def strangers(value: Any, kind: Any, path: str = "") -> Iterator[str]:
    """Where *value* is nothing that the type allows."""
    origin = typing.get_origin(kind)
    name_of_origin = str(origin).rpartition(".")[2]  # the SDK takes them from typing_extensions, which has its own
    if origin in (typing.Union, types.UnionType):
        tried = [list(strangers(value, one, path)) for one in typing.get_args(kind)]
        yield from min(tried, key=len)
    elif name_of_origin == "Literal":
        if value not in typing.get_args(kind):
            yield f"{path}: {value!r} is none of {typing.get_args(kind)[:5]}"
    elif name_of_origin in ("Required", "NotRequired"):
        yield from strangers(value, typing.get_args(kind)[0], path)
    elif origin is list:
        if not isinstance(value, list):
            yield f"{path} is no list"
        else:
            for item in value:
                yield from strangers(item, typing.get_args(kind)[0], f"{path}[]")
    elif origin in (dict, Mapping):
        for name, item in value.items() if isinstance(value, Mapping) else [("", f"{path} is no object")]:
            yield from strangers(item, typing.get_args(kind)[1], f"{path}.{name}")
    elif hasattr(kind, "__total__"):  # a TypedDict of whichever module
        hints = typing.get_type_hints(kind, localns=NAMES, include_extras=True)
        if not isinstance(value, Mapping):
            yield f"{path} is no object"
            return
        for name, item in value.items():
            if name not in hints:
                yield f"{path}.{name} is no parameter"
            else:
                yield from strangers(item, hints[name], f"{path}.{name}")
    elif not isinstance(value, origin or kind):
        yield f"{path} is {type(value).__name__}, not {kind}"


def bodies(source: Path, options: MappingOptions) -> Iterator[Mapping[str, Any]]:
    """What would be sent for each valid row."""
    preparing = Preparing(mapping=options)
    found = survey(source, preparing)
    how = preparation(found.reading, preparing)
    with Source.open(source) as opened:
        for record in read(opened, found.reading):
            row = prepare(record, how)
            if isinstance(row, Row):
                yield row.params


@pytest.mark.parametrize("name", ["customers.csv", "customers.jsonl", "messy.csv"])
def test_the_bodies_of_the_samples_are_parameters_of_the_sdk(name: str) -> None:
    found = list(bodies(SAMPLES / name, MappingOptions()))
    assert len(found) > 30
    assert [trouble for body in found for trouble in strangers(body, CustomerCreateParams)] == []


def test_every_field_there_is_reaches_its_parameter(tmp_path: Path) -> None:
    source = tmp_path / "all.jsonl"
    source.write_text(json.dumps(EVERYTHING) + "\n")
    (body,) = bodies(source, MappingOptions(unmapped="refuse"))
    assert set(body) == set(EVERYTHING)
    assert list(strangers(body, CustomerCreateParams)) == []


def test_what_is_no_parameter_would_be_found() -> None:
    wrong = {"emial": "x", "address": {"zip": "1"}, "balance": "5", "preferred_locales": "de"}
    assert len(list(strangers(wrong, CustomerCreateParams))) == 4
