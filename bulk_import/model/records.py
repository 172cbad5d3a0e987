"""What a source holds: a `Record` as it was read, prepared into a `Row` that can be sent or an `Invalid` that must not be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

Params = Mapping[str, Any]
"""The body of a POST, nested: text, whole numbers, booleans, mappings and lists of these."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the source as it was read, before any mapping.

    `number` counts records from 1 (blank lines take none, damaged ones do), `line` is the physical
    line on which it starts. `fields` maps source columns to text (CSV) or JSON values (JSONL).
    A record with a `problem` could not be read; the sentence says why. `lost` names single columns, each with why its value
    is not there, which harms only who needs it.
    """

    number: int
    line: int
    fields: Mapping[str, Any]
    problem: str | None = None
    lost: tuple[tuple[str, str], ...] = ()

    @property
    def trouble(self) -> str | None:
        """Why the record, or else the first of its lost columns, could not be read; None for a sound one."""
        return self.problem or next((reason for _, reason in self.lost), None)


class Written(float):
    """A JSON number whose digits say more than its value does: `0.10` is the price 0.10 and not 0.1."""

    __slots__ = ("digits",)
    digits: str

    def __new__(cls, digits: str) -> Self:
        """The number that *digits* spell."""
        number = super().__new__(cls, digits)
        number.digits = digits
        return number

    def __str__(self) -> str:
        return self.digits


@dataclass(frozen=True, slots=True)
class Block:
    """Sound records that follow each other, each on one physical line, kept as cells so that they can be judged by column.

    `number` and `line` are the first record's; every one of `rows` has a cell for each of `columns`.
    """

    number: int
    line: int
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]

    def record(self, index: int) -> Record:
        """The record at one index of the block."""
        fields = dict(zip(self.columns, self.rows[index], strict=True))
        return Record(self.number + index, self.line + index, fields)

    def records(self) -> Iterator[Record]:
        """Every record in order."""
        return map(self.record, range(len(self.rows)))


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one row: which rule, where, and in one sentence what to do about it."""

    rule: str
    message: str
    column: str | None = None
    value: str | None = None
    param: str | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """A payment method that one customer alone can have, as a row's own column gave it."""

    id: str
    column: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """A record that can be sent: its parameters are clean and complete except for the marker.

    `email_key` is what e-mails are compared by; it is None only for a row without an e-mail. `method` is the payment
    method it was given, also where a rehearsal sends another; None for those that may be shared.
    """

    number: int
    line: int
    source_id: str | None
    email: str | None
    email_key: str | None
    params: Params
    fields: Mapping[str, Any]
    warnings: tuple[Problem, ...] = ()
    method: Method | None = None


@dataclass(frozen=True, slots=True)
class Invalid:
    """A record that must not be sent, with every problem it has."""

    number: int
    line: int
    source_id: str | None
    email: str | None
    problems: tuple[Problem, ...]
    fields: Mapping[str, Any]
    method: Method | None = None


Prepared = Row | Invalid
