"""What a new customer was given, as keyed digests, and what of it was changed since (pure).

A row's parameters are deleted once it succeeds, so this is all that is left to tell a customer that somebody
has worked on from one that is still as it was made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

from bulk_import.model import MARKER, Params
from bulk_import.stripe_api.form import flatten

Form = Mapping[str, str]
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
_ALONE = frozenset({""})
_NAMES = frozenset({"business_name", "individual_name"})


def digest_of(params: Params, salt: bytes) -> str:
    """Every field of a create that a retrieve shows again, as JSON; *salt* is the ledger's own secret."""
    found = {name: _digest(name, form, salt) for name, form in _fields(params).items() if form}
    if _form(params.get("source")):
        found["default_source"] = ANY
    if _default_method(params).startswith(TEST_CARD):
        found["default_payment_method"] = ANY
    if MARKER in _mapping(params.get("metadata")):
        found[MARKED] = ANY
    return json.dumps(found, separators=(",", ":"))


def changed_fields(shown: Mapping[str, Any], digest: Digest, salt: bytes) -> tuple[str, ...]:
    """The fields of a customer, as a retrieve shows it, that are not as they were sent; the marker is not among them."""
    fields = _fields({**_DEFAULTS, **shown})
    return tuple(name for name in _COMPARED if _is_changed(name, fields.get(name, {}), digest, salt))


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
    settings = {k: v for k, v in _mapping(customer.get("invoice_settings")).items() if k != "default_payment_method"}
    metadata = {k: v for k, v in _mapping(customer.get("metadata")).items() if k != MARKER}
    apart = {
        "invoice_settings": settings, "metadata": metadata, "default_payment_method": _default_method(customer) or None
    }  # fmt: skip
    whole = {**customer, **apart}
    return {name: _form(whole[name]) for name in _COMPARED if whole.get(name) is not None}


def _form(value: Any) -> Form:
    if value is None or isinstance(value, str):  # most fields of most customers
        return {"": value} if value else {}
    return {name: str(leaf) for name, leaf in flatten({"": value}).items() if leaf != ""}


def _default_method(customer: Mapping[str, Any]) -> str:
    method = _mapping(customer.get("invoice_settings")).get("default_payment_method")
    return method if isinstance(method, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict | Mapping) else {}


def _digest(name: str, form: Form, salt: bytes) -> str:
    # ASCII, and the same from any version of Python. One text alone, as most fields are, is the same JSON made faster.
    if form.keys() == _ALONE:
        text = f'["{name}", [["", {encode_basestring_ascii(form[""])}]]]'
    else:
        text = json.dumps([name, sorted(form.items())])
    found = _keyed(salt).copy()
    found.update(text.encode())
    return found.hexdigest()


# To key the hash takes as long as to hash a field, and the ledger's salt is always the same.
@lru_cache(maxsize=4)
def _keyed(salt: bytes) -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=4, key=salt)
