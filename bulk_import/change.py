"""What an update of an existing customer sends, and what was there before (pure).

Only parts that differ are sent. An address or a shipping is sent whole, the file's cells over what is there, so that no
cell the file does not name is lost. Nothing is ever cleared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bulk_import.customer.emails import email_key
from bulk_import.customer_parts import (
    DEFAULT_METHOD,
    METHOD,
    SHARED,
    SOURCE,
    SOURCE_PART,
    TAX_IDS,
    UNSEEN,
    WHOLE,
    Parts,
    child_of,
    form_of,
    parts_of,
    put,
    split,
    tax_id_key,
    tax_ids_of,
    value_of,
)
from bulk_import.model import Params


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


def overtaken(params: Params, before: Parts, shown: Mapping[str, Any]) -> tuple[str, ...]:
    """The parts of an update that show neither what was there nor what it writes: somebody has changed them since."""
    wanted = dict(parts_of(params))
    if str(params.get(METHOD)).startswith(SHARED):
        wanted.pop(DEFAULT_METHOD, None)  # attached, it has another id than the one it was given by
    named = [name for name in before if name in wanted and name != SOURCE_PART]
    return tuple(
        name for name in named if form_of(value_of(name, shown)) not in (form_of(before[name]), form_of(wanted[name]))
    )


def own_of(params: Params, before: Parts) -> Params:
    """The parameters of an update without what objects that are sent whole took over from what was there."""
    found: dict[str, Any] = dict(params)
    for name in WHOLE:
        top, child = split(name)
        given = found.get(top) if child is None else child_of(found.get(top), child)
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
    for name, value in parts_of(wanted):
        there = value_of(name, shown)
        value = _overlaid(there, value) if name in WHOLE else value
        if name == SOURCE or not _is_same(name, value, there):
            put(params, name, value)
            before[SOURCE_PART if name == SOURCE else name] = there
    if params and (location := child_of(wanted.get("tax"), "validate_location")):
        put(params, UNSEEN, location)
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
