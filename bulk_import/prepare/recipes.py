"""A plan made ready for speed: what happens to each column is decided once, so that a row is only followed through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from bulk_import.customer.cleaning import NO_LIMIT, UNQUOTED, clean_metadata, cleaner_of
from bulk_import.customer.emails import EmailCheck
from bulk_import.customer.parameters import Path, parameter_at, spelled
from bulk_import.customer.verdicts import Cleaner
from bulk_import.mapping.aliases import OWN_COLUMNS
from bulk_import.mapping.assignment import Assignment, Plan
from bulk_import.mapping.neversent import never_sent
from bulk_import.mapping.options import Constant
from bulk_import.mapping.targets import Ignored, Metadata, NamePart, Param, Refused, SourceKey, VatNumber, described
from bulk_import.prepare.flattening import list_text, metadata_text, plain_text, truth_text, whole_text

ToText = Callable[[Any], str | None]

NAME = "*name"
SHIPPING_NAME = "*shipping.name"
LINE1 = "*address.line1"
SHIPPING_LINE1 = "*shipping.address.line1"
VAT = "*vat"
METADATA = "metadata"
_PLACES = {"first": 0, "middle": 1, "last": 2}
_VAT_FIELD = "tax_id_data.0.value"
_COUNTED_WITH: tuple[Path, ...] = (("shipping",), ("tax_id_data",), ("invoice_settings", "custom_fields"))


class Step(NamedTuple):
    """What happens to one column: its value is read as text, cleaned, and put under `key` into a group of the draft.

    `group` is None for a column that is only watched for card numbers; `clean` is None where nothing but the
    length counts. `watched` is false where long runs of digits are at home, `unquoted` true where all
    that cleaning does is to take a spreadsheet's apostrophe away. A tuple, because every cell of
    every row passes here and unpacking one is the fastest way to all of it.
    """

    column: str
    group: str | None
    key: str | int
    limit: int
    clean: Cleaner | None
    field: str
    to_text: ToText
    watched: bool
    many_lines: bool
    unquoted: bool = False


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value for every row; with a `beside`, only for rows that fill something else under that path.

    So `--set tax_id_data.0.type=eu_vat` adds the type to the rows that have a number, and to no other.
    """

    path: Path
    value: Any
    beside: Path | None

    @property
    def group(self) -> str:
        """The group of the draft that it goes into."""
        return spelled(self.path[:-1])


@dataclass(frozen=True, slots=True)
class Recipe:
    """All there is to do for rows of one set of columns.

    `spares` are for what is empty after all `steps`, the likeliest first. `wiped` columns are not even kept; in `spared`
    ones a number like a card's is none. With `ship_to_name` the customer's name is that of who receives what is shipped.
    """

    steps: tuple[Step, ...]
    spares: tuple[Step, ...]
    fixed: tuple[Fixed, ...]
    email_column: str | None
    method_column: str | None
    key_column: str | None
    wiped: frozenset[str]
    spared: frozenset[str]
    unmapped: tuple[str, ...]
    ship_to_name: bool = False


def compile_recipe(plan: Plan, constants: tuple[Constant, ...], email_check: EmailCheck) -> Recipe:
    """The recipe for rows of the plan's columns."""
    every = plan.assignments
    gave_way = sorted((each for each in every if each.instead is not None), key=lambda each: each.turn)
    spare = [replace(each, target=each.instead) for each in gave_way if each.instead is not None]
    parts = [each for each in spare if isinstance(each.target, NamePart)]
    steps = tuple(step for each in (*every, *parts) if (step := _step(each, email_check)) is not None)
    others = [_step(each, email_check) for each in spare if each not in parts]
    return Recipe(
        steps=steps,
        spares=tuple(step for step in others if step is not None),
        fixed=tuple(_fixed(each, constants) for each in constants),
        email_column=next((each.column for each in every if each.target == Param(("email",))), None),
        method_column=next((each.column for each in every if each.target == Param(("payment_method",))), None),
        key_column=next((each.column for each in every if each.is_key), None),
        wiped=frozenset(each.column for each in every if isinstance(each.target, Refused)),
        spared=frozenset(
            [*(step.column for step in steps if not step.watched), *(each.column for each in every if each.is_key)]
        ),
        unmapped=tuple(each.column for each in every if each.unmapped),
        ship_to_name=plan.ship_to_name,
    )


def _step(each: Assignment, email_check: EmailCheck) -> Step | None:
    target, field, watched = each.target, described(each.target), not each.is_key
    match target:
        case Param(path):
            return _param_step(each.column, path, email_check, watched)
        case Metadata(key):
            clean = clean_metadata
            return Step(each.column, METADATA, key, 0, clean, field, _metadata_text, watched, many_lines=True)
        case NamePart(position, of):
            limit = parameter_at(tuple(of.split("."))).limit or 0
            return Step(
                each.column, f"*{of}", _PLACES[position], limit, None, of, plain_text, watched, many_lines=False
            )
        case VatNumber():
            return Step(each.column, VAT, "value", NO_LIMIT, None, _VAT_FIELD, plain_text, watched, many_lines=False)
        case SourceKey():
            return None
        case Ignored() | Refused():
            asked = each.asked or each.column in OWN_COLUMNS
            return (
                None
                if asked
                else Step(each.column, None, "", NO_LIMIT, None, field, _metadata_text, watched, many_lines=True)
            )


def _param_step(column: str, path: Path, email_check: EmailCheck, watched: bool) -> Step:
    parameter = parameter_at(path)
    only_length_counts = parameter.kind == "text" and parameter.rule is None
    return Step(
        column=column,
        group=spelled(path[:-1]),
        key=path[-1],
        limit=parameter.limit or NO_LIMIT,
        clean=None if only_length_counts else cleaner_of(parameter, email_check),
        field=spelled(path),
        to_text=_reader(parameter.kind, path),
        watched=watched and parameter.rule != "phone",
        many_lines=parameter.many_lines,
        unquoted=parameter.rule in UNQUOTED,
    )


def _fixed(each: Constant, constants: tuple[Constant, ...]) -> Fixed:
    path = _path(each.target)
    beside = next((path[: _item_depth(start)] for start in _COUNTED_WITH if path[: len(start)] == start), None)
    return Fixed(path, each.value, None if beside is None or _complete(beside, constants) else beside)


def _item_depth(start: Path) -> int:
    return 1 if start == ("shipping",) else len(start) + 1


def _complete(item: Path, constants: tuple[Constant, ...]) -> bool:
    """Whether the fixed values alone make a whole of *item*, which may then be given to every row."""
    set_there = {_path(each.target)[len(item)] for each in constants if _path(each.target)[: len(item)] == item}
    needed = {"shipping": {"name", "address"}, "tax_id_data": {"type", "value"}}.get(str(item[0]), {"name", "value"})
    return needed <= set_there


def _path(target: Param | Metadata) -> Path:
    return target.path if isinstance(target, Param) else (METADATA, target.key)


def _reader(kind: str, path: Path) -> ToText:
    if kind == "texts":
        return list_text
    if kind == "integer":
        return whole_text
    return truth_text if path == ("tax_exempt",) else plain_text


def _metadata_text(value: Any) -> str | None:
    return metadata_text(value, dropped=lambda name: never_sent(name) is not None)
