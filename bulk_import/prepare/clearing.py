"""Clears rows by the column: what a few tests on all cells at once prove sound needs no look of its own.

Clearing is only ever quicker than `prepare`, never kinder: a row is cleared when `prepare` would make a `Row` of it
with the same warnings, and whatever the tests here cannot decide is left to `prepare`, row by row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import NamedTuple

from bulk_import.customer.cards import SHORTEST, holds_card
from bulk_import.customer.emails import PLAIN_LIMIT, is_plain
from bulk_import.customer.garbled import is_garbled
from bulk_import.customer.leftovers import NO_NUMBERS, NULLS, may_be_an_amount
from bulk_import.customer.parameters import MAX_METADATA_KEYS, MAX_METADATA_VALUE
from bulk_import.customer.text_rules import is_method
from bulk_import.customer.verdicts import Cleaner, Fault, Noted
from bulk_import.mapping.neversent import is_hash
from bulk_import.model import SOURCE_ID, Block, Problem
from bulk_import.prepare.flattening import wants_entries
from bulk_import.prepare.recipes import LINE1, METADATA, NAME, SHIPPING_NAME, VAT, Recipe, Step
from bulk_import.prepare.rows import Preparation, problem_of
from bulk_import.wording import words_of

_BETWEEN = "|"  # printable, and in no number
_ODD_START = re.compile(r""" *(?:'|="|\{|\[)""")
_REMEMBERED = 4096
_MADE_OF_PARTS = ("shipping", "tax_id_data", "invoice_settings")
_PARTS_OF_NAMES = (NAME, SHIPPING_NAME, LINE1)

Cells = Sequence[str]
Test = Callable[[Cells, str, int], Iterable[int]]
"""The indexes of cells that are not proven sound, given all of them, all joined, and the longest one's length."""


class Sighted(NamedTuple):
    """Keys by which rows are told apart, with the number and the line of each one's row."""

    keys: Sequence[str]
    rows: Sequence[int]
    lines: Sequence[int]


class Cleared(NamedTuple):
    """What became of a block.

    `doubtful` has the indexes of the rows left to `prepare`; everything else is about the others: how many are `clear`,
    what is odd about some of them (by index), their e-mails, their payment methods and their own ids.
    """

    doubtful: list[int]
    clear: int
    warnings: list[tuple[int, Problem]]
    emails: Sighted
    methods: Sighted
    ids: Sighted


class Clearance:
    """The tests for one set of columns; it remembers values it has seen, nothing else changes."""

    def __init__(self, columns: tuple[str, ...], recipe: Recipe, *, needs_email: bool) -> None:
        values = [(columns.index(step.column), step, _value_test(step)) for step in recipe.steps]
        self._tests = [(at, _test(step, value)) for at, step, value in values]
        self._known = [(at, value) for at, _, value in values if isinstance(value, _Known)]
        self._sent = [columns.index(step.column) for step in recipe.steps if step.group is not None]
        self._names = [
            [columns.index(step.column) for step in recipe.steps if step.group == group] for group in _PARTS_OF_NAMES
        ]
        self._email = columns.index(recipe.email_column) if recipe.email_column is not None else None
        self._key = columns.index(recipe.key_column) if recipe.key_column is not None else None
        self._method = columns.index(recipe.method_column) if recipe.method_column is not None else None
        self._needs_email = needs_email

    def clear(self, block: Block) -> Cleared:
        """Tell the block's rows apart."""
        columns: list[Cells] = list(zip(*block.rows, strict=True))
        doubtful = set(self._doubtful(columns))
        emails = columns[self._email] if self._email is not None else ()
        methods = columns[self._method] if self._method is not None else ()
        ids = columns[self._key] if self._key is not None else ()
        return Cleared(
            sorted(doubtful),
            len(block.rows) - len(doubtful),
            self._warnings(columns, doubtful),
            _sighted(
                block, list(map(str.lower, emails)), doubtful
            ),  # a cleared address is plain ASCII: that is its key
            _sighted(block, list(map(str.strip, methods)), doubtful),
            _sighted(block, list(map(str.strip, ids)), doubtful),
        )

    def _warnings(self, columns: Sequence[Cells], doubtful: set[int]) -> list[tuple[int, Problem]]:
        """What is to be said of rows that are cleared, in the order of the rows."""
        found: list[tuple[int, Problem]] = []
        for at, known in self._known:
            found += (each for each in known.warnings(columns[at]) if each[0] not in doubtful)
        return sorted(found, key=itemgetter(0))

    def _doubtful(self, columns: Sequence[Cells]) -> Iterator[int]:
        for at, test in self._tests:
            cells = columns[at]
            joined = _BETWEEN.join(cells)
            yield from test(cells, joined, max(map(len, cells)))
        if self._email is not None and self._needs_email:
            yield from () if all(columns[self._email]) else _blank(columns[self._email])
        elif not self._needs_email:
            rows = zip(*(columns[at] for at in self._sent), strict=True)
            yield from (at for at, row in enumerate(rows) if not "".join(row).strip())
        if self._key is not None and not all(map(_fits_as_key, columns[self._key])):
            yield from (at for at, cell in enumerate(columns[self._key]) if not _fits_as_key(cell))
        for parts in self._names:
            if sum(max(map(len, columns[at])) + 1 for at in parts) > 256:
                yield from range(len(columns[0]))


def clearance_of(how: Preparation) -> Clearance | None:
    """The tests for a preparation's columns, None where rows have to be looked at one by one."""
    mapping = how.mapping
    if mapping.columns is None or mapping.from_own_export:
        return None
    recipe = how.recipe(mapping.columns)
    if recipe.unmapped or any(str(each.path[0]) in _MADE_OF_PARTS for each in recipe.fixed):
        return None
    keys = {step.key for step in recipe.steps if step.group == METADATA}
    keys |= {each.path[1] for each in recipe.fixed if each.path[0] == METADATA}
    keys |= {SOURCE_ID} if recipe.key_column is not None else set()
    if len(keys) > MAX_METADATA_KEYS - how.marker:
        return None
    if recipe.email_column is None and not how.allow_no_email:
        return None
    return Clearance(mapping.columns, recipe, needs_email=not how.allow_no_email)


def _sighted(block: Block, keys: list[str], doubtful: set[int]) -> Sighted:
    """What is there of *keys*, one a row, without the doubtful rows."""
    if not doubtful and all(keys):
        return Sighted(keys, range(block.number, block.number + len(keys)), range(block.line, block.line + len(keys)))
    at = [index for index, key in enumerate(keys) if key and index not in doubtful]
    return Sighted(
        [keys[index] for index in at], [block.number + index for index in at], [block.line + index for index in at]
    )


def _test(step: Step, value: Test) -> Test:
    """The test of one column: no odd sign, no card number, no stored password, and what its parameter asks of a *value*."""
    is_digest, entries = "digest" in words_of(step.column), wants_entries(step.column)

    def test(cells: Cells, joined: str, longest: int) -> Iterator[int]:
        if _may_start_oddly(joined, entries=entries):
            yield from (at for at, cell in enumerate(cells) if _ODD_START.match(cell))
        if not joined.isprintable():
            yield from (at for at, cell in enumerate(cells) if not cell.isprintable())
        if step.watched and longest >= SHORTEST and holds_card(joined):
            yield from (at for at, cell in enumerate(cells) if holds_card(cell))
        if step.group is not None and longest >= SHORTEST and (is_digest or "$" in joined or "{" in joined):
            yield from (at for at, cell in enumerate(cells) if is_hash(step.column, cell))
        if step.group is not None and is_garbled(joined):
            yield from (at for at, cell in enumerate(cells) if is_garbled(cell))
        yield from value(cells, joined, longest)

    return test


def _may_start_oddly(joined: str, *, entries: bool) -> bool:
    """Whether a cell may start with what guards it against spreadsheets or, where *entries* are wanted, as JSON does."""
    if '="' in joined or (entries and ("{" in joined or "[" in joined)):
        return True
    return "'" in joined and (joined[0] == "'" or f"{_BETWEEN}'" in joined or " '" in joined)


def _value_test(step: Step) -> Test:
    if step.group is None:
        return _anything
    if step.group == VAT or step.group.lstrip("*").startswith(_MADE_OF_PARTS):
        return lambda cells, _joined, longest: _filled(cells) if longest else ()
    if step.field == "email":
        return _plain_email
    if step.field == "payment_method":
        return _payment_methods
    limit = MAX_METADATA_VALUE if step.group == METADATA else step.limit
    if step.group == METADATA or step.unquoted:
        return partial(_number if step.unquoted else _untouched, limit=limit)
    if step.clean is None:
        return partial(_short, limit=limit)
    return _Known(step, step.clean)


class _Known:
    """The test of a column whose values recur: each is cleaned once, and what came of it is remembered."""

    def __init__(self, step: Step, clean: Cleaner) -> None:
        self._step = step
        self._clean = clean
        self._sound = {""}
        self._noted: dict[str, Problem] = {}

    def __call__(self, cells: Cells, _joined: str, _longest: int) -> Iterable[int]:
        if self._sound.issuperset(cells):
            return ()
        odd = {cell for cell in set(cells) - self._sound if not self._is_sound(cell)}
        return (at for at, cell in enumerate(cells) if cell in odd) if odd else ()

    def warnings(self, cells: Cells) -> Iterable[tuple[int, Problem]]:
        """What is to be said of values that are sent all the same."""
        if self._noted.keys().isdisjoint(cells):
            return ()
        return ((at, self._noted[cell]) for at, cell in enumerate(cells) if cell in self._noted)

    def _is_sound(self, cell: str) -> bool:
        text = cell.strip()
        cleaned = self._clean(text) if text else ""
        if isinstance(cleaned, Fault):
            return False
        if len(self._sound) >= _REMEMBERED:
            return not isinstance(cleaned, Noted)
        if isinstance(cleaned, Noted):
            self._noted[cell] = problem_of(self._step, text, cleaned.rule, cleaned.message)
        self._sound.add(cell)
        return True


def _anything(_cells: Cells, _joined: str, _longest: int) -> Iterable[int]:
    return ()


def _plain_email(cells: Cells, _joined: str, longest: int) -> Iterable[int]:
    if longest <= PLAIN_LIMIT and all(map(is_plain, cells)):
        return ()
    return (at for at, cell in enumerate(cells) if cell and not (len(cell) <= PLAIN_LIMIT and is_plain(cell)))


def _payment_methods(cells: Cells, _joined: str, longest: int) -> Iterable[int]:
    if longest < PLAIN_LIMIT and all(map(is_method, filter(None, cells))):
        return ()
    return (at for at, cell in enumerate(cells) if cell and not (len(cell) < PLAIN_LIMIT and is_method(cell)))


def _filled(cells: Cells) -> Iterable[int]:
    return (at for at, cell in enumerate(cells) if cell)


def _blank(cells: Cells) -> Iterable[int]:
    return (at for at, cell in enumerate(cells) if not cell)


def _short(cells: Cells, _joined: str, longest: int, *, limit: int) -> Iterable[int]:
    """Text that fits and is no word for nothing."""
    if longest <= limit and NULLS.isdisjoint(map(str.strip, cells)):
        return ()
    return (at for at, cell in enumerate(cells) if len(cell) > limit or cell.strip() in NULLS)


def _untouched(cells: Cells, joined: str, longest: int, *, limit: int) -> Iterable[int]:
    """Text that fits and that no spreadsheet quoted or shortened."""
    if longest <= limit and not _touched(joined):
        return ()
    return (at for at, cell in enumerate(cells) if len(cell) > limit or _touched(cell))


def _number(cells: Cells, joined: str, longest: int, *, limit: int) -> Iterable[int]:
    """A phone or a ZIP code that fits and of which no program made another number."""
    if longest <= limit and not _mangled(joined) and NO_NUMBERS.isdisjoint(map(str.strip, cells)):
        return ()
    return (at for at, cell in enumerate(cells) if len(cell) > limit or _mangled(cell) or cell.strip() in NO_NUMBERS)


def _touched(text: str) -> bool:
    return "'" in text or "E+" in text or "e+" in text


def _mangled(text: str) -> bool:
    return "'" in text or "=" in text or may_be_an_amount(text)


def _fits_as_key(cell: str) -> bool:
    return (
        0 < len(cell) <= MAX_METADATA_VALUE
        and cell.isprintable()
        and not cell.isspace()
        and cell[:2] != '="'
        and not _touched(cell)
    )
