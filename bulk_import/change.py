"""What an update of an existing customer sends, and what was there before (pure).

A *part* of a customer is what one parameter replaces as a whole, in Stripe's spelling: `name`, `address`,
`metadata[plan]`, `invoice_settings[footer]`. Only parts that differ are sent. An address or a shipping is sent whole,
the file's cells over what is there, so that no cell the file does not name is lost. Nothing is ever cleared.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bulk_import.customer.emails import email_key
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

_WHOLE = ("address", "shipping", "invoice_settings[rendering_options]")
"""Objects that an update replaces, so that they are sent whole."""

_UNSEEN = "tax[validate_location]"
"""Says how to act and is never shown; sent beside other parts only."""

_EXPANDED = {TAX_IDS: "tax_ids", "tax": "tax", "cash_balance": "cash_balance"}
"""Parameters that a retrieve shows only when it is asked to."""

_CLEARABLE = ("address", "shipping", "metadata[", "invoice_settings[custom_fields]", *_WHOLE)
_NAME = re.compile(r"(\w+)\[(.*)\]", re.DOTALL)
_LOOSE = re.compile(r"[\s./-]")


@dataclass(frozen=True, slots=True)
class Change:
    """What to send to one customer, and what it replaces.

    `params` has the shape of a create's, with what differs alone: a `payment_method` is to be attached, each item of
    `tax_id_data` to be added. `before` holds the value of each part that `params` names, None where there is none.
    """

    params: Params
    before: Parts

    @property
    def is_empty(self) -> bool:
        """Whether the customer already is as the row says."""
        return not self.params

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that differ, as a person reads them."""
        return tuple(self.before)


@dataclass(frozen=True, slots=True)
class Image:
    """What one row's updates replaced at one customer: `before` the first of them, and what the last ones wrote.

    `after` holds a keyed digest of what was written to each part; of a payment method its id as it was given.
    `attached` is the id it has since it was attached, None where that is not known or the same.
    """

    row: int
    target: str
    before: Parts
    after: Mapping[str, Any]
    attached: str | None = None

    def wrote(self, name: str, value: Any, salt: bytes) -> bool:
        """Whether this is what was written to a part; what a legacy source became cannot be told from it."""
        if name == SOURCE_PART or (name == DEFAULT_METHOD and value is not None and value == self.attached):
            return True
        return bool(digest(value, salt) == self.after.get(name))

    def may_have_wrote(self, name: str, value: Any, salt: bytes) -> bool:
        """The same, where the id that a shared method got may be unknown."""
        unknown = name == DEFAULT_METHOD and self.attached is None and str(self.after.get(METHOD)).startswith(SHARED)
        return unknown or self.wrote(name, value, salt)

    @property
    def method(self) -> str | None:
        """The payment method that we attached, None where we attached none or cannot tell its id."""
        given = self.after.get(METHOD)
        return self.attached or (given if isinstance(given, str) and not given.startswith(SHARED) else None)


def merged(images: Sequence[Image], salt: bytes) -> Image:
    """Make one image of those of one row and customer, oldest first.

    What was there first is what counts, unless a later one found there what neither was there nor was written by us:
    somebody has changed it in between, and that is what an undo must bring back.
    """
    last, before, after = images[-1], dict(images[0].before), dict(images[0].after)
    for place, image in enumerate(images[1:], 1):
        for name, there in image.before.items():
            ours = any(older.may_have_wrote(name, there, salt) for older in images[:place])
            if name not in before or not (ours or form_of(there) == form_of(before[name])):
                before[name] = there
        after |= image.after
    attached = next((image.attached for image in reversed(images) if image.attached), None)
    return Image(last.row, last.target, before, after, attached)


def overtaken(params: Params, before: Parts, shown: Mapping[str, Any]) -> tuple[str, ...]:
    """The parts of an update that show neither what was there nor what it writes: somebody has changed them since."""
    wanted = dict(_parts_of(params))
    if str(params.get(METHOD)).startswith(SHARED):
        wanted.pop(DEFAULT_METHOD, None)  # attached, it has another id than the one it was given by
    named = [name for name in before if name in wanted and name != SOURCE_PART]
    return tuple(
        name for name in named if form_of(value_of(name, shown)) not in (form_of(before[name]), form_of(wanted[name]))
    )


def own_of(params: Params, before: Parts) -> Params:
    """The parameters of an update without what objects that are sent whole took over from what was there."""
    found: dict[str, Any] = dict(params)
    for name in _WHOLE:
        top, child = split(name)
        given = found.get(top) if child is None else _child(found.get(top), child)
        if given is not None and name in before:
            own = _less(given, before[name])
            found[top] = own if child is None else {**found[top], child: own}
    return found


def difference(wanted: Params, shown: Mapping[str, Any], *, attached: bool = False) -> Change:
    """Hold the parameters of a row against a customer as a retrieve shows it.

    *attached* says that the row's payment method is this customer's already. The retrieve must have expanded what
    `expansions` names.
    """
    params: dict[str, Any] = {}
    before: dict[str, Any] = {}
    for name, value in _parts_of(wanted):
        there = value_of(name, shown)
        value = _overlaid(there, value) if name in _WHOLE else value
        if name == SOURCE or not _is_same(name, value, there):
            _put(params, name, value)
            before[SOURCE_PART if name == SOURCE else name] = there
    if params and (location := _child(wanted.get("tax"), "validate_location")):
        _put(params, _UNSEEN, location)
    if METHOD in wanted and not attached and wanted[METHOD] != value_of(DEFAULT_METHOD, shown):
        params[METHOD], before[METHOD] = wanted[METHOD], None
    if missing := [each for each in wanted.get(TAX_IDS, ()) if tax_id_key(each) not in tax_ids_of(shown)]:
        params[TAX_IDS], before[TAX_IDS] = missing, None
    return Change(params, before)


