"""Pre-flight: the whole source read once before anything is sent, in flat memory and without a network."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bulk_import.errors import SourceError, UsageError
from bulk_import.ledger.seen import Seen
from bulk_import.mapping.settled import Mapping, settle_mapping
from bulk_import.model import Block, Invalid, Problem, Record, Row
from bulk_import.options import Preparing
from bulk_import.prepare.clearing import Clearance, clearance_of
from bulk_import.prepare.keeping import displayed
from bulk_import.prepare.rows import Preparation, prepare
from bulk_import.reading import Fingerprint, Notice, Reading, Source, detect, read_pieces

SHARED_TEST_METHODS = "pm_card_"
"""Stripe's test payment methods start like this and may be given to any number of customers."""

WITHOUT_HEADER = ("json", "jsonl")
"""Formats whose columns are only known once every record was read."""

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

    `first_rows` hide what is never sent. `rows` counts records; `valid` rows can be sent, `duplicates` of them share an earlier row's e-mail.
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
    with Source.open(path) as source, Seen() as emails, Seen() as methods:
        tally = _Tally(emails, methods, how)
        for piece in read_pieces(source, reading):
            tally.add(piece)
            if read_progress:
                read_progress(source.bytes_read, source.size, tally.rows)
        tally.finish()
        _must_hold_people(tally, path, preparing)
        if how.mapping.unmet():
            names = ", ".join(how.mapping.unmet())
            raise UsageError(f"no row of {path} has the column {names}; name one that is there in --map and --key")
        return Survey(
            reading, notices, how.mapping, source.fingerprint(), tally.rows, tally.valid, tally.invalid,
            tally.duplicates, tally.warnings, tally.with_email, tuple(tally.groups.values()),
            tuple(replace(record, fields=displayed(record.fields, how.mapping.wiped)) for record in tally.first),
        )  # fmt: skip


class _Tally:
    """Counts while the source passes."""

    def __init__(self, emails: Seen, methods: Seen, how: Preparation) -> None:
        self.rows = self.valid = self.invalid = self.duplicates = self.warnings = self.with_email = 0
        self.groups: dict[tuple[str, bool], Group] = {}
        self.first: list[Record] = []
        self._emails = emails
        self._methods = methods
        self._how = how
        self._clearance = clearance_of(how)

    def add(self, piece: Block | Record) -> None:
        """Count one record, or a block of them."""
        if isinstance(piece, Block) and self._clearance is not None:
            self._add_block(piece, self._clearance)
        elif isinstance(piece, Block):
            for record in piece.records():
                self._add(record)
        else:
            self._add(piece)

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
        for method, row, line in zip(*found.methods, strict=True):
            self._see_method(method, row, line)

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
                for problem in row.problems:
                    self._group(row.number, row.line, problem, warning=False)

    def _see(self, row: Row) -> None:
        if row.email_key is not None:
            self.with_email += 1
            self._emails.add([row.email_key], [row.number], [row.line])
        if isinstance(method := row.params.get("payment_method"), str):
            self._see_method(method, row.number, row.line)

    def _see_method(self, method: str, row: int, line: int) -> None:
        if not method.startswith(SHARED_TEST_METHODS):
            self._methods.add([method], [row], [line])

    def finish(self) -> None:
        """Find what came up more than once."""
        duplicates = array("q")
        for row, line, first_row, first_line in self._emails.repeated():
            duplicates.append(row)
            message = f"The same e-mail as row {first_row} (line {first_line}); it will map to that row's customer."
            self._group(row, line, Problem("duplicate", message), warning=True)
        self.duplicates = len(duplicates)
        self._refuse_repeated_methods(array("q", sorted(duplicates)))

    def _refuse_repeated_methods(self, duplicates: Sequence[int]) -> None:
        """A payment method belongs to one customer; of rows that are *duplicates* none is sent."""
        for row, line, first_row, first_line in self._methods.repeated():
            place = bisect_left(duplicates, row)
            if place < len(duplicates) and duplicates[place] == row:
                continue
            message = (
                f"The same payment method as row {first_row} (line {first_line}); Stripe would refuse it here, "
                "so give each row its own."
            )
            self.valid, self.invalid = self.valid - 1, self.invalid + 1
            self._group(row, line, Problem("same-payment-method", message, "payment_method"), warning=False)

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
            f"none of the {tally.rows} rows of {path} has an e-mail address; its columns are {columns}; "
            'name the right one with --map "COLUMN=email", or pass --allow-no-email'
        )


def _columns_of(records: Iterable[Record]) -> str:
    names = dict.fromkeys(str(name) for record in records for name in record.fields)
    return ", ".join(list(names)[:20]) or "none"
