"""What updates replaced at a customer, and what they wrote there: all that an undo can go by (pure)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bulk_import.customer_parts import (
    DEFAULT_METHOD,
    METHOD,
    SHARED,
    SOURCE,
    SOURCE_PART,
    TAX_IDS,
    Parts,
    form_of,
    parts_of,
    tax_id_key,
)
from bulk_import.model import Params


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


def after_of(params: Params, salt: bytes) -> dict[str, Any]:
    """What an update with these parameters writes, part by part, in digests that *salt* keys."""
    found: dict[str, Any] = {name: digest(value, salt) for name, value in parts_of(params) if name != SOURCE}
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