def metadata_after(change: Change, shown: Mapping[str, Any]) -> int:
    """How many keys of metadata a customer has once the change is merged into what is there."""
    there, given = shown.get("metadata"), change.params.get("metadata")
    return len({*(there if isinstance(there, Mapping) else ()), *(given if isinstance(given, Mapping) else ())})


def known_as(params: Params, method: str | None) -> Params:
    """The parameters of an update whose payment method was attached before, under the id that it got."""
    if method is None or METHOD not in params:
        return params
    given = params[METHOD]
    rest = {name: value for name, value in params.items() if name != METHOD}
    settings = rest.get("invoice_settings")
    if isinstance(settings, Mapping) and settings.get("default_payment_method") == given:
        rest["invoice_settings"] = {**settings, "default_payment_method": method}
    return rest


def expansions(names: Sequence[str] | Params) -> list[str]:
    """What a retrieve must expand to show these parameters or parts."""
    tops = {name.partition("[")[0] for name in names}
    return [shown for name, shown in _EXPANDED.items() if name in tops]


def value_of(name: str, shown: Mapping[str, Any]) -> Any:
    """The value of one part as a retrieve shows it, without what is empty; None where there is nothing."""
    top, child = split(name)
    value = shown.get(top)
    if child is not None:
        value = _child(value, child)
    if name == "cash_balance[settings]" and isinstance(value, Mapping):
        usual = value.get("using_merchant_default")
        value = {"reconciliation_mode": "merchant_default" if usual else value.get("reconciliation_mode")}
    return _trimmed(value)


def after_of(params: Params, salt: bytes) -> dict[str, Any]:
    """What an update with these parameters writes, part by part, in digests that *salt* keys."""
    found: dict[str, Any] = {name: digest(value, salt) for name, value in _parts_of(params) if name != SOURCE}
    if SOURCE in params:
        found[SOURCE_PART] = None
    if METHOD in params:
        found[METHOD] = params[METHOD]
    if TAX_IDS in params:
        found[TAX_IDS] = [digest(tax_id_key(each), salt) for each in params[TAX_IDS]]
    return found


def digest(value: Any, salt: bytes) -> str:
    """Tells a value from another one without keeping it."""
    text = json.dumps(sorted(form_of(value).items()))
    return hashlib.blake2b(text.encode(), digest_size=8, key=salt).hexdigest()


def form_of(value: Any) -> dict[str, str]:
    """A value as Stripe compares it: nulls and empty texts are nothing, numbers are text."""
    return {name: str(leaf) for name, leaf in flatten({"": value}).items() if leaf != ""}


def tax_ids_of(shown: Mapping[str, Any]) -> dict[str, str]:
    """The tax ids of a customer whose `tax_ids` were expanded: key -> id."""
    held = _child(shown.get("tax_ids"), "data")
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


def nested(parts: Parts) -> Params:
    """Parts as the body of a request."""
    params: dict[str, Any] = {}
    for name, value in parts.items():
        _put(params, name, value)
    return params


def split(name: str) -> tuple[str, str | None]:
    """A part's parameter, and the child of it that the part is."""
    found = _NAME.fullmatch(name)
    return (found[1], found[2]) if found else (name, None)


def _parts_of(params: Params) -> Iterator[tuple[str, Any]]:
    for top, value in params.items():
        if top in _SPLIT and isinstance(value, Mapping):
            yield from ((f"{top}[{child}]", inner) for child, inner in value.items() if f"{top}[{child}]" != _UNSEEN)
        elif top not in _APART:
            yield top, value


def _put(params: dict[str, Any], name: str, value: Any) -> None:
    top, child = split(name)
    if child is None:
        params[top] = value
    else:
        params.setdefault(top, {})[child] = value


def _overlaid(there: Any, given: Any) -> Any:
    """What is there with what is given over it, level by level."""
    if not isinstance(there, Mapping) or not isinstance(given, Mapping):
        return given
    return {**there, **{name: _overlaid(there.get(name), value) for name, value in given.items()}}


def _less(given: Any, there: Any) -> Any:
    """The cells of what is given that are other ones than those that were there."""
    if not isinstance(given, Mapping) or not isinstance(there, Mapping):
        return given
    return {k: _less(v, there.get(k)) for k, v in given.items() if form_of(v) != form_of(there.get(k))}


def _is_same(name: str, value: Any, there: Any) -> bool:
    """Whether a part needs no writing; of an e-mail that is there in other letters, the merchant's own stays."""
    if name == "email" and isinstance(value, str) and isinstance(there, str) and email_key(value) == email_key(there):
        return True
    return form_of(value) == form_of(there)


def _trimmed(value: Any) -> Any:
    """A value without nulls and empty texts; None where nothing is left."""
    if isinstance(value, Mapping):
        kept = {name: inner for name, each in value.items() if (inner := _trimmed(each)) is not None}
        return kept or None
    if isinstance(value, list):
        return [_trimmed(each) for each in value] or None
    return None if value == "" else value


def _child(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None
