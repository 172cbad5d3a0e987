"""Record -> Row | Invalid: maps one record and judges it, every problem at once; pure, and never an exception."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bulk_import.customer.cards import SHORTEST, holds_card, mask_cards, shown
from bulk_import.customer.emails import email_key
from bulk_import.customer.garbled import GARBLED_RULE, garbled_message
from bulk_import.customer.leftovers import (
    KEPT_MESSAGE,
    KEPT_RULE,
    LONGEST_NOTHING,
    LONGEST_NULL,
    NOTHING_MESSAGE,
    NOTHING_RULE,
    NOTHINGS,
    NULL_RULE,
    NULLS,
    ODD_STARTS,
    UNCALCULATED_MESSAGE,
    UNCALCULATED_RULE,
    is_uncalculated,
    may_be_guarded,
    null_message,
    unguarded,
)
from bulk_import.customer.parameters import SHARED_METHODS, parse_path
from bulk_import.customer.text_rules import CONTROL, LINE_SIGNS
from bulk_import.customer.verdicts import Fault, Noted, too_long
from bulk_import.formulas import restore
from bulk_import.mapping.neversent import is_hash
from bulk_import.model import SOURCE_ID, Invalid, Method, Problem, Record, Row
from bulk_import.prepare.assembling import Draft
from bulk_import.prepare.completing import complete
from bulk_import.prepare.flattening import flatten, is_flat, json_in_cell, json_kind, with_entries
from bulk_import.prepare.keeping import LOST, UNSHOWN, kept_fields, masked
from bulk_import.prepare.own_id import take_key
from bulk_import.prepare.preparation import Preparation
from bulk_import.prepare.recipes import METADATA, NAME, SHIPPING_NAME, Recipe, Step
from bulk_import.wording import terminal_safe, typeable

__all__ = ["UNSHOWN", "Preparation", "prepare", "problem_of"]

_NAMES = frozenset({"name", "individual_name", "shipping.name"})


def prepare(record: Record, how: Preparation) -> Row | Invalid:
    """The row that can be sent for *record*, or everything that is wrong with it."""
    mapping = how.mapping
    if record.problem is not None:
        return _unreadable(record, record.problem, how)
    problems: list[Problem] = []
    warnings: list[Problem] = []
    given = whole = fields = record.fields
    if mapping.from_own_export:
        given = _restored(given)
        whole = fields = with_entries(given)
    columns = mapping.columns_of(whole.keys())
    is_own = columns is not mapping.columns  # and not the source's
    nested = (is_own or mapping.from_own_export) and not is_flat(whole)
    if nested:
        fields = _flat(whole, problems)
    recipe = how.recipe(tuple(fields) if nested else columns)
    draft: Draft = {"": {}}
    guarded = _is_guarded(recipe, fields)
    _follow(recipe.steps, fields, draft, problems, warnings, guarded=guarded)
    for spare in recipe.spares:
        if spare.key not in draft.get(spare.group or "", ()):
            _follow((spare,), fields, draft, problems, warnings, guarded=guarded)
    if record.lost:
        problems += _lost(recipe, record.lost)
    if nested:
        problems += _objects_for_texts(recipe, whole, fields)
    if recipe.unmapped:
        problems += [_unmapped(column) for column in recipe.unmapped if fields.get(column) not in (None, "")]
    source_id = take_key(recipe, fields, draft, problems, warnings) if recipe.key_column is not None else None
    if how.allow_no_email and not problems and draft == {"": {}}:
        problems.append(Problem("empty", "This row holds nothing that could be sent; fill it in or remove it."))
    method = _own_method(draft, recipe)
    params = complete(draft, recipe, how, problems, warnings)
    kept = kept_fields(given, recipe.wiped) if recipe.wiped or is_own else given
    if problems:
        email = _given_email(recipe, fields)
        return Invalid(
            record.number, record.line, source_id, email, tuple(problems), masked(kept, recipe.spared), method
        )
    email = params.get("email")
    key = email_key(email) if email is not None else None
    return Row(record.number, record.line, source_id, email, key, params, kept, tuple(warnings), method)


def _restored(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The cells of a file that our own export wrote, as they were before it made them safe for spreadsheets."""
    return {column: restore(value) if isinstance(value, str) else value for column, value in fields.items()}


