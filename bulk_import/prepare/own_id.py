"""The row's own id in the source system, out of its key column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulk_import.customer.cards import shown
from bulk_import.customer.leftovers import (
    NOTHINGS,
    ODD_STARTS,
    SHORTENED_MESSAGE,
    SHORTENED_RULE,
    is_shortened,
    unguarded,
)
from bulk_import.customer.parameters import MAX_METADATA_VALUE
from bulk_import.customer.text_rules import CONTROL, LINE_SIGNS
from bulk_import.customer.verdicts import Fault
from bulk_import.model import SOURCE_ID, Problem
from bulk_import.prepare.assembling import Draft
from bulk_import.prepare.flattening import metadata_text
from bulk_import.prepare.recipes import METADATA, Recipe


def take_key(
    recipe: Recipe, fields: Mapping[str, Any], draft: Draft, problems: list[Problem], warnings: list[Problem]
) -> str | None:
    """The row's own id, put into the metadata, too."""
    column = recipe.key_column
    text = (metadata_text(fields.get(column or "")) or "").strip()
    if text[:1] in ODD_STARTS and (inner := unguarded(text, every=True)) is not None:
        warnings.append(Problem(inner.rule, inner.message, column, shown(text), f"metadata.{SOURCE_ID}"))
        text = str(inner.value)
    text = "" if text in NOTHINGS else text
    if is_shortened(text):
        warnings.append(Problem(SHORTENED_RULE, SHORTENED_MESSAGE, column, shown(text), f"metadata.{SOURCE_ID}"))
    if not text:
        warnings.append(Problem("key-missing", "This row has no id of its own in the key column.", column=column))
        return None
    fault = _key_fault(text)
    if fault is not None:
        problems.append(Problem(fault.rule, fault.message, column, shown(text), f"metadata.{SOURCE_ID}"))
        return None
    draft.setdefault(METADATA, {})[SOURCE_ID] = text
    return text


def _key_fault(text: str) -> Fault | None:
    if len(text) > MAX_METADATA_VALUE:
        return Fault(
            "too-long",
            f"The row's id has {len(text)} characters and at most {MAX_METADATA_VALUE} are allowed; shorten it.",
        )
    if CONTROL.search(text) or LINE_SIGNS.search(text):
        return Fault("control-character", "The row's id holds a control character; remove it.")
    return None
