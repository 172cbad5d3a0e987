"""Counts and groups what is found while a source passes, and settles at its end what rows share."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import repeat
from operator import itemgetter

from bulk_import.customer.garbled import GARBLED_RULE
from bulk_import.customer.leftovers import (
    APOSTROPHE,
    FORMULA_RULE,
    JSON_RULE,
    KEPT_RULE,
    NOTHING_RULE,
    NULL_RULE,
    PROTECTED,
    SHORTENED_RULE,
    UNCALCULATED_RULE,
)
from bulk_import.customer.parameters import SHARED_METHODS
from bulk_import.dedupe import Holder, same_method
from bulk_import.ledger.seen import Contested, Owners, Seen, contested
from bulk_import.model import Block, Invalid, Problem, Record, Row
from bulk_import.prepare.clearing import Clearance, clearance_of
from bulk_import.prepare.rows import Preparation, prepare
from bulk_import.reading import Notice
from bulk_import.wording import counted, listed, terminal_safe

HARMED = (SHORTENED_RULE, NULL_RULE, GARBLED_RULE, FORMULA_RULE, UNCALCULATED_RULE, JSON_RULE, KEPT_RULE)
"""Rules of cells that are sent, and hardly as anybody meant them."""

SAME_ID = "same-id"
"""The rule that ids of the source's own (`--key`) are each one customer's."""

FIRST_PLACES = 5
"""Places of each kind of problem that are shown."""

FIRST_ROWS = 3
"""Rows that are shown as they were read."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one problem is."""

    row: int
    line: int
    column: str | None
    value: str | None
    message: str


@dataclass(slots=True)
class Group:
    """All problems of one kind: how many, and the first few places; a warning does not make a row invalid."""

    rule: str
    warning: bool = False
    count: int = 0
    places: list[Place] = field(default_factory=list)

    @property
    def has_room(self) -> bool:
        """Whether one more place is to be shown."""
        return len(self.places) < FIRST_PLACES


class Tally:
    """Counts while the source passes."""

    def __init__(self, emails: Seen, methods: Seen, ids: Seen, how: Preparation) -> None:
        self.rows = self.valid = self.invalid = self.duplicates = self.warnings = self.with_email = 0
        self.groups: dict[tuple[str, bool], Group] = {}
        self.first: list[Record] = []
        self.first_same: tuple[tuple[int, int], ...] = ()
        self._emails = emails
        self._methods = methods
        self._ids = ids
        self._how = how
        self._clearance = clearance_of(how)
        self._unsent = array("q")
        self._columns: dict[str, str | None] = {}

    def add(self, piece: Block | Record) -> None:
        """Count one record, or a block of them."""
        if isinstance(piece, Block) and self._clearance is not None:
            self._add_block(piece, self._clearance)
        elif isinstance(piece, Block):
            for record in piece.records():
                self._add(record)
        else:
            self._add(piece)
        self._emails.pause()
        self._methods.pause()
        self._ids.pause()

    def _add_block(self, block: Block, clearance: Clearance) -> None:
        """Count a block's cleared rows at once, and judge the others one by one."""
        found = clearance.clear(block)
        for index in range(min(FIRST_ROWS - len(self.first), len(block.rows))):
            self.first.append(block.record(index))
        self.rows += len(block.rows)
        self.valid += found.clear
        self.with_email += len(found.emails.keys)
        self.warnings += len(found.warnings)
        for index, warning in merge(zip(found.doubtful, repeat(None)), found.warnings, key=itemgetter(0)):
            if warning is None:
                self._judge(block.record(index))
            else:
                self._group(block.number + index, block.line + index, warning, warning=True)
        self._emails.add(*found.emails)
        self._ids.add(*found.ids)
        if own := [one for one in zip(*found.methods, strict=True) if not one[0].startswith(SHARED_METHODS)]:
            self._methods.add(*zip(*own, strict=True))

    def _add(self, record: Record) -> None:
        self.rows += 1
        if len(self.first) < FIRST_ROWS:
            self.first.append(record)
        self._judge(record)

    def _judge(self, record: Record) -> None:
        match prepare(record, self._how):
            case Row() as row:
                self.valid += 1
                self._see(row)
                for warning in row.warnings:
                    self.warnings += 1
                    self._group(row.number, row.line, warning, warning=True)
            case Invalid() as row:
                self.invalid += 1
                self.with_email += row.email is not None
                if row.method is not None:
                    self._unsent.append(row.number)
                    self._methods.add([row.method.id], [row.number], [row.line])
                for problem in row.problems:
                    self._group(row.number, row.line, problem, warning=False)

    def _see(self, row: Row) -> None:
        if row.email_key is not None:
            self.with_email += 1
            self._emails.add([row.email_key], [row.number], [row.line])
        if row.method is not None:
            self._methods.add([row.method.id], [row.number], [row.line])
        if row.source_id is not None:
            self._ids.add([row.source_id], [row.number], [row.line])

    def finish(self) -> None:
        """Go through the rows that share something as a run will, and say what becomes of them."""
        kinds = self._emails, self._methods, self._ids
        repeated = [kind.repeated() for kind in kinds]
        self._columns = {line.field: line.column for line in self._how.mapping.lines()}
        owners = [Owners(len(keys)) for keys in repeated]
        for one in contested(*(kind.sightings(keys) for kind, keys in zip(kinds, repeated, strict=True))):
            self._settle(one, *owners)

    def _settle(self, one: Contested, emails: Owners, methods: Owners, ids: Owners) -> None:
        """The rule of `dedupe.sort_out`: an e-mail's first row that can be sent owns it, and its payment method, too."""
        at = bisect_left(self._unsent, one.row)
        can_be_sent = self._unsent[at : at + 1] != array("q", [one.row])
        if one.email is not None and (owner := emails.of(one.email)) is not None:
            self.duplicates += 1
            message = f"The same e-mail as row {owner[0]} (line {owner[1]}); it will map to that row's customer."
            self._group(one.row, one.line, Problem("duplicate", message, self._columns.get("email")), warning=True)
        elif one.method is not None and (owner := methods.of(one.method)) is not None:
            problem = same_method(Holder(*owner), self._columns.get("payment_method"))
            self.valid, self.invalid = self.valid - can_be_sent, self.invalid + can_be_sent
            self._group(one.row, one.line, problem, warning=False)
        elif can_be_sent:
            if one.email is not None:
                emails.take(one.email, one.row, one.line)
            if one.method is not None:
                methods.take(one.method, one.row, one.line)
            if one.id is not None:
                self._see_id(one.id, one, ids)

    def _see_id(self, id_: int, one: Contested, owners: Owners) -> None:
        """An id that two customers share tells neither of them; rows of one customer may well share theirs."""
        if (first := owners.of(id_)) is None:
            owners.take(id_, one.row, one.line)
            return
        message = f"The same id as row {first[0]} (line {first[1]}), so the two customers cannot be told apart by it."
        self.first_same = self.first_same or (first, (one.row, one.line))
        self.warnings += 1
        self._group(one.row, one.line, Problem(SAME_ID, message, self._how.mapping.key), warning=True)

    def _group(self, row: int, line: int, problem: Problem, *, warning: bool) -> None:
        group = self._group_of(problem.rule, warning)
        group.count += 1
        if group.has_room:
            group.places.append(Place(row, line, problem.column, problem.value, problem.message))

    def _group_of(self, rule: str, warning: bool) -> Group:
        found = self.groups.get((rule, warning))
        if found is None:
            found = self.groups[rule, warning] = Group(rule, warning)
        return found


