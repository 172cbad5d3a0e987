"""Which column becomes which field of a customer: settled once, shown to the person, then applied to every row.

`settle_mapping` decides for the columns of a CSV file at once. A JSONL source has no header, so its mapping
decides for each set of columns as it is met, by the same rules; `Mapping.plan` is where both come together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from bulk_import.customer.cards import mask_cards
from bulk_import.mapping.aliases import OWN_COLUMNS
from bulk_import.mapping.assignment import Assignment, Plan, Wishes, find_column
from bulk_import.mapping.choosing import choose
from bulk_import.mapping.incomplete import unsent
from bulk_import.mapping.misspelt import misspelt
from bulk_import.mapping.options import Constant, MappingOptions, Unmapped, load_profile, wished
from bulk_import.mapping.refusing import (
    maybe,
    refuse_card_names,
    refuse_missing_columns,
    refuse_unmapped,
    refuse_without_email,
)
from bulk_import.mapping.targets import (
    Ignored,
    Metadata,
    NamePart,
    Param,
    Refused,
    SourceKey,
    Target,
    VatNumber,
    described,
)
from bulk_import.wording import listed, terminal_safe

__all__ = [
    "Assignment",
    "Constant",
    "Ignored",
    "Mapping",
    "MappingLine",
    "MappingOptions",
    "Metadata",
    "NamePart",
    "Param",
    "Plan",
    "Refused",
    "SourceKey",
    "Target",
    "Unmapped",
    "VatNumber",
    "left_over",
    "load_profile",
    "settle_mapping",
]

# Records of a JSONL file have few shapes; a file of thousands is still read, only without remembering them.
_MOST_PLANS = 1024
_MOST_COLUMNS = 10_000


@dataclass(frozen=True, slots=True)
class MappingLine:
    """One line of the mapping as a person sees it; `column` is None for a value set for every row."""

    column: str | None
    field: str
    guess: bool
    why: str


class Mapping:
    """What becomes of every column.

    `from_own_export` says that `export --what failed` wrote the file, by its columns.
    `columns` is None for a source without a header (JSONL); then plans are made as records are met, and
    `lines`, `notices` and `unmet` tell what has been met so far. Everything else never changes.
    """

    def __init__(self, columns: Sequence[str] | None, wishes: Wishes, constants: tuple[Constant, ...]) -> None:
        self.columns = tuple(columns) if columns is not None else None
        self._known = frozenset(columns or ())
        self.constants = constants
        self.from_own_export = set(OWN_COLUMNS) <= set(columns or ())
        self._wishes = wishes
        self._plans: dict[tuple[str, ...], Plan] = {}
        self._met: dict[str, Assignment] = {}
        self._notes: dict[str, None] = {}
        self._meant: dict[str, str] = {}
        if self.columns is not None:
            self._meant = misspelt(self.plan(self.columns).assignments)

    def plan(self, columns: tuple[str, ...]) -> Plan:
        """What becomes of exactly these columns; the same answer for the same columns, and no error."""
        known = self._plans.get(columns)
        return known if known is not None else self._remember(columns, choose(columns, self._wishes))

    def columns_of(self, fields: AbstractSet[str]) -> tuple[str, ...]:
        """The columns by which a record with these fields is read: its source's, and what a mended one has beside them."""
        if self.columns is None:
            return tuple(fields)
        return self.columns if fields <= self._known else tuple(dict.fromkeys((*self.columns, *fields)))

    def _remember(self, columns: tuple[str, ...], plan: Plan) -> Plan:
        if len(self._plans) < _MOST_PLANS:
            self._plans[columns] = plan
        for assignment in plan.assignments:
            if len(self._met) < _MOST_COLUMNS:
                self._met.setdefault(assignment.column, assignment)
        if len(self._notes) < _MOST_COLUMNS:
            self._notes.update(dict.fromkeys(plan.notes))
        return plan

    @property
    def key(self) -> str | None:
        """The `--key` column as it was named, None without one."""
        return self._wishes.key

    @property
    def wiped(self) -> frozenset[str]:
        """The columns met so far whose values are neither sent nor kept nor shown."""
        return frozenset(each.column for each in self._met.values() if isinstance(each.target, Refused))

    @property
    def notices(self) -> tuple[str, ...]:
        """What should be said aloud before anything is sent, a sentence each."""
        met = tuple(self._met.values())
        incomplete = unsent(met, self.constants) if met else ()
        return (*_dropped(met), *_cautions(met), *incomplete, *self._slips(), *self._notes)

    def lines(self) -> tuple[MappingLine, ...]:
        """The mapping as rows of a table: the columns in their order, then what is set for every row."""
        lines = [
            MappingLine(mask_cards(each.column), _field(each), each.guess, each.why + self._maybe_meant(each.column))
            for each in self._met.values()
        ]
        lines += [MappingLine(None, described(each.target), False, "is set for every row") for each in self.constants]
        return tuple(lines)

    def _slips(self) -> list[str]:
        return [
            f"The column {listed([column])} has no known meaning{self._maybe_meant(column)} Then say "
            f'--map "{terminal_safe(column)}={field}".'
            for column, field in self._meant.items()
        ]

    def _maybe_meant(self, column: str) -> str:
        return f"; did you mean {self._meant[column]}?" if column in self._meant else ""

    @property
    def met(self) -> tuple[str, ...]:
        """The columns of the records so far."""
        return tuple(self._met)

    def unmet(self) -> tuple[str, ...]:
        """Columns named by `--map` or `--key` that no record has had so far, each with the one that may be meant.

        For a source without a header.
        """
        wanted = [*self._wishes.targets, *([self.key] if self.key is not None else [])]
        missing = dict.fromkeys(name for name in wanted if find_column(name, self._met) is None)
        return tuple(f"{listed([name])}{maybe(name, tuple(self._met))}" for name in missing)

    def digest(self) -> str:
        """A short text that is the same exactly when rows are mapped alike; it holds no data of the source."""
        if self.columns is None:
            decided: object = sorted((name, described(target)) for name, target in self._wishes.targets.items())
        else:
            decided = [(each.column, described(each.target)) for each in self._met.values()]
        constants = [(described(each.target), each.value) for each in self.constants]
        settled = [decided, constants, self.key, self._wishes.leftover if self.columns is None else None]
        return hashlib.sha256(json.dumps(settled, ensure_ascii=True).encode()).hexdigest()


