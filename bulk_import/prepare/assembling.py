"""Makes the body of a request out of the cleaned values of one row; pure, and blind to columns."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any

from bulk_import.customer.countries import NUMBER_BEHIND
from bulk_import.customer.tax_ids import vat_type
from bulk_import.customer.verdicts import Fault
from bulk_import.prepare.recipes import LINE1, NAME, SHIPPING_LINE1, SHIPPING_NAME, VAT, Fixed

Draft = dict[str, dict[Any, Any]]
"""Cleaned values by group: the group `address` holds `city`, the group "" the customer's own fields.

Groups that start with a `*` are not sent as they are: parts of names, and a VAT number whose type is to be told.
"""

_TAX_ID = "tax_id_data.0"
_TAX_ID_TYPE = ("tax_id_data", 0, "type")


def assemble(
    draft: Draft, fixed: tuple[Fixed, ...], *, ship_to_name: bool = False
) -> tuple[dict[str, Any], list[Fault]]:
    """The parameters that *draft* and the fixed values make, and what is wrong with them on the way.

    With *ship_to_name* the customer's name is that of who receives what is shipped.
    """
    faults: list[Fault] = []
    if NAME in draft:
        faults += _join_name(draft, NAME, "", 256)
    if SHIPPING_NAME in draft:
        faults += _join_name(draft, SHIPPING_NAME, "shipping", 5000)
    if LINE1 in draft:
        faults += _join_name(draft, LINE1, "address", 5000)
    if SHIPPING_LINE1 in draft:
        faults += _join_name(draft, SHIPPING_LINE1, "shipping.address", 5000)
    if VAT in draft:
        faults += _place_vat(draft, fixed)
    for each in fixed:
        if each.beside is None or _has_other(draft, each, fixed):
            draft.setdefault(each.group, {})[each.path[-1]] = copy(each.value)
    name = draft[""].get("name")
    if ship_to_name and name is not None and "shipping.address" in draft:
        draft.setdefault("shipping", {})["name"] = name
    return _nested(draft), faults


def _join_name(draft: Draft, source: str, group: str, limit: int) -> Iterator[Fault]:
    parts, place = draft.pop(source), source.rpartition(".")[2].lstrip("*")
    if place in draft.get(group, ()):
        return  # the row has the whole
    country = draft.get(group, {}).get("country")
    order = (
        sorted(parts, key=_behind_street) if country in NUMBER_BEHIND and _begins_with_number(parts) else sorted(parts)
    )
    whole = " ".join(parts[position] for position in order)
    draft.setdefault(group, {})[place] = whole
    if len(whole) > limit:
        message = f"What is joined has {len(whole)} characters and at most {limit} are allowed; shorten it."
        yield Fault("too-long", message, source[1:])


def _behind_street(position: int) -> int:
    """The place of a half of a street's line where the number of the house, which comes first, stands behind the street."""
    return (1, 0, 2)[position]


def _begins_with_number(parts: dict[Any, Any]) -> bool:
    return parts.get(0, "")[:1].isdigit() and not parts.get(1, "0")[:1].isdigit()


def _place_vat(draft: Draft, fixed: tuple[Fixed, ...]) -> Iterator[Fault]:
    number = draft.pop(VAT)["value"]
    item = draft.setdefault(_TAX_ID, {})
    item["value"] = number
    if "type" in item or any(each.path == _TAX_ID_TYPE for each in fixed):
        return
    country = draft.get("address", {}).get("country") or _fixed_country(fixed)
    kind = vat_type(number, country)
    if kind is not None:
        item["type"] = kind
        return
    del draft[_TAX_ID]
    where = "without a country" if country is None else f"of a customer in {country}"
    message = (
        f"The type of the tax number {where} cannot be told; add a column tax_id_data.0.type, say "
        '--set tax_id_data.0.type=TYPE, or keep the number with --map "COLUMN=metadata".'
    )
    yield Fault("tax-id-type", message, "tax_id_data.0.type")


def _fixed_country(fixed: tuple[Fixed, ...]) -> str | None:
    return next((each.value for each in fixed if each.path == ("address", "country")), None)


def _has_other(draft: Draft, one: Fixed, fixed: tuple[Fixed, ...]) -> bool:
    """Whether the row itself fills something beside *one* that is not fixed."""
    start = ".".join(str(part) for part in one.beside or ())
    ours = {(each.group, each.path[-1]) for each in fixed}
    return any(
        (group, key) not in ours
        for group, values in draft.items()
        if group == start or group.startswith(f"{start}.")
        for key in values
    )


def _nested(draft: Draft) -> dict[str, Any]:
    params: dict[str, Any] = draft.pop("", {})
    deep: list[str] = []
    for group, values in draft.items():
        if "." in group or type(next(iter(values))) is int:
            deep.append(group)
        else:
            params[group] = values
    return params if not deep else _with_deep(params, draft, sorted(deep, key=len))


def _with_deep(params: dict[str, Any], draft: Draft, deep: list[str]) -> dict[str, Any]:
    lists: list[tuple[dict[Any, Any], Any]] = []
    for group in deep:
        inner: dict[Any, Any] = params
        path = [int(part) if part.isdecimal() else part for part in group.split(".")]
        for part, following in zip(path, [*path[1:], next(iter(draft[group]))], strict=True):
            if isinstance(following, int):
                lists.append((inner, part))
            inner = inner.setdefault(part, {})
        inner.update(draft[group])
    for holder, name in lists:
        if isinstance(holder[name], dict):
            holder[name] = [holder[name][place] for place in sorted(holder[name])]
    return params