def notices_of(tally: Tally, key: str | None) -> Iterator[Notice]:
    """What a person should hear of rows that are sent all the same, in whichever command."""
    count = {rule: group.count for (rule, warning), group in tally.groups.items() if warning}
    if same := count.get(SAME_ID):
        rows = " and ".join(f"{row} (line {line})" for row, line in tally.first_same)
        yield Notice(
            "key",
            f"--key {terminal_safe(key or '')}: {same:,} of {tally.valid - tally.duplicates:,} ids are an earlier customer's, "
            f"too (first: rows {rows}); stripe-map will not tell them apart, so name a column of unique values if there is one",
        )
    if missing := count.get("key-missing"):
        yield Notice("key", f"--key {terminal_safe(key or '')}: {counted(missing, 'row')} without an id of their own")
    if protected := count.get(PROTECTED):
        yield Notice(PROTECTED, f'{counted(protected, "cell")} of the form ="…", read as the text in the quotes')
    if quoted := tally.groups.get((APOSTROPHE, True)):
        line = quoted.places[0].line
        yield Notice(
            APOSTROPHE,
            f"{counted(quoted.count, 'cell')} with an apostrophe in front, which is taken off (first: line {line})",
        )
    if nothing := tally.groups.get((NOTHING_RULE, True)):
        first = nothing.places[0]
        yield Notice(
            NOTHING_RULE,
            f"{counted(nothing.count, 'cell')} with a database's word for nothing, for which nothing is sent (first: line "
            f"{first.line}, column {listed([first.column or ''])})",
        )
    if harmed := [group for rule in HARMED if (group := tally.groups.get((rule, True))) is not None]:
        first = min((place for group in harmed for place in group.places), key=lambda place: place.row)
        rules = ", ".join(f"{group.rule} {group.count:,}" for group in harmed)
        yield Notice(
            "harmed",
            f"{counted(sum(group.count for group in harmed), 'cell')} that a program or a spreadsheet may have harmed ({rules}; first: "
            f"line {first.line}, column {listed([first.column or ''])}); check lists them, and mended they are better sent",
        )
