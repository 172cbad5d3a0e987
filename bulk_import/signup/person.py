"""Who is to be found or created: clean parameters, or a sentence about what is wrong with them; and the person's key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bulk_import.customer.cards import holds_card
from bulk_import.customer.emails import email_fault, email_key
from bulk_import.customer.parameters import MAX_METADATA_KEY, MAX_METADATA_KEYS, MAX_METADATA_VALUE, PARAMETERS
from bulk_import.errors import CustomerInvalid
from bulk_import.model import Params
from bulk_import.signup.day import Day


@dataclass(frozen=True, slots=True)
class Person:
    """An e-mail as it was given, the key it is compared by, and what a create would send."""

    email: str
    email_key: str
    params: Params


def person_of(email: str, name: str | None, metadata: Mapping[str, str] | None, payment_method: str | None) -> Person:
    """The person that these fields describe; raises `CustomerInvalid` with everything that is wrong at once."""
    given = (email or "").strip()
    params: dict[str, Any] = {"email": given}
    if name and name.strip():
        params["name"] = name.strip()
    kept = {key: value for key, value in (metadata or {}).items() if value != ""}
    if kept:
        params["metadata"] = kept
    if payment_method:
        params |= {
            "payment_method": payment_method,
            "invoice_settings": {"default_payment_method": payment_method},
        }
    if faults := list(_faults(params)):
        raise CustomerInvalid("; ".join(faults))
    return Person(given, email_key(given), params)


def _faults(params: Params) -> Iterator[str]:
    email, name, metadata = params["email"], params.get("name", ""), params.get("metadata", {})
    if not email:
        yield "there is no e-mail address; give one"
    elif fault := email_fault(email):
        yield f"this is no e-mail address: {fault}; correct it"
    most = PARAMETERS["name"].limit or 0
    if len(name) > most:
        yield f"the name has {len(name)} characters and at most {most} are allowed; shorten it"
    if len(metadata) > MAX_METADATA_KEYS:
        yield f"there are {len(metadata)} keys of metadata and at most {MAX_METADATA_KEYS} are allowed; leave some out"
    for key, value in metadata.items():
        if not isinstance(value, str) or len(value) > MAX_METADATA_VALUE:
            yield f"metadata must be text of at most {MAX_METADATA_VALUE} characters, and {key[:40]!r} is not"
        if not key or len(key) > MAX_METADATA_KEY or "[" in key or "]" in key:
            yield f"a key of metadata has at most {MAX_METADATA_KEY} characters and no brackets, unlike {key[:50]!r}"
    if any(holds_card(text) for text in (name, *metadata, *map(str, metadata.values()))):
        yield "a card number is among the fields; card data must never pass through here"


def key_of(scope: str, account: str, person: Person, day: Day, number: int) -> str:
    """The idempotency key under which everybody creates this person on this day; *number* counts keys used up."""
    text = "\n".join((scope, account, day.name, str(number), person.email_key))
    return "bi_" + hashlib.sha256(text.encode()).hexdigest()
