"""Pre-flight: the whole source read once before anything is sent, in flat memory and without a network."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from bulk_import.customer.cleaning import PROTECTED
from bulk_import.customer.parameters import SHARED_METHODS
from bulk_import.dedupe import Place as RowPlace
from bulk_import.dedupe import same_method
from bulk_import.errors import SourceError, UsageError
from bulk_import.ledger.seen import Contested, Owners, Seen, contested
from bulk_import.mapping.settled import Mapping, settle_mapping
from bulk_import.model import Block, Invalid, Problem, Record, Row
from bulk_import.options import Preparing
from bulk_import.prepare.clearing import Clearance, clearance_of
from bulk_import.prepare.keeping import displayed
from bulk_import.prepare.rows import Preparation, prepare
from bulk_import.reading import Fingerprint, Notice, Reading, Remarks, Source, detect, read_pieces
from bulk_import.wording import counted, terminal_safe

WITHOUT_HEADER = ("json", "jsonl")
"""Formats whose columns are only known once every record was read."""

SAME_ID = "same-id"
"""The rule that ids of the source's own (`--key`) are each one customer's."""

FIRST_PLACES = 5
"""Places of each kind of problem that are shown."""

FIRST_ROWS = 3
"""Rows that are shown as they were read."""

ReadProgress = Callable[[int, int, int], None]
"""Told bytes read, bytes there, rows so far."""


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


@dataclass(frozen=True, slots=True)
class Survey:
    """What pre-flight found: how the source reads, who is in it, and everything that is wrong with it.

    `first_rows` hide what is never sent. `rows` counts records; `valid` rows can be sent, `duplicates` of them share an earlier row's
    e-mail. `notices` say what should be said aloud of rows that are sent all the same.
    """

    reading: Reading
    reading_notices: tuple[Notice, ...]
    mapping: Mapping
    fingerprint: Fingerprint
    rows: int
    valid: int
    invalid: int
    duplicates: int
    warnings: int
    with_email: int
    groups: tuple[Group, ...]
    notices: tuple[Notice, ...]
    first_rows: tuple[Record, ...]


def preparation(
    reading: Reading, preparing: Preparing, payment_method: str | None = None, *, marker: bool = True
) -> Preparation:
    """Settle how each record of *reading* becomes a row.

    *payment_method* replaces every one in a rehearsal; *marker* keeps one metadata key free for ours.
    """
    columns = None if reading.format in WITHOUT_HEADER else reading.columns
    return Preparation(
        mapping=settle_mapping(columns, preparing.mapping, allow_no_email=preparing.allow_no_email),
        allow_no_email=preparing.allow_no_email,
        default_payment_method=preparing.default_payment_method,
        payment_method_override=payment_method,
        email_check=preparing.email_check,
        marker=marker,
    )


def survey(
    path: Path, preparing: Preparing, *, read_progress: ReadProgress | None = None, reading: Reading | None = None
) -> Survey:
    """Read all of *path*; with *reading* it is not detected again.

    Raises `SourceError` for a source this tool cannot read or without a single record, and `UsageError` for a mapping
    that cannot work.
    """
    notices: tuple[Notice, ...] = ()
    if reading is None:
        reading, notices = detect(path, preparing.overrides)
    how = preparation(reading, preparing)
    with Source.open(path) as source, Seen() as emails, Seen() as methods, Seen() as ids:
        tally, remarks = _Tally(emails, methods, ids, how), Remarks()
        for piece in read_pieces(source, reading, remarks):
            tally.add(piece)
            if read_progress:
                read_progress(source.bytes_read, source.size, tally.rows)
        tally.finish()
        _must_hold_people(tally, path, preparing)
        if how.mapping.unmet():
            names = ", ".join(how.mapping.unmet())
            raise UsageError(f"no row of {path} has the column {names}; name one that is there in --map and --key")
        return Survey(
            reading, (*notices, *remarks.notices()), how.mapping, source.fingerprint(), tally.rows, tally.valid,
            tally.invalid, tally.duplicates, tally.warnings, tally.with_email, tuple(tally.groups.values()),
            tuple(_notices(tally, how.mapping.key)),
            tuple(replace(record, fields=displayed(record.fields, how.mapping.wiped)) for record in tally.first),
        )  # fmt: skip


class _Tally:
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
        for index in found.doubtful:
            self._judge(block.record(index))
        self.rows += len(block.rows)
        self.valid += found.clear
        self.with_email += len(found.emails.keys)
        self.warnings += len(found.warnings)
        for index, warning in found.warnings:
            self._group(block.number + index, block.line + index, warning, warning=True)
        self._emails.add(*found.emails)
        self._ids.add(*found.ids)
        for id_, row, line in zip(*found.methods, strict=True):
            if not id_.startswith(SHARED_METHODS):
                self._methods.add([id_], [row], [line])

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
            problem = same_method(RowPlace(*owner), self._columns.get("payment_method"))
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


def _notices(tally: _Tally, key: str | None) -> Iterator[Notice]:
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


def _must_hold_people(tally: _Tally, path: Path, preparing: Preparing) -> None:
    if tally.rows == 0:
        raise SourceError(f"{path} holds no rows; give a file with at least one")
    unreadable = tally.groups.get(("unreadable", False))
    if unreadable is not None and unreadable.count == tally.rows:
        first = unreadable.places[0]
        raise SourceError(
            f"no row of {path} can be read; line {first.line}: {first.message}; mend the file or say how it "
            "is to be read (--delimiter, --quote, --encoding)"
        )
    if not tally.with_email and not preparing.allow_no_email and tally.valid == 0:
        columns = _columns_of(tally.first)
        raise SourceError(
            f"none of the {counted(tally.rows, 'row')} of {path} has an e-mail address; its columns are {columns}; "
            'name the right one with --map "COLUMN=email", or pass --allow-no-email'
        )


def _columns_of(records: Iterable[Record]) -> str:
    names = dict.fromkeys(str(name) for record in records for name in record.fields)
    return ", ".join(list(names)[:20]) or "none"
