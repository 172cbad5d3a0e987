"""Clears rows by the column: what a few tests on all cells at once prove sound needs no look of its own.

Clearing is only ever quicker than `prepare`, never kinder: a row is cleared when `prepare` would make a `Row` of it
with the same warnings, and whatever the tests here cannot decide is left to `prepare`, row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from bulk_import.customer.parameters import MAX_METADATA_KEYS
from bulk_import.customer.zip_codes import has_five_digits, is_short
from bulk_import.model import SOURCE_ID, Block, Problem
from bulk_import.prepare.recipes import LINE1, METADATA, NAME, SHIPPING_NAME, Recipe
from bulk_import.prepare.rows import Preparation
from bulk_import.prepare.soundness import BETWEEN, MADE_OF_PARTS, Cells, Known, blank, fits_as_key, test_of, value_test

_ZIP, _COUNTRY = "address.postal_code", "address.country"
_PARTS_OF_NAMES = (NAME, SHIPPING_NAME, LINE1)


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
        values = [(columns.index(step.column), step, value_test(step)) for step in recipe.steps]
        self._tests = [(at, test_of(step, value)) for at, step, value in values]
        self._known = [(at, value) for at, _, value in values if isinstance(value, Known)]
        main = {(step.group, step.key): step.column for step in recipe.steps}
        self._spares = [
            (columns.index(main[step.group, step.key]), columns.index(step.column)) for step in recipe.spares
        ]
        self._sent = [columns.index(step.column) for step in recipe.steps if step.group is not None]
        self._names = [
            [columns.index(step.column) for step in recipe.steps if step.group == group] for group in _PARTS_OF_NAMES
        ]
        self._email = columns.index(recipe.email_column) if recipe.email_column is not None else None
        self._key = columns.index(recipe.key_column) if recipe.key_column is not None else None
        self._method = columns.index(recipe.method_column) if recipe.method_column is not None else None
        self._needs_email = needs_email
        columns_of = {step.field: columns.index(step.column) for step in reversed(recipe.steps)}
        self._zip, self._country = columns_of.get(_ZIP), columns_of.get(_COUNTRY)
        self._countries = [str(each.value) for each in recipe.fixed if each.path == ("address", "country")]

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
            joined = BETWEEN.join(cells)
            yield from test(cells, joined, max(map(len, cells)))
        for main, spare in self._spares:
            if not all(map(str.strip, columns[main])):
                pairs = zip(columns[main], columns[spare], strict=True)
                yield from (at for at, (one, other) in enumerate(pairs) if other and not one.strip())
        if self._email is not None and self._needs_email:
            yield from () if all(columns[self._email]) else blank(columns[self._email])
        elif not self._needs_email:
            rows = zip(*(columns[at] for at in self._sent), strict=True)
            yield from (at for at, row in enumerate(rows) if not "".join(row).strip())
        if self._key is not None and not all(map(fits_as_key, columns[self._key])):
            yield from (at for at, cell in enumerate(columns[self._key]) if not fits_as_key(cell))
        if self._zip is not None:
            yield from self._without_zeros(columns, columns[self._zip])
        for parts in self._names:
            if sum(max(map(len, columns[at])) + 1 for at in parts) > 256:
                yield from range(len(columns[0]))

    def _without_zeros(self, columns: Sequence[Cells], codes: Cells) -> Iterator[int]:
        """Rows whose ZIP code is shorter than those of its country."""
        stripped = list(map(str.strip, codes))
        if {0, 5}.issuperset(map(len, stripped)):
            return
        short = [at for at, code in enumerate(stripped) if is_short(code)]
        if self._countries:
            yield from short if any(map(has_five_digits, self._countries)) else ()
        elif self._country is not None:
            countries = columns[self._country]
            yield from (at for at in short if has_five_digits(countries[at].strip()))


def clearance_of(how: Preparation) -> Clearance | None:
    """The tests for a preparation's columns, None where rows have to be looked at one by one."""
    mapping = how.mapping
    if mapping.columns is None or mapping.from_own_export:
        return None
    recipe = how.recipe(mapping.columns)
    if recipe.unmapped or any(str(each.path[0]) in MADE_OF_PARTS for each in recipe.fixed):
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