def _flat(given: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    fields, twice = flatten(given)
    for name in twice:
        message = f'"{terminal_safe(name)}" is given twice in this record; keep one of them.'
        problems.append(Problem("twice", message, column=name))
    return fields


def _objects_for_texts(recipe: Recipe, given: Mapping[str, Any], fields: Mapping[str, Any]) -> Iterator[Problem]:
    """Parameters that take a text and were given an object of which nothing has a field of its own."""
    for name, value in given.items():
        if not isinstance(value, Mapping) or parse_path(name) is None:
            continue
        inner = [step for step in recipe.steps if step.column.startswith(f"{name}.") and fields.get(step.column)]
        if inner and all(step.group == METADATA and step.key == step.column for step in inner):
            message = f"Text is needed here and this is {json_kind(value)}; write it as text, or say what becomes of "
            message += f'its entries with --map "{inner[0].column}=FIELD" (or =ignore).'
            yield Problem("type", message, name, json_kind(value), name)


def _follow(
    steps: tuple[Step, ...],
    fields: Mapping[str, Any],
    draft: Draft,
    problems: list[Problem],
    warnings: list[Problem],
    *,
    guarded: bool,
) -> None:
    """Cleans every column's value into the draft; what is wrong becomes a problem, what is odd a warning.

    Every cell of every row passes here, so the usual case (plain text that fits) comes without a call of ours.
    """
    for step in steps:
        column, group, key, limit, clean, _, to_text, watched, _, _ = step
        value = fields.get(column)
        if value is None or value == "":
            continue
        text = value if type(value) is str else to_text(value)
        if text is None:
            problems.append(_wrong_type(step, value))
            continue
        text = text.strip()
        if not (size := len(text)):
            continue
        if text[0] in ODD_STARTS:
            text = _bared(step, text, warnings, guarded=guarded)
            if not (size := len(text)):
                continue
        if size <= LONGEST_NOTHING and text in NOTHINGS and _is_nothing(step, text, fields):
            warnings.append(problem_of(step, text, NOTHING_RULE, NOTHING_MESSAGE))
            continue
        cleaned: Any = text
        if ((size >= SHORTEST and watched) or not text.isprintable()) and (fault := _sign_fault(text, step)):
            cleaned = fault
        elif clean is not None:
            cleaned = clean(text)
        elif size > limit:
            cleaned = Fault(*too_long(text, limit))
        elif size <= LONGEST_NULL and text in NULLS and group is not None:
            cleaned = Noted(text, NULL_RULE, null_message(text))
        kind = type(cleaned)
        if kind is Fault:
            problems.append(problem_of(step, text, cleaned.rule, cleaned.message))
            continue
        if kind is Noted:
            warnings.append(problem_of(step, text, cleaned.rule, cleaned.message))
            cleaned = cleaned.value
        if group is None:
            continue
        if ("&" in text or not text.isascii()) and (garbled := garbled_message(text)) is not None:
            warnings.append(problem_of(step, text, GARBLED_RULE, garbled))
        if group in draft:
            draft[group][key] = cleaned
        else:
            draft[group] = {key: cleaned}


def _is_nothing(step: Step, text: str, fields: Mapping[str, Any]) -> bool:
    """Whether one of `NOTHINGS` is none of the person's own words; there are people called Null, but not in two cells of a row."""
    if step.group is None or step.group == METADATA:
        return False
    is_name = step.group in (NAME, SHIPPING_NAME) or step.field in _NAMES
    return not is_name or sum(value == text for value in fields.values()) > 1


def _is_guarded(recipe: Recipe, fields: Mapping[str, Any]) -> bool:
    """Whether an apostrophe stands before the e-mail, where none belongs: then one was put before every cell of the row."""
    email = fields.get(recipe.email_column) if recipe.email_column is not None else None
    return isinstance(email, str) and email.lstrip()[:1] == "'"


def _bared(step: Step, text: str, warnings: list[Problem], *, guarded: bool) -> str:
    """The text without what guards it against spreadsheets, which is said; formulas, and JSON where entries are wanted, are only said."""
    found = unguarded(text, every=guarded) or json_in_cell(step.column, text)
    if found is None:
        if step.group is not None and is_uncalculated(text):
            warnings.append(problem_of(step, text, UNCALCULATED_RULE, UNCALCULATED_MESSAGE))
        elif step.group not in (None, METADATA) and step.field != "description" and may_be_guarded(text):
            warnings.append(problem_of(step, text, KEPT_RULE, KEPT_MESSAGE))
        return text
    if step.group is not None:
        warnings.append(problem_of(step, text, found.rule, found.message))
    return str(found.value)


def _lost(recipe: Recipe, lost: Iterable[tuple[str, str]]) -> Iterator[Problem]:
    """The columns that are sent, or tell rows apart, and whose values the source has lost."""
    used = {step.column: step.field for step in recipe.steps if step.group is not None}
    for column, reason in lost:
        if column in used or column == recipe.key_column:
            yield Problem(LOST, reason, column, None, used.get(column, f"metadata.{SOURCE_ID}"))


def _sign_fault(text: str, step: Step) -> Fault | None:
    """What no value may contain: a card number, or signs that are no text."""
    if step.watched and len(text) >= SHORTEST and holds_card(text):
        return Fault(
            "card-number", "This holds a card number, which must never pass through; remove it from the source."
        )
    if step.group is not None and is_hash(step.column, text):
        return Fault(UNSHOWN, 'This looks like a stored password; leave the column out with --map "COLUMN=ignore".')
    if step.group is None or text.isprintable():
        return None
    found = CONTROL.search(text) or (None if step.many_lines else LINE_SIGNS.search(text))
    if found is None:
        return None
    return Fault("control-character", f"This holds the control character U+{ord(found.group()):04X}; remove it.")


def _own_method(draft: Draft, recipe: Recipe) -> Method | None:
    """The row's payment method as its column gave it, unless it is one that may be shared."""
    given = draft[""].get("payment_method")
    return None if given is None or given.startswith(SHARED_METHODS) else Method(given, recipe.method_column)


def _given_email(recipe: Recipe, fields: Mapping[str, Any]) -> str | None:
    value = fields.get(recipe.email_column) if recipe.email_column is not None else None
    return (mask_cards(value.strip()) or None) if isinstance(value, str) else None


def _unreadable(record: Record, reason: str, how: Preparation) -> Invalid:
    recipe = how.recipe(how.mapping.columns if how.mapping.columns is not None else ())
    kept = masked(kept_fields(record.fields, recipe.wiped), recipe.spared)
    return Invalid(record.number, record.line, None, None, (Problem("unreadable", reason),), kept)


def problem_of(step: Step, text: str, rule: str, message: str) -> Problem:
    """What is to be said of one column's value."""
    return Problem(
        rule, typeable(message, step.column), step.column, None if rule == UNSHOWN else shown(text), step.field
    )


def _wrong_type(step: Step, value: Any) -> Problem:
    message = f"Text is needed here and this is {json_kind(value)}; write it as text."
    return Problem("type", message, step.column, _shown_json(value), step.field)


def _shown_json(value: Any) -> str:
    return str(value) if isinstance(value, bool | float) else json_kind(value)


def _unmapped(column: str) -> Problem:
    message = 'No field is known for this column; say --map "COLUMN=FIELD" (or =ignore), or --unmapped metadata.'
    return Problem("unmapped", typeable(message, column), column)