def settle_mapping(
    columns: Sequence[str] | None, options: MappingOptions | None = None, *, allow_no_email: bool = False
) -> Mapping:
    """The mapping for a source with these columns, or with None for one without a header.

    Raises `UsageError` for anything that cannot be done as asked: a column or field that is not there, two
    columns for one field, no e-mail column (unless *allow_no_email*), or columns left over that are refused.
    """
    wishes, constants = wished(options if options is not None else MappingOptions())
    if columns is not None:
        refuse_card_names(columns)
        refuse_missing_columns(wishes, columns)
    mapping = Mapping(columns, wishes, constants)
    if mapping.columns is not None:
        assignments = mapping.plan(mapping.columns).assignments
        refuse_unmapped(assignments)
        if not allow_no_email:
            refuse_without_email(assignments, mapping.columns)
    return mapping


def left_over(columns: Sequence[str], options: MappingOptions) -> tuple[str, ...]:
    """The columns that nobody mapped and no alias knows: what `--unmapped refuse` refuses."""
    wishes, _ = wished(replace(options, unmapped="refuse"))
    return tuple(each.column for each in choose(tuple(columns), wishes).assignments if each.unmapped)


def _field(assignment: Assignment) -> str:
    field = described(assignment.target)
    plain_key = assignment.is_key and not isinstance(assignment.target, SourceKey)
    return f"{field} and {described(SourceKey())}" if plain_key else field


def _dropped(assignments: tuple[Assignment, ...]) -> list[str]:
    """One sentence for each reason to leave columns out unasked, the columns named."""
    reasons: dict[tuple[bool, str], list[str]] = {}
    for each in assignments:
        if isinstance(each.target, Ignored | Refused) and not each.unmapped and not each.asked:
            kept = isinstance(each.target, Ignored)
            reasons.setdefault((kept, each.target.reason), []).append(mask_cards(each.column))
    sentences = []
    for (kept, reason), columns in reasons.items():
        who = f"The columns {listed(columns, 20)} are" if len(columns) > 1 else f"The column {listed(columns)} is"
        because = f"each {reason}" if len(columns) > 1 else f"it {reason}"
        sentences.append(f"{who} not sent{'' if kept else ', nor kept in the ledger'}, because {because}.")
    return sentences


def _cautions(assignments: tuple[Assignment, ...]) -> list[str]:
    return [
        f"The column {listed([each.column])} becomes the customer's balance, in the currency's smallest unit (cents); "
        "a positive one is charged with the next invoice."
        for each in assignments
        if each.target == Param(("balance",))
    ]
