"""What a new customer was given, as keyed digests, and what of it was changed since (pure).

A row's parameters are deleted once it succeeds, so this is all that is left to tell a customer that somebody
has worked on from one that is still as it was made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any

from bulk_import.model import MARKER, Params
from bulk_import.stripe_api.form import flatten

Form = str
"""What a field holds: the JSON of its sorted leaves, ASCII and the same from any version of Python; empty without any."""

Digest = Mapping[str, str]
"""Field -> eight hex digits, or `ANY`."""

ANY = "any"
"""Stands for a value that Stripe chose itself: that there is one is all that can be compared."""

MARKED = "marker"
"""The field that says the customer was made with a marker."""

TEST_CARD = "pm_card_"
"""Shared test payment methods: attaching one makes a payment method of another id."""

_EMPTY = (
    "address", "default_payment_method", "default_source", "description", "discount", "email", "invoice_settings",
    "metadata", "name", "phone", "preferred_locales", "shipping",
)  # fmt: skip
_DEFAULTS: Mapping[str, Any] = {"balance": 0, "next_invoice_sequence": 1, "tax_exempt": "none"}
_ONLY_IF_SENT = ("business_name", "individual_name", "invoice_prefix", "test_clock")
"""Stripe may fill these by itself."""

_COMPARED = (*_EMPTY, *_DEFAULTS, *_ONLY_IF_SENT)
_NAMES = frozenset({"business_name", "individual_name"})
_TEXTS = frozenset({str})


def digest_of(params: Params, salt: bytes) -> str:
    """Every field of a create that a retrieve shows again, as JSON; *salt* is the ledger's own secret."""
    found = {name: _digest(name, form, salt) for name, form in _fields(params).items() if form}
    if "source" in params and _form(params["source"]):
        found["default_source"] = ANY
    if "default_payment_method" in found and str(_default_method(params.get("invoice_settings"))).startswith(TEST_CARD):
        found["default_payment_method"] = ANY
    if MARKER in _mapping(params.get("metadata")):
        found[MARKED] = ANY
    return "{" + ",".join([f'"{name}":"{digest}"' for name, digest in found.items()]) + "}"


def changed_fields(shown: Mapping[str, Any], digest: Digest, salt: bytes) -> tuple[str, ...]:
    """The fields of a customer, as a retrieve shows it, that are not as they were sent; the marker is not among them."""
    fields = _fields({**_DEFAULTS, **shown})
    return tuple(name for name in _COMPARED if _is_changed(name, fields.get(name, ""), digest, salt))


def was_marked(digest: Digest) -> bool:
    """Whether the customer was made with a marker."""
    return MARKED in digest


def _is_changed(name: str, form: Form, digest: Digest, salt: bytes) -> bool:
    sent = digest.get(name)
    if sent == ANY:
        return not form
    if sent is not None:
        return _digest(name, form, salt) != sent
    if name in _ONLY_IF_SENT or (name == "name" and not _NAMES.isdisjoint(digest)):
        return False
    return form != _form(_DEFAULTS.get(name))


def _fields(customer: Mapping[str, Any]) -> dict[str, Form]:
    """The compared fields, the same for what is sent and for what is shown: nulls are left out, empty texts are nothing."""
    found = {name: _form(value) for name, value in customer.items() if name in _PLAIN}
    for name, (holder, pick) in _APART.items():
        if holder in customer:
            found[name] = _form(pick(customer[holder]))
    return found


def _form(value: Any) -> Form:
    # Made by hand, as every row passes here: `dumps` takes three times as long.
    if value is None or isinstance(value, str):  # most fields of most customers
        return f'["", {_quoted(value)}]' if value else ""
    if isinstance(value, dict) and _TEXTS.issuperset(map(type, value.values())):  # most of the others
        leaves = [(f"[{name}]", leaf) for name, leaf in value.items() if leaf]
    else:
        leaves = [(name, str(leaf)) for name, leaf in flatten({"": value}).items() if leaf != ""]
    leaves.sort()
    return ", ".join([f"[{_quoted(name)}, {_quoted(leaf)}]" for name, leaf in leaves])


def _settings(settings: Any) -> Mapping[str, Any]:
    """The invoice settings but for the payment method, which is compared by itself."""
    return {name: value for name, value in _mapping(settings).items() if name != "default_payment_method"}


def _metadata(metadata: Any) -> Mapping[str, Any]:
    """What the source says of a person, without our marker."""
    return {name: value for name, value in _mapping(metadata).items() if name != MARKER}


def _default_method(settings: Any) -> str | None:
    method = _mapping(settings).get("default_payment_method")
    return method if isinstance(method, str) and method else None


_APART: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "invoice_settings": ("invoice_settings", _settings), "metadata": ("metadata", _metadata),
    "default_payment_method": ("invoice_settings", _default_method),
}  # fmt: skip
"""Fields that are not compared as they stand there: what holds each, and what of that it is."""

_PLAIN = frozenset(_COMPARED) - _APART.keys()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, (dict, Mapping)) else {}


def _digest(name: str, form: Form, salt: bytes) -> str:
    found = _keyed(salt).copy()
    found.update(f'["{name}", [{form}]]'.encode())
    return found.hexdigest()


# To key the hash takes as long as to hash a field, and the ledger's salt is always the same.
@lru_cache(maxsize=4)
def _keyed(salt: bytes) -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=4, key=salt)
